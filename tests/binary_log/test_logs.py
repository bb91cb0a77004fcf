"""Calls in binary logs: client and server, both front ends."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.protobuf")
import clarion
from clarion import aio, binary_log
from support.loops import LoopThread

LIMIT = 20.0
CLIENT, SERVER = 1, 2
HEADER, HEAD, REQUEST, RESPONSE, HALF_CLOSE, TRAILER, CANCEL = 1, 2, 3, 4, 5, 6, 7


class Kept(binary_log.Sink):
    """Keeps entries, and says when a call's last one came."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.changed = threading.Condition()
        self.closed = False

    def write(self, entry: Any) -> None:
        with self.changed:
            self.entries.append(entry)
            self.changed.notify_all()

    def close(self) -> None:
        self.closed = True

    def call(self, logger: int) -> list[Any]:
        """All entries of the one call, when it is over."""

        def over() -> bool:
            return any(e.logger == logger and e.type in (TRAILER, CANCEL) for e in self.entries)

        with self.changed:
            assert self.changed.wait_for(over, LIMIT), self.entries
            entries = [each for each in self.entries if each.logger == logger]
        assert len({each.call_id for each in entries}) == 1
        entries.sort(key=lambda each: each.sequence_id_within_call)
        assert [e.sequence_id_within_call for e in entries] == list(range(1, len(entries) + 1))
        return entries


class Rig:
    """A server whose calls are logged, and a client of either front end."""

    def __init__(self, front: str, filter: str) -> None:
        self.sink = Kept()
        self.log = binary_log.start(self.sink, filter)
        self.loop = LoopThread() if front == "aio" else None
        self.hang = threading.Event()
        self.tries = 0
        if self.loop is None:
            self.pool = futures.ThreadPoolExecutor(4)
            self.server: Any = clarion.server(self.pool)
            self._serve()
        else:
            self.loop.run(self._start_aio)

    async def _start_aio(self) -> None:
        self.server = aio.server()
        self._serve()
        await self.server.start()

    def _serve(self) -> None:
        handlers = {
            "Unary": clarion.unary_unary_rpc_method_handler(self._unary),
            "Each": clarion.stream_stream_rpc_method_handler(self._each),
            "Quiet": clarion.unary_unary_rpc_method_handler(lambda request, context: request),
        }
        generic = clarion.method_handlers_generic_handler("pkg.S", handlers)
        self.server.add_generic_rpc_handlers((generic,))
        self.port = self.server.add_insecure_port("localhost:0")
        if self.loop is None:
            self.server.start()

    def _unary(self, request: bytes, context: Any) -> bytes:
        self.tries += 1
        if request == b"abort" or (request == b"retry" and self.tries < 3):
            context.set_trailing_metadata((("t", "1"),))
            code = "UNAVAILABLE" if request == b"retry" else "NOT_FOUND"
            context.abort(clarion.StatusCode[code], "no such thing")
        if request == b"hang":
            self.hang.wait(LIMIT)
        return request * 2

    def _each(self, requests: Any, context: Any) -> Any:
        context.send_initial_metadata((("head-bin", b"\0\1"),))
        yield from requests

    def unary(self, request: bytes, method: str = "Unary", **arguments: Any) -> Any:
        """The response, or the error."""
        options = arguments.pop("options", None)
        arguments.setdefault("timeout", LIMIT)

        async def call() -> Any:
            async with aio.insecure_channel(f"localhost:{self.port}", options) as channel:
                try:
                    return await channel.unary_unary(f"/pkg.S/{method}")(request, **arguments)
                except clarion.RpcError as error:
                    return error

        if self.loop is not None:
            return self.loop.run(call)
        with clarion.insecure_channel(f"localhost:{self.port}", options) as channel:
            try:
                return channel.unary_unary(f"/pkg.S/{method}")(request, **arguments)
            except clarion.RpcError as error:
                return error

    def each(self, *requests: bytes) -> list[bytes]:
        async def call() -> list[bytes]:
            async with aio.insecure_channel(f"localhost:{self.port}") as channel:
                opened: Any = channel.stream_stream("/pkg.S/Each")(iter(requests))
                return [response async for response in opened]

        if self.loop is not None:
            return self.loop.run(call)
        with clarion.insecure_channel(f"localhost:{self.port}") as channel:
            opened: Any = channel.stream_stream("/pkg.S/Each")(iter(requests), timeout=LIMIT)
            return list(opened)

    def cancel(self) -> None:
        """Make a call and cancel it when it is on its way."""

        async def call() -> None:
            async with aio.insecure_channel(f"localhost:{self.port}") as channel:
                opened: Any = channel.stream_stream("/pkg.S/Each")()
                await opened.write(b"x")
                await opened.read()
                opened.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await opened.read()

        if self.loop is not None:
            self.loop.run(call)
            return
        release = threading.Event()

        def requests() -> Iterator[bytes]:
            yield b"x"
            release.wait(LIMIT)

        with clarion.insecure_channel(f"localhost:{self.port}") as channel:
            opened = channel.stream_stream("/pkg.S/Each")(requests(), timeout=LIMIT)
            assert next(opened) == b"x"
            opened.cancel()
            release.set()

    def close(self) -> None:
        self.hang.set()
        if self.loop is None:
            self.server.stop(None).wait()
            self.pool.shutdown()
        else:
            self.loop.run(self.server.stop, None)
            self.loop.close()
        self.log.close()


