"""Method handlers with another behaviour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["wrap_server_method_handler"]

_Handler = TypeVar("_Handler")


def wrap_server_method_handler(
    wrapper: Callable[[Callable[..., Any]], Callable[..., Any]], handler: _Handler
) -> _Handler:
    """Put `wrapper` around the behaviour of a method handler; for server interceptors.

    Args:
        wrapper: takes the function that serves the method, returns the one to serve it with.
        handler: an `RpcMethodHandler`, or None.

    Returns:
        A copy of the handler with the other behaviour; None for None.
    """
    if not handler:
        return handler
    handled: Any = handler
    before = "stream" if handled.request_streaming else "unary"
    after = "stream" if handled.response_streaming else "unary"
    pattern = f"{before}_{after}"
    replaced: _Handler = handled._replace(**{pattern: wrapper(getattr(handled, pattern))})
    return replaced
