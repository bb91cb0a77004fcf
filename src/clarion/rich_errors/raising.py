"""How handlers end their calls with details: by an exception."""

from __future__ import annotations

from typing import Any

from clarion.rich_errors.sending import DEFAULT_MAX_SIZE, fitting, make_status
from clarion.status import Status, StatusCode

__all__ = ["StatusError"]


class StatusError(Exception, Status):
    """Raised in a handler, or in what it calls, to end the call with a status and details. It is not logged.

    It works on both front ends, in handlers of all patterns, and in interceptors of servers.

    Args:
        code: any status but OK.
        message: the status message.
        details: any number of a `Detail`, a protobuf message, or a `google.protobuf.Any`, the important ones first: those
            that do not fit are left out, from the last one on.
        max_size: how many bytes message and details may take, and what else the handler has of trailing metadata, as header
            lists are counted. What the client says that it takes is a limit, too.

    Raises:
        TypeError, ValueError: the status is OK or none, or a detail is none.
    """

    def __init__(
        self,
        code: StatusCode,
        message: str = "",
        *details: Any,
        max_size: int = DEFAULT_MAX_SIZE,
    ) -> None:
        if not isinstance(code, StatusCode):
            raise TypeError(f"the code is a StatusCode, not {code!r}")
        if code is StatusCode.OK:
            raise ValueError("an error cannot have the status OK")
        self.status = make_status(code, message, *details)
        self.code = code
        self.details = message
        self.error_details = details
        self._max_size = max_size
        super().__init__(code, message, *details)

    def __str__(self) -> str:
        return f"{self.code.name}: {self.details}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.code, self.details, self.error_details, self._max_size)

    def fit(self, size: int | None, beside: int = 0) -> tuple[tuple[str, bytes], ...]:
        """The trailing metadata, in so many bytes; None: in as many as it may take anyway.

        Args:
            size: what is left of what the client takes.
            beside: what other trailing metadata takes.
        """
        most = self._max_size - beside
        if size is not None:
            most = min(size, most)
        return fitting(self.status, most) if self.error_details else ()

    @property
    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """The same, for `abort_with_status`."""
        return self.fit(None)


def _again(code: StatusCode, message: str, details: tuple[Any, ...], max_size: int) -> StatusError:
    return StatusError(code, message, *details, max_size=max_size)
