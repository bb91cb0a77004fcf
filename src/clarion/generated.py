"""What generated `NAME_pb2_grpc` modules, and their types, need of Clarion besides the public API.

Rules:

- Names here stay, with the meaning they have: code that was generated once works with every later Clarion.
- Programs do not use this module; generated code loads it when it is needed, at the first stub, not before.
- What exists for type checkers alone is made for them alone.
"""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import clarion

__all__ = ["deprecated_callable", "further_class", "is_async", "warn_deprecated"]


def is_async(channel: object) -> bool:
    """Tell whether `channel` is a `clarion.aio.Channel`. That module is not loaded for it."""
    aio = sys.modules.get("clarion.aio")
    return aio is not None and isinstance(channel, aio.Channel)


def warn_deprecated(message: str, channel: object) -> None:
    """Warn with `DeprecationWarning` at the line that makes a stub on `channel`; its constructor calls this."""
    if not isinstance(channel, _Methods):
        warnings.warn(message, DeprecationWarning, stacklevel=3)


def deprecated_callable(callable: Any, message: str) -> Any:
    """Return `callable`, a stub's multi-callable of either front end, so that each call through it warns.

    Args:
        callable: passes for what is returned: attributes, `isinstance`, errors and results are its own.
        message: the text of the `DeprecationWarning`. It points at the line that makes the call.
    """
    return _Deprecated(callable, message)


def further_class(module: dict[str, Any], name: str, kind: str, base: str) -> Any:
    """Return a class of a generated module that few programs use; the first time, make it.

    Args:
        module: the globals of the module.
        name: of the class.
        kind: `async_stub`, `sync_servicer`, `async_servicer` or `static`.
        base: the name of the stub or servicer that it is made from.
    """
    made = module.get(name)
    if made is None:
        namespace = {"__module__": module["__name__"], "__qualname__": name}
        # Of two threads that make it at a time, one is first.
        made = module.setdefault(name, _MAKERS[kind](name, module[base], namespace))
    return made


def _async_stub(name: str, stub: type, namespace: dict[str, Any]) -> type:
    namespace["__doc__"] = f"What `{stub.__name__}` makes of a clarion.aio.Channel."
    return type(name, (stub,), namespace)


def _sync_servicer(name: str, servicer: type, namespace: dict[str, Any]) -> type:
    about = (
        f"`{servicer.__name__}` with the types of a sync server: its methods are plain functions."
    )
    namespace["__doc__"] = about
    return type(name, (servicer,), namespace)


def _async_servicer(name: str, servicer: type, namespace: dict[str, Any]) -> type:
    about = f"`{servicer.__name__}` with the types of an asyncio server: its methods are async."
    namespace["__doc__"] = about
    for attribute, value in vars(servicer).items():
        if inspect.isfunction(value):
            namespace[attribute] = _as_async(value)
    return type(name, (servicer,), namespace)


