"""What a client interceptor gets of a call, as an abstract class: both front ends' objects are of it."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

from clarion.credentials import CallCredentials
from clarion.method import Compression

__all__ = ["ClientCallDetails"]


class ClientCallDetails(abc.ABC):  # noqa: B024 - whoever implements it brings the attributes
    """What an interceptor may read and change of a call that is about to start.

    Those that interceptors get are named tuples, so `_replace` makes changed ones. An interceptor may pass on any
    object; attributes that it lacks stay as they were.

    Attributes:
        method: `/package.Service/Method`.
        timeout: seconds that the call may take, or None.
        metadata: `(key, value)` pairs, or None.
        credentials: call credentials, or None.
        wait_for_ready: wait through failures to connect; None leaves it to the channel.
        compression: overrides the channel's, or None.
    """

    if TYPE_CHECKING:
        # Variables and not properties, so that named tuples, data classes and plain classes can be one.
        method: str
        timeout: float | None
        metadata: Any
        credentials: CallCredentials | None
        wait_for_ready: bool | None
        compression: Compression | None
