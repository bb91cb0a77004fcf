"""Clarion's servers as the suite drives them: one process, one server, on the front end that the command line names.

    python conformance/connect/connect_server.py sync|aio

What it has to be (`ServerCompatRequest`) comes on stdin, where it listens goes to stdout, and SIGTERM ends it. All
protocols and both versions of HTTP are on the one port, whichever is asked for.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent import futures
from typing import Any

import delimited
from common import error_of, info_of, metadata_of, payload_of
from connectrpc.conformance.v1 import server_compat_pb2, service_pb2, service_pb2_grpc

import clarion
import clarion.aio
from clarion.web import WebOptions

__all__ = ["AioService", "main", "options_of"]

_THREADS = 64
_GRACE_SECONDS = 1.0
_HOST = "127.0.0.1"


def _asks_for_error(definition: Any) -> bool:
    return bool(definition.WhichOneof("response") == "error")


class SyncService(service_pb2_grpc.ConformanceServiceServicer):
    """The service, on threads. `Unimplemented` is nowhere, as it should be."""

    def Unary(self, request: Any, context: Any) -> Any:
        payload = self._single(request.response_definition, [request], context)
        return service_pb2.UnaryResponse(payload=payload)

    def IdempotentUnary(self, request: Any, context: Any) -> Any:
        payload = self._single(request.response_definition, [request], context)
        return service_pb2.IdempotentUnaryResponse(payload=payload)

    def ClientStream(self, request_iterator: Iterator[Any], context: Any) -> Any:
        requests = list(request_iterator)
        definition = requests[0].response_definition if requests else _NOTHING
        payload = self._single(definition, requests, context)
        return service_pb2.ClientStreamResponse(payload=payload)

    def _single(self, definition: Any, requests: list[Any], context: Any) -> Any:
        info = info_of(context, requests)
        context.set_trailing_metadata(metadata_of(definition.response_trailers))
        time.sleep(definition.response_delay_ms / 1000)
        if definition.response_headers:
            context.send_initial_metadata(metadata_of(definition.response_headers))
        if _asks_for_error(definition):
            raise error_of(definition.error, info)
        return payload_of(definition.response_data, info)

    def ServerStream(self, request: Any, context: Any) -> Iterator[Any]:
        definition = request.response_definition
        self._begin(definition, context)
        for place, data in enumerate(definition.response_data):
            time.sleep(definition.response_delay_ms / 1000)
            info = info_of(context, [request]) if not place else None
            yield service_pb2.ServerStreamResponse(payload=payload_of(data, info))
        self._end(definition, [request], context)

    def BidiStream(self, request_iterator: Iterator[Any], context: Any) -> Iterator[Any]:
        first = next(request_iterator, None)
        if first is None:
            return
        definition, requests, said = first.response_definition, [first], 0
        if first.full_duplex:
            self._begin(definition, context)
            for data in definition.response_data:
                if said:
                    # Once the client has said all, what is left goes out without a request.
                    requests = [one for one in [next(request_iterator, None)] if one is not None]
                time.sleep(definition.response_delay_ms / 1000)
                info = info_of(context, requests, whole=not said)
                yield service_pb2.BidiStreamResponse(payload=payload_of(data, info))
                said += 1
        else:
            requests += request_iterator
            self._begin(definition, context)
            for data in definition.response_data:
                time.sleep(definition.response_delay_ms / 1000)
                info = info_of(context, requests) if not said else None
                yield service_pb2.BidiStreamResponse(payload=payload_of(data, info))
                said += 1
        self._end(definition, requests, context)

    def _begin(self, definition: Any, context: Any) -> None:
        context.set_trailing_metadata(metadata_of(definition.response_trailers))
        if definition.response_data or definition.response_headers:
            context.send_initial_metadata(metadata_of(definition.response_headers))

    def _end(self, definition: Any, requests: list[Any], context: Any) -> None:
        if definition.HasField("error"):
            info = None if definition.response_data else info_of(context, requests)
            raise error_of(definition.error, info)


class AioService(service_pb2_grpc.ConformanceServiceServicer):
    """The service, on an event loop."""

    async def Unary(self, request: Any, context: Any) -> Any:
        payload = await self._single(request.response_definition, [request], context)
        return service_pb2.UnaryResponse(payload=payload)

    async def IdempotentUnary(self, request: Any, context: Any) -> Any:
        payload = await self._single(request.response_definition, [request], context)
        return service_pb2.IdempotentUnaryResponse(payload=payload)

    async def ClientStream(self, request_iterator: AsyncIterator[Any], context: Any) -> Any:
        requests = [request async for request in request_iterator]
        definition = requests[0].response_definition if requests else _NOTHING
        payload = await self._single(definition, requests, context)
        return service_pb2.ClientStreamResponse(payload=payload)

    async def _single(self, definition: Any, requests: list[Any], context: Any) -> Any:
        info = info_of(context, requests)
        context.set_trailing_metadata(metadata_of(definition.response_trailers))
        await asyncio.sleep(definition.response_delay_ms / 1000)
        if definition.response_headers:
            await context.send_initial_metadata(metadata_of(definition.response_headers))
        if _asks_for_error(definition):
            raise error_of(definition.error, info)
        return payload_of(definition.response_data, info)

    async def ServerStream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        definition = request.response_definition
        await self._begin(definition, context)
        for place, data in enumerate(definition.response_data):
            await asyncio.sleep(definition.response_delay_ms / 1000)
            info = info_of(context, [request]) if not place else None
            yield service_pb2.ServerStreamResponse(payload=payload_of(data, info))
        self._end(definition, [request], context)

    async def BidiStream(
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[Any]:
        first = await anext(request_iterator, None)
        if first is None:
            return
        definition, requests, said = first.response_definition, [first], 0
        if first.full_duplex:
            await self._begin(definition, context)
            for data in definition.response_data:
                if said:
                    more = await anext(request_iterator, None)
                    requests = [] if more is None else [more]
                await asyncio.sleep(definition.response_delay_ms / 1000)
                info = info_of(context, requests, whole=not said)
                yield service_pb2.BidiStreamResponse(payload=payload_of(data, info))
                said += 1
        else:
            requests += [request async for request in request_iterator]
            await self._begin(definition, context)
            for data in definition.response_data:
                await asyncio.sleep(definition.response_delay_ms / 1000)
                info = info_of(context, requests) if not said else None
                yield service_pb2.BidiStreamResponse(payload=payload_of(data, info))
                said += 1
        self._end(definition, requests, context)

    async def _begin(self, definition: Any, context: Any) -> None:
        context.set_trailing_metadata(metadata_of(definition.response_trailers))
        if definition.response_data or definition.response_headers:
            await context.send_initial_metadata(metadata_of(definition.response_headers))

    def _end(self, definition: Any, requests: list[Any], context: Any) -> None:
        if definition.HasField("error"):
            info = None if definition.response_data else info_of(context, requests)
            raise error_of(definition.error, info)


_NOTHING = service_pb2.UnaryResponseDefinition()


def options_of(wanted: Any) -> list[tuple[str, Any]]:
    options: list[tuple[str, Any]] = [("clarion.web", WebOptions())]
    if wanted.message_receive_limit:
        options.append(("grpc.max_receive_message_length", wanted.message_receive_limit))
    return options


def _listen(server: Any, wanted: Any) -> int:
    """Open the port that is wanted; returns its number."""
    address = f"{_HOST}:0"
    if not wanted.use_tls:
        return int(server.add_insecure_port(address))
    roots = wanted.client_tls_cert or None
    credentials = clarion.ssl_server_credentials(
        [(wanted.server_creds.key, wanted.server_creds.cert)],
        root_certificates=roots,
        require_client_auth=roots is not None,
    )
    return int(server.add_secure_port(address, credentials))


def _serve_sync(wanted: Any) -> None:
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    with futures.ThreadPoolExecutor(_THREADS) as pool:
        server = clarion.server(
            pool, options=options_of(wanted), compression=clarion.Compression.Gzip
        )
        service_pb2_grpc.add_ConformanceServiceServicer_to_server(SyncService(), server)
        port = _listen(server, wanted)
        server.start()
        delimited.say_where(wanted, _HOST, port)
        over.wait()
        server.stop(_GRACE_SECONDS).wait()


async def _serve_aio(wanted: Any) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    server = clarion.aio.server(options=options_of(wanted), compression=clarion.Compression.Gzip)
    service_pb2_grpc.add_ConformanceServiceServicer_to_server(AioService(), server)
    port = _listen(server, wanted)
    await server.start()
    delimited.say_where(wanted, _HOST, port)
    await over.wait()
    await server.stop(_GRACE_SECONDS)


def main() -> int:
    """Run the command line; return the exit status."""
    wanted = delimited.read(sys.stdin.buffer, server_compat_pb2.ServerCompatRequest)
    if wanted is None:
        return 0
    if sys.argv[1:] == ["aio"]:
        asyncio.run(_serve_aio(wanted))
    else:
        _serve_sync(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
