"""The interop test server: connectrpc's ASGI application under hypercorn, with HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from connectrpc.code import Code
from connectrpc.compat import google_protobuf_codecs
from connectrpc.errors import ConnectError
from connectrpc.server import ConnectASGIApplication, Endpoint
from contract import INITIAL, TRAILING, Contract, flags
from hypercorn.asyncio import serve
from hypercorn.config import Config

GIVEN = flags()
CONTRACT = Contract(GIVEN.descriptors)
MESSAGE, PAYLOAD, METHOD = CONTRACT.message, CONTRACT.payload, CONTRACT.method
ENCODINGS = ("grpc-encoding", "connect-content-encoding", "content-encoding")
CODES = dict(enumerate(Code, 1))
cached: dict[bytes, bytes] = {}


def echo(context: Any) -> None:
    headers = context.request_headers
    if (value := headers.get(INITIAL)) is not None:
        context.response_headers[INITIAL] = value
    if (value := headers.get(TRAILING)) is not None:
        context.response_trailers[TRAILING] = value


def check(request: Any, context: Any) -> None:
    """The library does not say of a message whether it came compressed; the headers say whether it may have been."""
    fields = request.DESCRIPTOR.fields_by_name
    if "response_status" in fields and request.response_status.code:
        status = request.response_status
        raise ConnectError(CODES[status.code], status.message)
    if "expect_compressed" in fields and request.expect_compressed.value:
        headers = context.request_headers
        if all(headers.get(name, "identity") == "identity" for name in ENCODINGS):
            raise ConnectError(Code.INVALID_ARGUMENT, "the request was expected to be compressed")


async def respond(request: Any) -> AsyncIterator[Any]:
    for each in request.response_parameters:
        await asyncio.sleep(each.interval_us / 1e6)
        yield MESSAGE("StreamingOutputCallResponse")(payload=PAYLOAD(each.size))


async def empty_call(request: Any, context: Any) -> Any:
    return MESSAGE("Empty")()


async def unary_call(request: Any, context: Any) -> Any:
    echo(context)
    check(request, context)
    return MESSAGE("SimpleResponse")(payload=PAYLOAD(request.response_size))


async def cacheable_unary_call(request: Any, context: Any) -> Any:
    context.response_headers["cache-control"] = "max-age=60, public"
    body = cached.setdefault(request.payload.body, str(time.time_ns()).encode())
    return MESSAGE("SimpleResponse")(payload=MESSAGE("Payload")(body=body))


async def streaming_output_call(request: Any, context: Any) -> AsyncIterator[Any]:
    check(request, context)
    async for response in respond(request):
        yield response


async def streaming_input_call(requests: AsyncIterator[Any], context: Any) -> Any:
    size = 0
    async for request in requests:
        check(request, context)
        size += len(request.payload.body)
    return MESSAGE("StreamingInputCallResponse")(aggregated_payload_size=size)


async def full_duplex_call(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
    echo(context)
    async for request in requests:
        check(request, context)
        async for response in respond(request):
            yield response


async def half_duplex_call(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
    for request in [request async for request in requests]:
        async for response in respond(request):
            yield response


HANDLERS: Mapping[str, tuple[Any, Any]] = {
    "EmptyCall": (Endpoint.unary, empty_call),
    "UnaryCall": (Endpoint.unary, unary_call),
    "CacheableUnaryCall": (Endpoint.unary, cacheable_unary_call),
    "StreamingOutputCall": (Endpoint.server_stream, streaming_output_call),
    "StreamingInputCall": (Endpoint.client_stream, streaming_input_call),
    "FullDuplexCall": (Endpoint.bidi_stream, full_duplex_call),
    "HalfDuplexCall": (Endpoint.bidi_stream, half_duplex_call),
}


class Application(ConnectASGIApplication[None]):
    path = "/grpc.testing.TestService"


def endpoints(service: None) -> dict[str, Any]:
    return {
        f"{Application.path}/{name}": make(method=METHOD(name), function=function)
        for name, (make, function) in HANDLERS.items()
    }


async def main() -> None:
    application = Application(
        service=None, endpoints=endpoints, codecs=google_protobuf_codecs(), read_max_bytes=1 << 24
    )
    config = Config()
    config.bind = [f"localhost:{GIVEN.port}"]
    config.accesslog = None
    # Clients keep their connections; nobody waits for these.
    config.graceful_timeout = 0.2
    if GIVEN.use_tls == "true":
        config.certfile = str(GIVEN.certificates / "server1.pem")
        config.keyfile = str(GIVEN.certificates / "server1.key")
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    await serve(application, config, shutdown_trigger=end.wait)  # type: ignore[arg-type]


if __name__ == "__main__":
    asyncio.run(main())
