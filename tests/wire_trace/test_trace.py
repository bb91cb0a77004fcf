"""`clarion.trace` on real connections, of both front ends."""

from __future__ import annotations

import io
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import clarion
from clarion import wire_trace
from clarion.http2 import Connection, watching
from clarion.wire_trace.traced_connection import TracedConnection

Serve = Callable[..., int]


def test_frames_and_messages_of_both_sides(serve: Serve, caller: Any) -> None:
    events: list[wire_trace.TraceEvent] = []
    with clarion.trace("frames,messages", to=events.append) as trace:
        assert trace.categories == {"frames", "messages"}
        port = serve()
        answer = caller.unary(port, b"hello", metadata=(("authorization", "Bearer xyz"),))
        assert answer == b"hello"
    for side, sent, received in (
        ("client", "request", "response"),
        ("server", "response", "request"),
    ):
        mine = [event for event in events if event.side == side]
        assert len({event.connection for event in mine}) == 1
        assert {event.category for event in mine} == {"frames", "messages"}
        told = {
            event.direction: (event.text, event.method, event.stream)
            for event in mine
            if event.category == "messages"
        }
        assert told == {
            "sent": (f'{sent} of 5 bytes: "hello"', "/pkg.Service/Unary", 1),
            "received": (f'{received} of 5 bytes: "hello"', "/pkg.Service/Unary", 1),
        }
        [head] = [e for e in mine if ":path: /pkg.Service/Unary" in e.text]
        assert "authorization: <masked, 10 bytes>" in head.text
        assert "xyz" not in "".join(map(str, mine))
        frames = [event.text.split()[0] for event in mine if event.category == "frames"]
        assert {"SETTINGS", "HEADERS", "DATA", "connection"} <= set(frames)


def test_with_tls_it_is_the_plaintext(serve: Serve, caller: Any, client_credentials: Any) -> None:
    events: list[wire_trace.TraceEvent] = []
    with clarion.trace("messages,tls", to=events.append):
        port = serve(tls=True)
        assert caller.unary(port, b"hello", credentials=client_credentials) == b"hello"
    assert [e.text for e in events if e.side == "client" and e.direction == "sent"] == [
        'request of 5 bytes: "hello"'
    ]
    handshakes = [event.text for event in events if event.category == "tls"]
    assert any("client of localhost: the handshake is over: TLSv1." in each for each in handshakes)
    assert any("server: the handshake is over" in each for each in handshakes)


def test_calls_names_and_connections(serve: Serve, caller: Any) -> None:
    events: list[wire_trace.TraceEvent] = []
    with clarion.trace(["calls", "names", "connections", "balancing"], to=events.append):
        port = serve()
        assert caller.unary(port, b"abort").code() is clarion.StatusCode.NOT_FOUND
    by_category = {
        name: "\n".join(str(event) for event in events if event.category == name)
        for name in ("calls", "names", "connections", "balancing")
    }
    calls = by_category["calls"]
    assert f"to dns:///localhost:{port}: the call begins" in calls
    assert "client -- call" in calls
    assert "request of 5 bytes sent" in calls
    assert "ended, NOT_FOUND:no such thing" in calls
    assert "the call came" in calls
    assert "answered with NOT_FOUND: no such thing" in calls
    assert f"channel localhost:{port}: Addresses: " in by_category["names"]
    assert "state changed to READY" in by_category["connections"]
    assert "opened to" in by_category["connections"]
    assert "accepted from" in by_category["connections"]
    assert "Load-balancing policy: pick_first" in by_category["balancing"]


def test_filters(serve: Serve, caller: Any) -> None:
    chosen: list[wire_trace.TraceEvent] = []
    others: list[wire_trace.TraceEvent] = []
    elsewhere: list[wire_trace.TraceEvent] = []
    with (
        clarion.trace("frames", method="*/Unary", to=chosen.append),
        clarion.trace("frames,messages", method="*/Each,/no/*", to=others.append),
        clarion.trace("frames", peer="ipv4:192.0.2.*", to=elsewhere.append),
    ):
        assert caller.unary(serve(), b"hello") == b"hello"
    assert {event.method for event in chosen[1:] if "GOAWAY" not in event.text} == {
        "/pkg.Service/Unary"
    }
    assert not [event for event in others[1:] if "GOAWAY" not in event.text]
    assert not elsewhere[1:]