Open = Callable[..., Rig]


@pytest.fixture(params=["sync", "aio"])
def rig(request: pytest.FixtureRequest) -> Iterator[Open]:
    rigs: list[Rig] = []

    def start(filter: str = "*") -> Rig:
        rigs.append(Rig(request.param, filter))
        return rigs[-1]

    yield start
    for each in rigs:
        each.close()


def kinds(entries: list[Any]) -> list[int]:
    return [each.type for each in entries]


def pairs(metadata: Any) -> dict[str, bytes]:
    return {each.key: each.value for each in metadata.entry}


def test_a_unary_call_on_both_sides(rig: Open) -> None:
    one = rig()
    metadata = (("k", "v"), ("b-bin", b"\0\xff"), ("authorization", "Bearer x"))
    assert one.unary(b"ab", metadata=metadata) == b"abab"
    for logger in (CLIENT, SERVER):
        entries = one.sink.call(logger)
        assert sorted(kinds(entries)) == [HEADER, HEAD, REQUEST, RESPONSE, HALF_CLOSE, TRAILER]
        header, *others = entries
        assert header.client_header.method_name == "/pkg.S/Unary"
        assert header.client_header.authority == f"localhost:{one.port}"
        assert 0 < header.client_header.timeout.seconds <= LIMIT
        assert pairs(header.client_header.metadata) == {"k": b"v", "b-bin": b"\0\xff"}
        [request] = [each for each in others if each.type == REQUEST]
        [response] = [each for each in others if each.type == RESPONSE]
        assert (request.message.data, request.message.length) == (b"ab", 2)
        assert (response.message.data, response.message.length) == (b"abab", 4)
        assert entries[-1].trailer.status_code == 0
        # The first entry of something that came from the other end has its address.
        with_peer = [each.type for each in entries if each.HasField("peer")]
        assert with_peer == ([HEAD] if logger == CLIENT else [HEADER])
        peer = next(each.peer for each in entries if each.HasField("peer"))
        assert peer.type in (1, 2)
        assert (peer.ip_port == one.port) == (logger == CLIENT)


def test_a_stream(rig: Open) -> None:
    one = rig()
    assert one.each(b"a", b"bb") == [b"a", b"bb"]
    for logger in (CLIENT, SERVER):
        entries = one.sink.call(logger)
        requests = [each.message.data for each in entries if each.type == REQUEST]
        responses = [each.message.data for each in entries if each.type == RESPONSE]
        assert requests == responses == [b"a", b"bb"]
        [head] = [each.server_header for each in entries if each.type == HEAD]
        assert pairs(head.metadata) == {"head-bin": b"\0\1"}
        assert kinds(entries).count(HALF_CLOSE) == 1


def test_a_status_without_a_response(rig: Open) -> None:
    one = rig()
    assert one.unary(b"abort").code() is clarion.StatusCode.NOT_FOUND
    for logger in (CLIENT, SERVER):
        entries = one.sink.call(logger)
        trailer = entries[-1].trailer
        assert (trailer.status_code, trailer.status_message) == (5, "no such thing")
        assert pairs(trailer.metadata) == {"t": b"1"}
        assert HEAD not in kinds(entries)
    assert one.sink.call(CLIENT)[-1].HasField("peer")


def test_a_cancelled_call(rig: Open) -> None:
    one = rig()
    one.cancel()
    for logger in (CLIENT, SERVER):
        assert one.sink.call(logger)[-1].type == CANCEL


def test_a_call_that_never_got_a_connection(rig: Open) -> None:
    one = rig()
    one.port = 1
    assert one.unary(b"x").code() is clarion.StatusCode.UNAVAILABLE
    entries = one.sink.call(CLIENT)
    assert kinds(entries) == [HEADER, TRAILER]
    assert entries[-1].trailer.status_code == 14
    assert not entries[-1].HasField("peer")


RETRY = """{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.01s",
"maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}"""


def test_of_a_call_that_was_tried_again_only_the_last_attempt(rig: Open) -> None:
    one = rig()
    options = [("grpc.service_config", RETRY)]
    assert one.unary(b"retry", options=options) == b"retry" * 2
    assert sorted(kinds(one.sink.call(CLIENT))) == [
        HEADER,
        HEAD,
        REQUEST,
        RESPONSE,
        HALF_CLOSE,
        TRAILER,
    ]


def test_compressed_messages_are_logged_as_they_were(rig: Open) -> None:
    one = rig()
    assert one.unary(b"x" * 1000, compression=clarion.Compression.Gzip) == b"x" * 2000
    for logger in (CLIENT, SERVER):
        [request] = [each for each in one.sink.call(logger) if each.type == REQUEST]
        assert request.message.data == b"x" * 1000


