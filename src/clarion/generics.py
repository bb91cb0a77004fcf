"""What makes public classes generic for type checkers, at no cost to programs that run.

Rules:

- **Every type variable has a default**, so that a class may be named without types, as in grpcio's documentation
  (`context: grpc.aio.ServicerContext`), under the strictest checks too. Python before 3.13 cannot express defaults;
  type checkers, which read the first branch, can on every version.
- **At run time `Generic` is not `typing.Generic`** but a class that can be subscribed, because grpcio's classes are not
  generic: `class Retry(Generic[T], grpc.UnaryUnaryClientInterceptor)` has no method resolution order if that is below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["Generic", "In", "Out", "Request", "RequestIn", "Response", "ResponseOut"]

if TYPE_CHECKING:
    from typing import Generic

    # Every type checker brings it; it need not be installed.
    from typing_extensions import TypeVar

    Request = TypeVar("Request", default=Any)
    Response = TypeVar("Response", default=Any)
    RequestIn = TypeVar("RequestIn", contravariant=True, default=Any)
    ResponseOut = TypeVar("ResponseOut", covariant=True, default=Any)
    # Of functions: what is sent and received without a serializer is bytes.
    Out = TypeVar("Out", default=bytes)
    In = TypeVar("In", default=bytes)
else:
    from types import GenericAlias
    from typing import TypeVar

    class Generic:
        """A base class that takes the types of its subclasses in brackets, and forgets them."""

        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)

    Request = TypeVar("Request")
    Response = TypeVar("Response")
    RequestIn = TypeVar("RequestIn", contravariant=True)
    ResponseOut = TypeVar("ResponseOut", covariant=True)
    Out = TypeVar("Out")
    In = TypeVar("In")
