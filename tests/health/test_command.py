"""`clarion health`, as a probe runs it."""

from __future__ import annotations

import io
import queue
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
from clarion import health
from clarion.cli import main
from support.credentials import CERTIFICATES, server_tls
from support.libraries import LIMIT, load
from support.processes import free_port

pytestmark = pytest.mark.parametrize("serve", ["sync"], indirect=True)


def probe(*arguments: str) -> int:
    return main(["health", *arguments])


def test_statuses(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    served = serve()
    served.health.set("x", 2)
    assert probe(served.target) == 0
    assert probe(served.target, "--service", "x") == 1
    assert probe(served.target, "--service=y", f"--timeout={LIMIT}") == 1
    assert capsys.readouterr().out == "SERVING\nNOT_SERVING\nSERVICE_UNKNOWN\n"


class Output(io.StringIO):
    """Standard output that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: queue.SimpleQueue[str] = queue.SimpleQueue()

    def write(self, text: str) -> int:
        if text.strip():
            self._texts.put(text)
        return len(text)

    def next(self) -> str:
        return self._texts.get(timeout=LIMIT)


def test_watch(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output()
    monkeypatch.setattr(sys, "stdout", output)
    served = serve()
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(probe(served.target, "--watch")))
    thread.start()
    assert output.next() == "SERVING"
    served.health.set("", 2)
    assert output.next() == "NOT_SERVING"
    served.close()
    thread.join(LIMIT)
    assert codes == [3]


class Ended(clarion.RpcError):
    """How a scripted call ends."""

    def code(self) -> clarion.StatusCode:
        return clarion.StatusCode.DEADLINE_EXCEEDED

    def details(self) -> str:
        return "Deadline Exceeded"


class Scripted:
    """A channel whose one call says `statuses` and then ends."""

    def __init__(self, statuses: list[int], end: BaseException | None) -> None:
        self._statuses = statuses
        self._end = end

    def unary_stream(self, *_: Any) -> Any:
        return lambda *_, **__: self

    def __iter__(self) -> Iterator[Any]:
        for status in self._statuses:
            yield health.messages().HealthCheckResponse(status=status)
        if self._end is not None:
            raise self._end

    def cancel(self) -> None:
        pass

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("statuses", "end", "code"),
    [
        ([2, 1], Ended(), 0),
        ([1, 3], Ended(), 1),
        ([1], KeyboardInterrupt(), 0),
        ([], KeyboardInterrupt(), 1),
        ([], Ended(), 4),
        ([1, 77], None, 5),
    ],
)
def test_how_a_watch_ends(
    serve: Any,
    statuses: list[int],
    end: BaseException | None,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clarion, "insecure_channel", lambda *_: Scripted(statuses, end))
    assert probe("x", "--watch") == code


def test_nobody_listens(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe(f"127.0.0.1:{free_port()}") == 3
    assert "UNAVAILABLE" in capsys.readouterr().err


@pytest.mark.parametrize("watch", [(), ("--watch",)])
def test_nobody_answers(
    serve: Any, watch: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert probe(f"127.0.0.1:{port}", "--timeout=0.1", *watch) == 4
    assert "DEADLINE_EXCEEDED" in capsys.readouterr().err


@pytest.fixture
def bare() -> Iterator[str]:
    """A server without a health service."""
    pool = futures.ThreadPoolExecutor(1)
    server = clarion.server(pool)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait(LIMIT)
    pool.shutdown()


@pytest.mark.parametrize("watch", [(), ("--watch",)])
def test_a_server_without_the_service(
    serve: Any, bare: str, watch: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe(bare, *watch) == 5
    assert f"clarion health: {bare}: UNIMPLEMENTED" in capsys.readouterr().err


def test_tls(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    served = serve(credentials=server_tls(load("clarion")))
    ca = f"--ca={CERTIFICATES / 'ca.pem'}"
    target = served.target.replace("127.0.0.1", "localhost")
    pair = [f"--cert={CERTIFICATES / 'client.pem'}", f"--key={CERTIFICATES / 'client.key'}"]
    assert probe(target, ca) == 0
    assert probe(target, ca, *pair) == 0
    assert probe(target, ca, "--server-name=other.example") == 3
    assert "other.example" in capsys.readouterr().err
    assert probe(target, "--tls") == 3


def test_metadata(serve: Any) -> None:
    class Door(clarion.ServerInterceptor):
        def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            return (
                continuation(handler_call_details)
                if ("key", "se=same") in handler_call_details.invocation_metadata
                else None
            )

    served = serve(interceptors=[Door()])
    assert probe(served.target) == 5
    assert probe(served.target, "--metadata=key=se=same") == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["localhost:1", "--timeout=0"],
        ["localhost:1", "--cert=/nothing"],
        ["localhost:1", "--ca=/nothing"],
        ["localhost:1", "--metadata=key"],
        ["localhost:1", "--what"],
    ],
)
def test_a_command_line_that_makes_no_sense(
    serve: Any, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe(*arguments) == 2
    assert "clarion health" in capsys.readouterr().err


def test_help(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe("--help") == 0
    assert "exit codes:" in capsys.readouterr().out
