"""What asyncio calls raise, and the marker at the end of a stream."""

from __future__ import annotations

import enum
from typing import Any, Final, Literal, final

from clarion.metadata import Metadata
from clarion.rpc_error import RpcError
from clarion.status import StatusCode

__all__ = [
    "EOF",
    "AbortError",
    "AioRpcError",
    "BaseError",
    "EOFType",
    "InternalError",
    "UsageError",
]


@final
class EOFType(enum.Enum):
    """The type of `EOF`: an enumeration of one, so that type checkers know what a message is not after a comparison."""

    EOF = "EOF"

    def __bool__(self) -> Literal[False]:
        return False

    def __len__(self) -> Literal[0]:
        return 0

    def __repr__(self) -> str:
        return "<clarion.aio.EOF>"

    __str__ = __repr__


EOF: Final = EOFType.EOF
"""What `read` returns when no message will follow."""


class BaseError(Exception):
    """The root of errors that are not the status of a call."""


class UsageError(BaseError):
    """The API was used against its rules."""


class AbortError(BaseError):
    """Raised by `ServicerContext.abort`, to leave the handler."""


class InternalError(BaseError):
    """Clarion is wrong; please report it."""


class AioRpcError(RpcError):
    """A call ended with a status other than OK.

    Args:
        code: the status.
        initial_metadata, trailing_metadata: what the server sent.
        details: the status message.
        debug_error_string: what happened, in more detail.
    """

    def __init__(
        self,
        code: StatusCode,
        initial_metadata: Any = None,
        trailing_metadata: Any = None,
        details: str | None = None,
        debug_error_string: str | None = None,
    ) -> None:
        super().__init__()
        self._code = code
        self._details = details
        self._initial_metadata = initial_metadata
        self._trailing_metadata = trailing_metadata
        self._debug_error_string = debug_error_string

    def code(self) -> StatusCode:
        """The status."""
        return self._code

    def details(self) -> str | None:
        """The status message."""
        return self._details

    def initial_metadata(self) -> Metadata:
        """The metadata before the response."""
        return Metadata.from_tuple(self._initial_metadata)

    def trailing_metadata(self) -> Metadata:
        """The metadata after the response."""
        return Metadata.from_tuple(self._trailing_metadata)

    def debug_error_string(self) -> str:
        """What happened, in more detail than `details`."""
        return self._debug_error_string or ""

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} of RPC that terminated with:\n"
            f"\tstatus = {self._code}\n"
            f'\tdetails = "{self._details}"\n'
            f'\tdebug_error_string = "{self._debug_error_string}"\n>'
        )

    def __str__(self) -> str:
        return self.__repr__()

    def __reduce__(self) -> tuple[type[AioRpcError], tuple[Any, ...]]:
        return (
            type(self),
            (
                self._code,
                self._initial_metadata,
                self._trailing_metadata,
                self._details,
                self._debug_error_string,
            ),
        )
