"""Requests are checked against the rules in their .proto files (protovalidate) before handlers see them.

A request that breaks a rule ends its call with INVALID_ARGUMENT, and a `BadRequest` with one violation for each field. It
is the same for all four patterns; a stream of requests is checked message by message, as the handler takes them.

The rules are those of buf/validate/validate.proto; the package `protovalidate` (PyPI) applies them. It is in the extra
`validation`, and is imported when the first interceptor is made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from clarion.rich_errors import BadRequest, FieldViolation, StatusError
from clarion.rpc_error import RpcError
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.interceptors import CallInterceptor, ServedCall
    from clarion.interceptors.aio import CallInterceptor as AioCallInterceptor

__all__ = [
    "InvalidRequest",
    "aio_client_interceptors",
    "aio_interceptor",
    "client_interceptor",
    "interceptor",
    "violations",
]

_MISSING = (
    "clarion.validation needs the package protovalidate; install it with"
    " `pip install 'clarion-rpc[validation]'`"
)
_MOST_TOLD = 3
_LONGEST_TOLD = 300
# How many bytes all violations may have: with more of them the detail would not fit into trailers.
_MOST_VIOLATIONS = 4096


class InvalidRequest(RpcError):
    """A client's request breaks rules; it was not sent.

    It answers what the error of a server that checks would: `clarion.rich_errors.error_details(error)` are the violations.
    """

    def __init__(self, status: StatusError) -> None:
        super().__init__(str(status))
        self._status = status

    def code(self) -> StatusCode:
        """INVALID_ARGUMENT."""
        return self._status.code

    def details(self) -> str:
        """What is wrong, in short."""
        return self._status.details

    def initial_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Empty: no server was asked."""
        return ()

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """What carries the violations."""
        return self._status.trailing_metadata

    def debug_error_string(self) -> str:
        """What is wrong, in short."""
        return f"{self._status}, found before the request was sent"


def _collector() -> Callable[[Any], Iterable[Any]]:
    try:
        from protovalidate import collect_violations
    except ImportError as error:
        raise ImportError(_MISSING, name="protovalidate") from error
    collect: Callable[[Any], Iterable[Any]] = collect_violations
    return collect


def violations(message: Any) -> list[FieldViolation]:
    """What is wrong with a message.

    Args:
        message: a protobuf message.

    Returns:
        A violation for each rule that is broken: the path of the field, what is wrong, and the rule's name.

    Raises:
        ImportError: protovalidate is not installed.
        protovalidate.CompilationError: a rule cannot be understood.
    """
    return _violations(_collector(), message)


def _violations(collect: Callable[[Any], Iterable[Any]], message: Any) -> list[FieldViolation]:
    if not hasattr(message, "DESCRIPTOR"):
        # Bytes, or a message of another library.
        return []
    found = []
    for violation in collect(message):
        proto = violation.proto
        found.append(
            FieldViolation(_path(proto.field), proto.message or proto.rule_id, proto.rule_id)
        )
    return found


def _path(field: Any) -> str:
    """`book.authors[2].name`, and `prices["today"]`."""
    text = ""
    for element in field.elements if field is not None else ():
        text += f".{element.field_name}" if text else element.field_name
        subscript = _subscript(element)
        if subscript is not None:
            text += f"[{subscript}]"
    return text


def _subscript(element: Any) -> str | None:
    if hasattr(element, "WhichOneof"):
        # Releases before 2.0 give messages of google.protobuf.
        which = element.WhichOneof("subscript")
        value = None if which is None else getattr(element, which)
    else:
        value = None if element.subscript is None else element.subscript.value
    if value is None:
        return None
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(collect: Callable[[Any], Iterable[Any]], message: Any) -> None:
    found = _violations(collect, message)
    if found:
        told = "; ".join(
            f"{each.field}: {each.description}" if each.field else each.description
            for each in found[:_MOST_TOLD]
        )
        if len(found) > _MOST_TOLD:
            told += f"; and {len(found) - _MOST_TOLD} more"
        if len(told) > _LONGEST_TOLD:
            # Keys of maps, which clients choose, are in it.
            told = told[:_LONGEST_TOLD] + "..."
        raise StatusError(StatusCode.INVALID_ARGUMENT, told, BadRequest(_first(found)))


