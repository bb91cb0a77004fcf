"""Clarion's servers as h2spec needs them: every request is answered with a few bytes of DATA.

h2spec tests HTTP/2, not gRPC: its requests are `GET /` without content-type, which a gRPC server refuses in plain
HTTP, with 405 and no body. So one gate is open here, and only here: a request that is well-formed HTTP/2 and no gRPC
is taken for a call of the handler below. Everything that h2spec looks at is the product's: the sockets, the frames,
HPACK, the streams' states, flow control, and the checks of header lists, which come before that gate.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import clarion
import clarion.aio
from clarion.hpack import HeaderList
from clarion.protocol import server_stream
from clarion.protocol.request_head import RequestHead, read_request

__all__ = ["FRONT_ENDS", "serving"]

# HTTP/2's initial value. h2spec 4.2/3 sends HEADERS of some 17,500 bytes and takes for granted that they are too
# long; to a server that allows frames of 64 KiB, as Clarion's does, they are not.
_OPTIONS = (("grpc.http2.max_frame_size", 16_384),)
# Smaller than the initial window, so that a stream can end without credit; cases about windows need one byte.
_ANSWER = bytes(1024)
_CERTIFICATES = Path(__file__).resolve().parent.parent.parent / "tests" / "support" / "certificates"
_STOP_SECONDS = 10.0


def _sync_handler(requests: Iterator[bytes], context: Any) -> bytes:
    for _ in requests:
        pass
    return _ANSWER


async def _aio_handler(requests: AsyncIterator[bytes], context: Any) -> bytes:
    async for _ in requests:
        pass
    return _ANSWER


class _AnyMethod(clarion.GenericRpcHandler):
    """Serves every path."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self._handler = clarion.stream_unary_rpc_method_handler(handler)

    def service(self, handler_call_details: Any) -> Any:
        return self._handler


@contextmanager
def _gate_open() -> Iterator[None]:
    def read_any(headers: HeaderList, max_metadata_size: int) -> RequestHead:
        head = read_request(headers, max_metadata_size)
        head.http_error = 0
        return head

    with mock.patch.object(server_stream, "read_request", read_any):
        yield


def _credentials() -> Any:
    return clarion.ssl_server_credentials(
        [
            (
                (_CERTIFICATES / "server.key").read_bytes(),
                (_CERTIFICATES / "server.pem").read_bytes(),
            )
        ]
    )


def _listen(server: Any, tls: bool) -> int:
    port: int
    if tls:
        port = server.add_secure_port("127.0.0.1:0", _credentials())
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    return port


@contextmanager
def _sync_server(tls: bool) -> Iterator[int]:
    with futures.ThreadPoolExecutor(8) as pool:
        server = clarion.server(pool, options=_OPTIONS)
        server.add_generic_rpc_handlers((_AnyMethod(_sync_handler),))
        port = _listen(server, tls)
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait(_STOP_SECONDS)


@contextmanager
def _aio_server(tls: bool) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(_STOP_SECONDS)

    async def start() -> tuple[Any, int]:
        server = clarion.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((_AnyMethod(_aio_handler),))
        port = _listen(server, tls)
        await server.start()
        return server, port

    try:
        server, port = run(start())
        yield port
        run(server.stop(None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_SECONDS)
        loop.close()


FRONT_ENDS = {"sync": _sync_server, "aio": _aio_server}


@contextmanager
def serving(front_end: str, *, tls: bool) -> Iterator[int]:
    """Run the server of a front end, `sync` or `aio`; the value is its port on 127.0.0.1."""
    with _gate_open(), FRONT_ENDS[front_end](tls) as port:
        yield port
