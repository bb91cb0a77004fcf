"""Where a call with call credentials waits: first for a connection, then for its metadata.

A gate takes the channel's place in a call (`ClientCall.core`) until the metadata is there, and then steps aside. So
calls without call credentials know nothing of it, and both front ends start the others as they start any call.

Plugins are asked once there is a connection, as with grpcio: a token is not fetched for a server that is away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarion.client_core.channel import ChannelCore
from clarion.client_core.retry import Throttle
from clarion.client_core.runtime import Link, Runtime
from clarion.credentials.call import Sources, describe_call
from clarion.credentials.fetch import INSUFFICIENT, Fields, constant_fields, fetch
from clarion.protocol.metadata import metadata_size
from clarion.protocol.outcome import Outcome

if TYPE_CHECKING:
    from clarion.client_core.call import ClientCall, Start

__all__ = ["CredentialGate", "add_fields", "admit"]


def add_fields(start: Start, fields: Fields) -> Start:
    """`start` with more header fields."""
    return start._replace(fields=start.fields + fields, size=start.size + metadata_size(fields))


def admit(core: ChannelCore, start: Start, sources: Sources) -> tuple[Any, Start]:
    """What a call with call credentials starts with: its core, and its header fields.

    Args:
        core: the channel.
        start: what the call begins with otherwise.
        sources: its call credentials.
    """
    security = core.security
    if security is not None and security.takes_call_credentials:
        fields = constant_fields(sources)
        if fields is not None:
            return core, add_fields(start, fields)
    return CredentialGate(core, sources), start


class CredentialGate:
    """What stands between one call and its channel.

    Args:
        core: the channel.
        sources: the call's credentials.

    Attributes:
        link: none, for a call has to pass here first.
        calls: of no interest; see `ChannelCore`.
    """

    link = None
    only_asks = True
    calls = 0

    def find_link(self, call: ClientCall) -> None:
        """None, for the same reason."""

    def __init__(self, core: ChannelCore, sources: Sources) -> None:
        self.options = core.options
        core.calls += 1
        self._core = core
        self._sources = sources
        self._call: ClientCall | None = None
        self._asked = False

    # What the call takes for its channel

    @property
    def last_failure(self) -> str:
        """See `ChannelCore`."""
        return self._core.last_failure

    @property
    def node(self) -> Any:
        """See `ChannelCore`."""
        return self._core.node

    def recent_events(self) -> tuple[tuple[float, str], ...]:
        """See `ChannelCore`."""
        return self._core.recent_events()

    def awaited_by(self, call: ClientCall) -> str:
        """See `ChannelCore`."""
        if self._asked:
            return "the metadata of its call credentials"
        return self._core.awaited_by(self)

    @property
    def runtime(self) -> Runtime:
        """See `ChannelCore`."""
        return self._core.runtime

    @property
    def throttle(self) -> Throttle | None:
        """See `ChannelCore`."""
        return self._core.throttle

    def count_failure(self) -> None:
        """See `ChannelCore`."""
        self._core.count_failure()

    def retry_later(self, call: ClientCall, delay: float) -> None:
        """Let `call` try to pass again in `delay` seconds: there was no connection."""
        self._core.retry_later(self, delay)

    def wait(self, call: ClientCall) -> None:
        """Let `call` through when its metadata is there."""
        if call.outcome is None:
            self._call = call
            self._core.wait(self)

    def forget(self, call: ClientCall) -> None:
        """`call` no longer waits."""
        if self._call is not None:
            self._core.forget(self)

    # Pending

    @property
    def wait_for_ready(self) -> bool:
        """See `Pending`."""
        assert self._call is not None
        return self._call.wait_for_ready

    @property
    def outcome(self) -> Outcome | None:
        """See `Pending`."""
        assert self._call is not None
        return self._call.outcome

    @property
    def call(self) -> ClientCall:
        """See `Pending`."""
        assert self._call is not None
        return self._call

    def link_failed(self, outcome: Outcome) -> None:
        """There will be no connection."""
        assert self._call is not None
        self._call.link_failed(outcome)

    def link_available(self, link: Link) -> None:
        """There is a connection: ask for the metadata."""
        call = self._call
        assert call is not None
        security = self._core.security
        if security is None or not security.takes_call_credentials:
            call.link_failed(INSUFFICIENT)
            return
        head = dict(call.start.fields)
        description = describe_call(
            security.encrypted, head[b":authority"].decode(), head[b":path"].decode()
        )
        self._asked = True
        self._core.hold(self)
        runtime = self._core.runtime
        fetch(
            self._sources,
            description,
            runtime.apart,
            lambda answer: runtime.post_from_thread(lambda: self._answered(answer)),
        )

    def _answered(self, answer: Fields | Outcome) -> None:
        call = self._call
        assert call is not None
        if not self._core.release(self) or call.outcome is not None:
            return
        if isinstance(answer, Outcome):
            call.link_failed(answer)
        else:
            call.start = add_fields(call.start, answer)
            call.core = self._core
            self._core.wait(call)
