"""What single methods ask of their callers, by decorator.

The check is part of the method: it holds whichever interceptors the server has. Without one that authenticates,
nobody has an identity, and every call is refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, TypeVar

from clarion.auth.identities import Identity, identity
from clarion.status import StatusCode

__all__ = ["Requirement", "require", "strict", "unrestricted"]

Method = TypeVar("Method", bound=Callable[..., Any])

_MARK = "__clarion_requires__"
_BEHAVIORS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
_Refusal = tuple[StatusCode, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Requirement:
    """What a method asks of its callers.

    Attributes:
        scopes: all of these.
        roles: one of these, if there are any.
        check: whether an identity will do, besides.
    """

    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    check: Callable[[Identity], bool] | None = None

    def refusal(self, caller: Identity | None) -> _Refusal | None:
        """Why this caller may not call the method; None if it may."""
        if caller is None:
            return StatusCode.UNAUTHENTICATED, "the method needs an authenticated caller"
        lacking = sorted(self.scopes - caller.scopes)
        if lacking:
            return StatusCode.PERMISSION_DENIED, f"the caller lacks scope {', '.join(lacking)}"
        if self.roles and not self.roles & caller.roles:
            wanted = " or ".join(sorted(self.roles))
            return StatusCode.PERMISSION_DENIED, f"the caller lacks role {wanted}"
        if self.check is not None and self.check(caller) is not True:
            return StatusCode.PERMISSION_DENIED, "the caller may not call this method"
        return None


def require(
    *,
    scopes: str | Iterable[str] = (),
    role: str | Iterable[str] = (),
    check: Callable[[Identity], bool] | None = None,
) -> Callable[[Method], Method]:
    """Decorate a servicer's method so that only some callers may call it; sync and `async`, of all four patterns.

    Callers that nobody knows get UNAUTHENTICATED, those that lack something PERMISSION_DENIED. Decorators of one method
    hold together.

    Args:
        scopes: all of which the caller must have; `"read write"` is two.
        role: the role that the caller must have, or several of which one will do.
        check: called with the identity; only True lets the call pass. It must not block.

    Raises:
        TypeError: an argument is of the wrong type, or what is decorated is no method of a servicer.
    """
    requirement = Requirement(
        _words(scopes.split() if isinstance(scopes, str) else scopes, "scopes"),
        _words([role] if isinstance(role, str) else role, "role"),
        check,
    )
    if check is not None and not callable(check):
        raise TypeError("check must be callable")

    def decorate(method: Method) -> Method:
        _check_method(method)
        wrapped: Method = _wrap(method, requirement)
        setattr(wrapped, _MARK, (*getattr(method, _MARK, ()), requirement))
        return wrapped

    return decorate


def unrestricted(method: Method) -> Method:
    """Decorate a servicer's method that anybody may call, so that `strict` knows that this is meant."""
    _check_method(method)
    setattr(method, _MARK, getattr(method, _MARK, ()))
    return method


def strict(server: Any) -> Any:
    """A server that takes only methods that say who may call them: `add_X_to_server(servicer, strict(server))`.

    Args:
        server: of either front end.

    Returns:
        What stands for it. Adding a method with neither `require` nor `unrestricted` raises ValueError, which names it.
    """
    return _Strict(server)


def _words(values: Any, name: str) -> frozenset[str]:
    found = frozenset(values)
    if not all(isinstance(each, str) and each for each in found):
        raise TypeError(f"{name} must be texts that are not empty")
    return found


def _check_method(method: Any) -> None:
    if not inspect.isfunction(method):
        raise TypeError(
            f"a method of a servicer expected, not {type(method).__name__}; decorate each method"
        )
    try:
        inspect.signature(method).bind(None, None, None)
    except TypeError:
        try:
            inspect.signature(method).bind(None, None)
        except TypeError:
            raise TypeError(
                f"{method.__qualname__} does not take a request and a context as servicers' methods do"
            ) from None


def _wrap(method: Any, requirement: Requirement) -> Any:
    # Asyncio servers look at what kind of function a handler is, so each kind stays what it is.
    if inspect.isasyncgenfunction(method):

        @functools.wraps(method)
        async def generate(*arguments: Any) -> AsyncIterator[Any]:
            await _enforce_async(requirement, arguments[-1])
            async with contextlib.aclosing(method(*arguments)) as responses:
                async for response in responses:
                    yield response

        return generate
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def call(*arguments: Any) -> Any:
            await _enforce_async(requirement, arguments[-1])
            return await method(*arguments)

        return call

    @functools.wraps(method)
    def run(*arguments: Any) -> Any:
        context = arguments[-1]
        refusal = requirement.refusal(identity(context))
        if refusal is not None:
            context.abort(*refusal)
            raise AssertionError("abort returned")
        return method(*arguments)

    return run


async def _enforce_async(requirement: Requirement, context: Any) -> None:
    refusal = requirement.refusal(identity(context))
    if refusal is not None:
        await context.abort(*refusal)
        raise AssertionError("abort returned")


class _Strict:
    def __init__(self, server: Any) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[Any]) -> None:
        handlers = tuple(generic_rpc_handlers)
        for handler in handlers:
            methods = getattr(handler, "methods", None)
            if not isinstance(methods, Mapping):
                raise ValueError(
                    f"nobody can tell which methods {handler!r} has: add it to the server"
                )
            _check_marks(methods)
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Any]
    ) -> None:
        _check_marks({f"/{service_name}/{name}": each for name, each in method_handlers.items()})
        self._server.add_registered_method_handlers(service_name, method_handlers)


def _check_marks(methods: Mapping[str, Any]) -> None:
    open_ones = [path for path, handler in methods.items() if not _is_marked(handler)]
    if open_ones:
        raise ValueError(
            f"{', '.join(sorted(open_ones))}: no @clarion.auth.require says who may call it; "
            "where anybody may, say @clarion.auth.unrestricted"
        )


def _is_marked(handler: Any) -> bool:
    behavior = next(found for name in _BEHAVIORS if (found := getattr(handler, name)) is not None)
    # What nobody has written: it answers UNIMPLEMENTED.
    generated = getattr(behavior, "__module__", "").endswith("_pb2_grpc")
    return generated or hasattr(behavior, _MARK)