def _first(found: list[FieldViolation]) -> list[FieldViolation]:
    """As many violations as fit into trailers."""
    left = _MOST_VIOLATIONS
    kept = []
    for each in found:
        texts = each.field, each.description, each.reason
        # And some bytes of protobuf's own.
        left -= sum(len(text.encode()) for text in texts) + 16
        if left < 0:
            break
        kept.append(each)
    return kept


# Servers


def interceptor() -> CallInterceptor:
    """An interceptor for `clarion.server` that checks requests.

    Raises:
        ImportError: protovalidate is not installed.
    """
    from clarion.interceptors import CallInterceptor

    collect = _collector()

    def checked(requests: Iterator[Any]) -> Iterator[Any]:
        for request in requests:
            _check(collect, request)
            yield request

    class Interceptor(CallInterceptor):
        def intercept(
            self, call: ServedCall, requests: Iterator[Any], proceed: Any
        ) -> Iterator[Any]:
            responses: Iterator[Any] = proceed(checked(requests))
            return responses

    return Interceptor()


def aio_interceptor() -> AioCallInterceptor:
    """The same for `clarion.aio.server`."""
    from clarion.interceptors.aio import CallInterceptor

    collect = _collector()

    async def checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            _check(collect, request)
            yield request

    class Interceptor(CallInterceptor):
        def intercept(
            self, call: ServedCall, requests: AsyncIterator[Any], proceed: Any
        ) -> AsyncIterator[Any]:
            responses: AsyncIterator[Any] = proceed(checked(requests))
            return responses

    return Interceptor()


# Clients


def client_interceptor() -> Any:
    """An interceptor for `clarion.intercept_channel` that checks requests before they are sent.

    A call whose one request is invalid raises `InvalidRequest` and does not begin. In a stream of requests an invalid one
    ends the call, as anything does that the iterator of requests raises.

    Raises:
        ImportError: protovalidate is not installed.
    """
    from clarion.sync import interceptor_interface as kinds

    collect = _collector()

    def one(continuation: Any, details: Any, request: Any) -> Any:
        _check_before(collect, request)
        return continuation(details, request)

    def checked(requests: Iterator[Any]) -> Iterator[Any]:
        for request in requests:
            _check_before(collect, request)
            yield request

    def several(continuation: Any, details: Any, requests: Any) -> Any:
        return continuation(details, checked(requests))

    class Interceptor(
        kinds.UnaryUnaryClientInterceptor[Any, Any],
        kinds.UnaryStreamClientInterceptor[Any, Any],
        kinds.StreamUnaryClientInterceptor[Any, Any],
        kinds.StreamStreamClientInterceptor[Any, Any],
    ):
        intercept_unary_unary: Any = staticmethod(one)
        intercept_unary_stream: Any = staticmethod(one)
        intercept_stream_unary: Any = staticmethod(several)
        intercept_stream_stream: Any = staticmethod(several)

    return Interceptor()


def aio_client_interceptors() -> list[Any]:
    """The same for `clarion.aio.insecure_channel(interceptors=...)`: one interceptor for each pattern.

    In a stream of requests only those are checked that come from an iterator; not those of `write`.
    """
    from clarion.aio import interceptors as kinds

    collect = _collector()

    async def one(continuation: Any, details: Any, request: Any) -> Any:
        _check_before(collect, request)
        return await continuation(details, request)

    async def checked(requests: Any) -> AsyncIterator[Any]:
        if hasattr(requests, "__aiter__"):
            async for request in requests:
                _check_before(collect, request)
                yield request
        else:
            for request in requests:
                _check_before(collect, request)
                yield request

    async def several(continuation: Any, details: Any, requests: Any) -> Any:
        return await continuation(details, None if requests is None else checked(requests))

    class UnaryUnary(kinds.UnaryUnaryClientInterceptor[Any, Any]):
        intercept_unary_unary: Any = staticmethod(one)

    class UnaryStream(kinds.UnaryStreamClientInterceptor[Any, Any]):
        intercept_unary_stream: Any = staticmethod(one)

    class StreamUnary(kinds.StreamUnaryClientInterceptor[Any, Any]):
        intercept_stream_unary: Any = staticmethod(several)

    class StreamStream(kinds.StreamStreamClientInterceptor[Any, Any]):
        intercept_stream_stream: Any = staticmethod(several)

    return [UnaryUnary(), UnaryStream(), StreamUnary(), StreamStream()]


def _check_before(collect: Callable[[Any], Iterable[Any]], request: Any) -> None:
    try:
        _check(collect, request)
    except StatusError as status:
        raise InvalidRequest(status) from None
