"""The root of every exception that a call raises to an application."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clarion.status import StatusCode

__all__ = ["RpcError"]


class RpcError(Exception):
    """Raised when an RPC ended with a status other than OK.

    What a call raises tells its status by the methods that are declared here. As in grpcio, this class itself has none
    of them: applications that raise errors of their own bring theirs.
    """

    if TYPE_CHECKING:

        def code(self) -> StatusCode:
            """The status."""

        def details(self) -> str | None:
            """The status message."""

        def initial_metadata(self) -> Collection[tuple[str, str | bytes]]:
            """The metadata before the response."""

        def trailing_metadata(self) -> Collection[tuple[str, str | bytes]]:
            """The metadata after the response."""

        def debug_error_string(self) -> str:
            """What happened, in more detail than `details`."""
