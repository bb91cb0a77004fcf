"""A server that echoes and a channel to it, for tests of the sync front end's interceptors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

from support.libraries import LIMIT, PATTERNS
from support.servers import end_pool

__all__ = ["PATH", "STYLES", "Log", "Rig", "every_kind", "expected", "handlers", "invoke", "styles"]

PATH = "/test.Echo/"
Log = list[Any]


class Rig:
    """A server that echoes for each pattern, and a channel to it."""

    def __init__(self, grpc: Any, interceptors: Any = None, **options: Any) -> None:
        self.grpc = grpc
        self.pool = futures.ThreadPoolExecutor(8)
        self.server = grpc.server(
            self.pool,
            handlers=[grpc.method_handlers_generic_handler("test.Echo", handlers(grpc))],
            interceptors=interceptors,
            **options,
        )
        port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def intercept(self, *interceptors: Any) -> Any:
        return self.grpc.intercept_channel(self.channel, *interceptors)

    def close(self) -> None:
        self.channel.close()
        assert self.server.stop(None).wait(LIMIT)
        end_pool(self.pool)


def handlers(grpc: Any) -> dict[str, Any]:
    def one(request: bytes, context: Any) -> bytes:
        time = "more" if (context.time_remaining() or 0) > 2 * LIMIT else "less"
        context.set_trailing_metadata((("side", "server"), ("time", time)))
        context.send_initial_metadata((("seen", seen(context)),))
        if request == b"fail":
            context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")
        return request

    def many(request: bytes, context: Any) -> Iterator[bytes]:
        context.set_trailing_metadata((("side", "server"),))
        context.send_initial_metadata((("seen", seen(context)),))
        for _ in range(3):
            yield request
        if request == b"fail":
            context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")

    def join(requests: Iterator[bytes], context: Any) -> bytes:
        return one(b"".join(requests), context)

    def each(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        context.set_trailing_metadata((("side", "server"),))
        context.send_initial_metadata((("seen", seen(context)),))
        for request in requests:
            if request == b"fail":
                context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")
            yield request

    def seen(context: Any) -> str:
        return ",".join(value for key, value in context.invocation_metadata() if key == "tag")

    behaviors: dict[str, Callable[..., Any]] = dict(
        zip(PATTERNS, (one, many, join, each), strict=True)
    )
    return {
        pattern: getattr(grpc, f"{pattern}_rpc_method_handler")(behavior)
        for pattern, behavior in behaviors.items()
    }


STYLES = [
    ("unary_unary", "call"),
    ("unary_unary", "with_call"),
    ("unary_unary", "future"),
    ("unary_stream", "call"),
    ("stream_unary", "call"),
    ("stream_unary", "with_call"),
    ("stream_unary", "future"),
    ("stream_stream", "call"),
]
styles = pytest.mark.parametrize(("pattern", "style"), STYLES)


def invoke(channel: Any, pattern: str, style: str, *requests: bytes, **options: Any) -> list[bytes]:
    """All responses of a call, of the method named `method` if that is not the pattern's."""
    method = getattr(channel, pattern)(PATH + options.pop("method", pattern))
    argument: Any = iter(requests) if pattern.startswith("stream") else requests[0]
    options.setdefault("timeout", LIMIT)
    if style == "with_call":
        response, _call = method.with_call(argument, **options)
        return [response]
    if style == "future":
        return [method.future(argument, **options).result(LIMIT)]
    result = method(argument, **options)
    return list(result) if pattern.endswith("stream") else [result]


def expected(pattern: str) -> list[bytes]:
    return [b"x", b"x", b"x"] if pattern == "unary_stream" else [b"x"]


def every_kind(grpc: Any, intercept: Callable[[Any, Any, Any], Any], log: Log | None = None) -> Any:
    """One object that intercepts all four kinds with the same function."""

    class Interceptor(
        grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
        grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
        grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]
        grpc.StreamStreamClientInterceptor,  # type: ignore[misc]
    ):
        def _of(self, kind: str, continuation: Any, details: Any, request: Any) -> Any:
            if log is not None:
                log.append(kind)
            return intercept(continuation, details, request)

        def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            return self._of("unary_unary", continuation, details, request)

        def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
            return self._of("unary_stream", continuation, details, request)

        def intercept_stream_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            return self._of("stream_unary", continuation, details, request)

        def intercept_stream_stream(self, continuation: Any, details: Any, request: Any) -> Any:
            return self._of("stream_stream", continuation, details, request)

    return Interceptor()
