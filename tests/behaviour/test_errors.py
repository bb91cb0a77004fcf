"""Failures explain themselves, and their exceptions have grpcio's shape."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import pytest

from support.clients import AioClient, SyncClient
from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.processes import free_port
from support.simple import ECHOES

UNARY = SERVICE + camel("unary_unary")


def test_nobody_listens(front: FrontEnd) -> None:
    port = free_port()
    outcome = front.connect(f"127.0.0.1:{port}").call(UNARY, "unary_unary", [b"x"])
    assert outcome.code == "UNAVAILABLE"
    assert f"127.0.0.1:{port}" in outcome.details
    assert "refused" in outcome.details


def test_a_missing_unix_socket(front: FrontEnd) -> None:
    outcome = front.connect("unix:/no/such/socket").call(UNARY, "unary_unary", [b"x"])
    assert outcome.code == "UNAVAILABLE"
    assert "/no/such/socket" in outcome.details
    assert "No such file" in outcome.details


def test_a_name_that_does_not_resolve(front: FrontEnd) -> None:
    client = front.connect("name.does-not-exist.invalid:1")
    outcome = client.call(UNARY, "unary_unary", [b"x"])
    assert outcome.code == "UNAVAILABLE"
    assert "name.does-not-exist.invalid" in outcome.details


@pytest.mark.parametrize(
    "greeting",
    [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"],
    ids=["http1", "ssh"],
)
def test_a_server_of_another_protocol(front: FrontEnd, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def answer() -> None:
            while not done.is_set():
                connection, _ = listener.accept()
                connection.settimeout(LIMIT)
                # The client may be gone as soon as it has seen the greeting.
                with connection, contextlib.suppress(OSError):
                    connection.sendall(greeting)
                    connection.shutdown(socket.SHUT_WR)
                    while not done.is_set() and connection.recv(4096):
                        pass

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        address = listener.getsockname()
        client = front.connect(f"127.0.0.1:{address[1]}")
        outcome = client.call(UNARY, "unary_unary", [b"x"], timeout=10)
        client.close()
        done.set()
        socket.create_connection(address).close()
        thread.join(LIMIT)
        assert not thread.is_alive()
    assert outcome.code == "UNAVAILABLE", outcome
    assert str(address[1]) in outcome.details
    if greeting.startswith(b"HTTP"):
        front.clarion_only("grpcio does not say that the peer spoke HTTP/1.1")
        assert "HTTP/1.1" in outcome.details


def test_the_sync_exception_is_the_call(sync: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        call.context.set_trailing_metadata((("why", "because"),))
        await call.abort("NOT_FOUND", "nothing here")
        return b""

    root = sync.library.root
    client = sync.rig(unary_unary=handler).client
    assert isinstance(client, SyncClient)
    with pytest.raises(root.RpcError) as caught:
        client.raw.unary_unary(UNARY)(b"x")
    error = caught.value
    assert isinstance(error, root.Call)
    assert error.code() is root.StatusCode.NOT_FOUND
    assert error.details() == "nothing here"
    assert ("why", "because") in [tuple(each) for each in error.trailing_metadata()]
    assert "NOT_FOUND" in str(error)
    assert "nothing here" in str(error)


def test_the_asynchronous_exception_has_the_status(aio: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        call.context.set_trailing_metadata((("why", "because"),))
        await call.abort("NOT_FOUND", "nothing here")
        return b""

    library = aio.library
    client = aio.rig(unary_unary=handler).client
    assert isinstance(client, AioClient)

    async def fail() -> Any:
        with pytest.raises(library.aio.AioRpcError) as caught:
            await client.raw.unary_unary(UNARY)(b"x")
        return caught.value

    error = aio.loop.run(fail)
    assert isinstance(error, library.root.RpcError)
    assert error.code() is library.root.StatusCode.NOT_FOUND
    assert error.details() == "nothing here"
    assert ("why", "because") in list(error.trailing_metadata())
    assert "NOT_FOUND" in str(error)
    assert "nothing here" in str(error)


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("pattern", ["unary_unary", "stream_unary"])
def test_a_client_counts_responses(front: FrontEnd, pattern: str, count: int) -> None:
    front.clarion_only("grpcio calls none a success of None, and two a success of the first")

    async def handler(call: ServerCall) -> None:
        for _ in range(count):
            await call.write(b"x")

    served = pattern.replace("_unary", "_stream")
    rig = front.rig(**{served: handler})
    outcome = rig.client.call(SERVICE + camel(served), pattern, [b"x"])
    assert outcome.code in ("INTERNAL", "UNIMPLEMENTED"), outcome
    assert outcome.responses == []


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("pattern", ["unary_unary", "unary_stream"])
def test_a_server_counts_requests(front: FrontEnd, pattern: str, count: int) -> None:
    front.clarion_only("grpcio's servers do not count requests")
    ran = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        ran.set()
        return b""

    rig = front.rig(**{pattern: handler})
    called = pattern.replace("unary_", "stream_")
    outcome = rig.client.call(SERVICE + camel(pattern), called, [b"x"] * count)
    assert outcome.code in ("INTERNAL", "UNIMPLEMENTED"), outcome
    if count == 0:
        assert not ran.is_set()


def test_an_unknown_method_is_named(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES)
    outcome = rig.client.call(SERVICE + "Nope", "unary_unary", [b"x"])
    assert outcome.code == "UNIMPLEMENTED"
    front.clarion_only("grpcio does not say which method")
    assert SERVICE + "Nope" in outcome.details