def _as_async(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def run(self: Any, request: Any, context: Any) -> Any:
        return method(self, request, context)

    return run


def _static(name: str, stub: Any, namespace: dict[str, Any]) -> type:
    namespace["__doc__"] = (
        f"The calls of `{stub.__name__}` without a channel of one's own; see clarion.experimental."
    )
    for attribute, value in vars(stub(_Methods())).items():
        function = _static_function(value)
        function.__name__ = attribute
        function.__qualname__ = f"{name}.{attribute}"
        function.__module__ = namespace["__module__"]
        namespace[attribute] = staticmethod(function)
    return type(name, (), namespace)


_MAKERS: dict[str, Callable[[str, Any, dict[str, Any]], type]] = {
    "async_stub": _async_stub,
    "sync_servicer": _sync_servicer,
    "async_servicer": _async_servicer,
    "static": _static,
}


class _Method(NamedTuple):
    """What a stub asks a channel for."""

    pattern: str
    path: str
    serializer: Any
    deserializer: Any


class _Methods:
    """A channel, for a stub, that tells what the stub asks for."""

    def __getattr__(self, pattern: str) -> Callable[..., _Method]:
        def multi_callable(
            path: str, *, request_serializer: Any, response_deserializer: Any, **more: Any
        ) -> _Method:
            return _Method(pattern, path, request_serializer, response_deserializer)

        return multi_callable


def _static_function(method: Any) -> Any:
    """The function that calls a method, or one that is deprecated; its parameters are grpcio-tools'."""
    message = ""
    if type(method) is _Deprecated:
        method, message = method._callable, method._message
    pattern, *what = method

    def call(request: Any, target: Any, *options: Any) -> Any:
        if message:
            warnings.warn(message, DeprecationWarning, stacklevel=3)
        experiment = getattr(clarion.experimental, pattern)
        return experiment(request, target, *what, *options, _registered_method=True)

    def with_request(
        request: Any,
        target: Any,
        options: Any = (),
        channel_credentials: Any = None,
        call_credentials: Any = None,
        insecure: Any = False,
        compression: Any = None,
        wait_for_ready: Any = None,
        timeout: Any = None,
        metadata: Any = None,
    ) -> Any:
        return call(
            request,
            target,
            options,
            channel_credentials,
            insecure,
            call_credentials,
            compression,
            wait_for_ready,
            timeout,
            metadata,
        )

    def with_request_iterator(
        request_iterator: Any,
        target: Any,
        options: Any = (),
        channel_credentials: Any = None,
        call_credentials: Any = None,
        insecure: Any = False,
        compression: Any = None,
        wait_for_ready: Any = None,
        timeout: Any = None,
        metadata: Any = None,
    ) -> Any:
        return call(
            request_iterator,
            target,
            options,
            channel_credentials,
            insecure,
            call_credentials,
            compression,
            wait_for_ready,
            timeout,
            metadata,
        )

    return with_request_iterator if pattern.startswith("stream") else with_request


class _Deprecated:
    __slots__ = ("__weakref__", "_callable", "_message")

    def __init__(self, callable: Any, message: str) -> None:
        self._callable = callable
        self._message = message

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        warnings.warn(self._message, DeprecationWarning, stacklevel=2)
        return self._callable(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._callable, name)
        if name in ("future", "with_call"):
            return _Deprecated(value, self._message)
        return value

    def __repr__(self) -> str:
        return repr(self._callable)

    if not TYPE_CHECKING:

        @property
        def __class__(self) -> type:
            return type(self._callable)


if TYPE_CHECKING:
    from abc import ABCMeta
    from collections.abc import AsyncIterator, Iterator, Sequence
    from typing import Protocol, TypeVar, type_check_only

    from clarion import aio

    _Message = TypeVar("_Message")
    _Request = TypeVar("_Request", contravariant=True)
    _Response = TypeVar("_Response", covariant=True)

    @type_check_only
    class Stub:
        """The constructor of a stub. Stubs say by `__new__` what they are on which channel."""

        def __init__(self, channel: clarion.Channel | aio.Channel) -> None: ...

    @type_check_only
    class Requests(Iterator[_Message], AsyncIterator[_Message], metaclass=ABCMeta):
        """A stream of requests for a method that may serve either front end, and takes one kind of iterator."""

    @type_check_only
    class Context(clarion.ServicerContext, aio.ServicerContext):  # type: ignore[misc]
        """The context of a method that may serve either front end, and takes one kind of context."""

    @type_check_only
    class UnaryUnary(Protocol[_Request, _Response]):
        """A static method that calls by `clarion.experimental.unary_unary`, and so on with the others."""

        def __call__(
            self,
            request: _Request,
            target: str,
            options: Sequence[tuple[str, Any]] = (),
            channel_credentials: clarion.ChannelCredentials | None = None,
            call_credentials: clarion.CallCredentials | None = None,
            insecure: bool = False,
            compression: clarion.Compression | None = None,
            wait_for_ready: bool | None = None,
            timeout: float | None = None,
            metadata: Sequence[tuple[str, str | bytes]] | None = None,
        ) -> _Response: ...

    @type_check_only
    class UnaryStream(Protocol[_Request, _Response]):
        def __call__(
            self,
            request: _Request,
            target: str,
            options: Sequence[tuple[str, Any]] = (),
            channel_credentials: clarion.ChannelCredentials | None = None,
            call_credentials: clarion.CallCredentials | None = None,
            insecure: bool = False,
            compression: clarion.Compression | None = None,
            wait_for_ready: bool | None = None,
            timeout: float | None = None,
            metadata: Sequence[tuple[str, str | bytes]] | None = None,
        ) -> clarion.CallIterator[_Response]: ...

    @type_check_only
    class StreamUnary(Protocol[_Request, _Response]):
        def __call__(
            self,
            request_iterator: Iterator[_Request],
            target: str,
            options: Sequence[tuple[str, Any]] = (),
            channel_credentials: clarion.ChannelCredentials | None = None,
            call_credentials: clarion.CallCredentials | None = None,
            insecure: bool = False,
            compression: clarion.Compression | None = None,
            wait_for_ready: bool | None = None,
            timeout: float | None = None,
            metadata: Sequence[tuple[str, str | bytes]] | None = None,
        ) -> _Response: ...

    @type_check_only
    class StreamStream(Protocol[_Request, _Response]):
        def __call__(
            self,
            request_iterator: Iterator[_Request],
            target: str,
            options: Sequence[tuple[str, Any]] = (),
            channel_credentials: clarion.ChannelCredentials | None = None,
            call_credentials: clarion.CallCredentials | None = None,
            insecure: bool = False,
            compression: clarion.Compression | None = None,
            wait_for_ready: bool | None = None,
            timeout: float | None = None,
            metadata: Sequence[tuple[str, str | bytes]] | None = None,
        ) -> clarion.CallIterator[_Response]: ...