def test_limits_and_methods(rig: Open) -> None:
    one = rig("pkg.S/*{h:2;m:3},-pkg.S/Quiet")
    assert one.unary(b"x", "Quiet") == b"x"
    assert one.unary(b"abcdef", metadata=(("k", "v"), ("long", "value"))) == b"abcdef" * 2
    for logger in (CLIENT, SERVER):
        entries = one.sink.call(logger)
        by_type = {each.type: each for each in entries}
        assert by_type[HEADER].payload_truncated
        assert pairs(by_type[HEADER].client_header.metadata).keys() <= {"k"}
        message = by_type[REQUEST]
        assert (message.message.data, message.message.length) == (b"abc", 6)
        assert message.payload_truncated
    assert {each.client_header.method_name for each in one.sink.entries if each.type == HEADER} == {
        "/pkg.S/Unary"
    }


def test_a_log_that_is_closed(rig: Open) -> None:
    one = rig()
    one.log.close()
    one.log.close()
    assert one.sink.closed
    assert one.unary(b"x") == b"xx"
    assert one.sink.entries == []


def test_single_channels_and_servers(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with (
        binary_log.BinaryLog(binary_log.FileSink(path), "*{h}") as log,
        futures.ThreadPoolExecutor(2) as pool,
    ):
        server = clarion.server(pool, options=log.server_options)
        handler = clarion.unary_unary_rpc_method_handler(lambda request, context: request)
        generic = clarion.method_handlers_generic_handler("pkg.S", {"Unary": handler})
        server.add_generic_rpc_handlers((generic,))
        port = server.add_insecure_port("localhost:0")
        server.start()
        for options in (None, log.channel_options):
            with clarion.insecure_channel(f"localhost:{port}", options) as channel:
                assert channel.unary_unary("/pkg.S/Unary")(b"x", timeout=LIMIT) == b"x"
        server.stop(None).wait()
        assert log.flush()
    entries = list(binary_log.read(path))
    calls = {(each.logger, each.call_id) for each in entries}
    assert sorted(logger for logger, _ in calls) == [CLIENT, SERVER, SERVER]
    assert {each.message.data for each in entries if each.type == REQUEST} == {b""}
    assert {each.message.length for each in entries if each.type == REQUEST} == {1}


def test_a_sink_that_raises_loses_entries_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(binary_log.Sink):
        def write(self, entry: Any) -> None:
            raise OSError("no")

    with (
        binary_log.start(Broken()) as log,
        clarion.insecure_channel("localhost:1") as channel,
        caplog.at_level(logging.ERROR),
    ):
        with pytest.raises(clarion.RpcError):
            channel.unary_unary("/a/b")(b"", timeout=LIMIT)
        assert log.flush()
    assert "what receives the items raised" in caplog.text
    assert log.dropped == 0


PROGRAM = """
import clarion
channel = clarion.insecure_channel("localhost:1")
try:
    channel.unary_unary("/a/b")(b"", timeout=30)
except clarion.RpcError as error:
    print(error.code().name)
"""


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_by_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "log-%p"
    done = run(GRPC_BINARY_LOG_FILTER="a/*", CLARION_BINARY_LOG_FILE=str(path))
    assert (done.returncode, done.stdout) == (0, "UNAVAILABLE\n"), done.stderr
    [written] = tmp_path.glob("log-*")
    assert kinds(list(binary_log.read(written))) == [HEADER, TRAILER]


def test_a_malformed_filter_stops_the_program() -> None:
    with pytest.raises(ValueError, match="binary log filter"):
        binary_log.from_environment({"GRPC_BINARY_LOG_FILTER": "*{x}"})


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_log_without_a_path_is_where_others_cannot_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    log = binary_log.from_environment({"GRPC_BINARY_LOG_FILTER": "*"})
    assert log is not None
    log.close()
    [directory] = tmp_path.iterdir()
    assert directory.stat().st_mode & 0o077 == 0
    assert [each.name for each in directory.iterdir()] == [f"{os.getpid()}.binlog"]


def test_other_environments(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert binary_log.from_environment({}) is None
    assert binary_log.from_environment({"GRPC_BINARY_LOG_FILTER": " "}) is None
    nowhere = {"CLARION_BINARY_LOG_FILE": str(tmp_path / "no" / "log")}
    assert binary_log.from_environment({"GRPC_BINARY_LOG_CONFIG": "*", **nowhere}) is None
    assert "there is no binary log" in caplog.text
    somewhere = {
        "CLARION_BINARY_LOG_FILE": str(tmp_path / "log"),
        "CLARION_BINARY_LOG_MAX_BYTES": "1000",
    }
    log = binary_log.from_environment({"GRPC_BINARY_LOG_FILTER": "*", **somewhere})
    assert log is not None
    log.close()


def test_a_filter_that_is_refused_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="binary log filter"):
        binary_log.start(tmp_path / "log", "*{x}")
    assert list(tmp_path.iterdir()) == []