def test_messages_by_their_descriptor(serve: Serve, caller: Any) -> None:
    pytest.importorskip("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool

    file: Any = descriptor_pb2.FileDescriptorProto(name="traced.proto", package="pkg")
    message = file.message_type.add(name="Hello")
    message.field.add(name="name", number=1, type=9, label=1)
    message.field.add(name="shy", number=2, type=9, label=1).options.debug_redact = True
    service = file.service.add(name="Service")
    service.method.add(name="Unary", input_type=".pkg.Hello", output_type=".pkg.Hello")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    events: list[wire_trace.TraceEvent] = []
    with clarion.trace("messages", to=events.append, pool=pool):
        caller.unary(serve(), b"\x0a\x03Ada\x12\x02xy")
    assert {event.text for event in events if event.side == "client"} == {
        f'{kind} of 9 bytes, pkg.Hello: name: "Ada" shy: <masked>'
        for kind in ("request", "response")
    }


def test_connections_that_are_there_already_are_not_shown(serve: Serve) -> None:
    port = serve()
    out = io.StringIO()
    with clarion.insecure_channel(f"localhost:{port}") as channel:
        call: Any = channel.unary_unary("/pkg.Service/Unary")
        assert call(b"a") == b"a"
        with clarion.trace("frames", to=out):
            assert call(b"b") == b"b"
    [line] = out.getvalue().splitlines()
    assert line.endswith("trace of frames begins; connections that are open already are not shown")


def test_nothing_is_left_of_a_trace(serve: Serve, caller: Any) -> None:
    assert watching.connection_type() is Connection
    with clarion.trace("frames,calls", to=io.StringIO()) as trace:
        assert watching.connection_type() is TracedConnection
        port = serve()
        assert caller.unary(port, b"x") == b"x"
    assert watching.connection_type() is Connection
    trace.stop()
    # The server's calls are still of the class that could be traced.
    assert caller.unary(port, b"x") == b"x"


def test_a_connection_outlives_its_trace(serve: Serve) -> None:
    port = serve()
    with clarion.insecure_channel(f"localhost:{port}") as channel:
        call: Any = channel.unary_unary("/pkg.Service/Unary")
        with clarion.trace("frames", to=io.StringIO()):
            assert call(b"a") == b"a"
        assert call(b"b") == b"b"


def test_a_tracer_that_fails_does_no_harm(
    serve: Serve, caller: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a mistake of the tracer")

    monkeypatch.setattr(wire_trace.connection_watch.ConnectionWatch, "_frame", fail)
    out = io.StringIO()
    with clarion.trace("frames", to=out), caplog.at_level(logging.WARNING):
        assert caller.unary(serve(), b"x") == b"x"
    assert "is not traced any more" in caplog.text


def test_a_text_that_fails_does_no_harm(
    serve: Serve, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError("a mistake of the tracer")

    monkeypatch.setattr(wire_trace.connection_watch, "describe_message", fail)
    out = io.StringIO()
    with clarion.trace("messages", to=out):
        assert caller.unary(serve(), b"x") == b"x"
    assert "could not be shown" in out.getvalue()


def test_a_sink_may_make_calls(serve: Serve) -> None:
    port = serve()
    answers: list[Any] = []
    with clarion.insecure_channel(f"localhost:{port}") as channel:
        call: Any = channel.unary_unary("/pkg.Service/Unary")

        def sink(event: wire_trace.TraceEvent) -> None:
            if not answers:
                answers.append(None)
                answers.append(call(b"from the sink", timeout=20))

        with clarion.trace("frames", to=sink):
            assert call(b"x", timeout=20) == b"x"
    assert answers == [None, b"from the sink"]


def test_a_client_that_speaks_http1(serve: Serve) -> None:
    events: list[wire_trace.TraceEvent] = []
    with clarion.trace("frames,connections", to=events.append):
        port = serve()
        with socket.create_connection(("localhost", port), 20) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            while sock.recv(1000):
                pass
    assert any('this is not HTTP/2: "GET / HTTP/1.1' in event.text for event in events)


def test_to_a_logger(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, "my.trace"),
        clarion.trace("connections", to=logging.getLogger("my.trace")),
    ):
        pass
    assert [record.name for record in caplog.records] == ["my.trace"]


def test_a_sink_that_raises_gets_the_other_events(caplog: pytest.LogCaptureFixture) -> None:
    events: list[wire_trace.TraceEvent] = []

    def sink(event: wire_trace.TraceEvent) -> None:
        events.append(event)
        raise ValueError("no")

    with clarion.trace("names", to=sink):
        pass
    assert len(events) == 1
    assert "what receives the items raised" in caplog.text


@pytest.mark.parametrize("categories", ["", "frames,bogus", []])
def test_categories_are_checked(categories: Any) -> None:
    with pytest.raises(ValueError, match="there are balancing, calls, connections"):
        clarion.trace(categories)


def test_a_sink_is_checked(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot go to 7"):
        clarion.trace("all", to=7)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="no-such"):
        clarion.trace("all", to=tmp_path / "no-such" / "file")
    assert watching.connection_type() is Connection


PROGRAM = """
import clarion
channel = clarion.insecure_channel("localhost:1")
try:
    channel.unary_unary("/a/b")(b"", timeout=30)
except clarion.RpcError as error:
    print(error.code().name)
"""


@pytest.mark.timeout(180)
def test_by_the_environment(tmp_path: Path) -> None:
    out = tmp_path / "trace.txt"
    variables = {"CLARION_TRACE": "calls,connections", "CLARION_TRACE_FILE": str(out)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "UNAVAILABLE\n"), done.stderr
    text = out.read_text(encoding="utf-8")
    assert "the call begins" in text
    assert "ended, UNAVAILABLE" in text


def test_what_is_wrong_in_the_environment_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for variables in (
        {"CLARION_TRACE": "bogus"},
        {"CLARION_TRACE": "all", "CLARION_TRACE_LIMIT": "x"},
        {"CLARION_TRACE": "all", "CLARION_TRACE_FILE": str(tmp_path)},
    ):
        assert wire_trace.from_environment(variables) is None
    assert len(caplog.records) == 3
    good = wire_trace.from_environment(
        {
            "CLARION_TRACE": "calls",
            "CLARION_TRACE_FILE": str(tmp_path / "x"),
            "CLARION_TRACE_METHOD": "/a/*,/b/*",
        }
    )
    assert good is not None
    good.stop()
