"""Calls that a channel makes on its own account: a stream of responses about one server, on its connection.

Health checks (gRFC A17) and out-of-band load reports (gRFC A51) are such. The rules that both have in common:

- The call begins with the connection, and ends with it. Nobody waits for it.
- When the server ends it, it is begun again: at once if there was a response, else with backoff. UNIMPLEMENTED is final
  for this connection.
- It does not count as use of the channel, and does not keep a connection open that is to be closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from clarion.client_core.runtime import Link, Timer
from clarion.credentials.call import describe_call
from clarion.credentials.fetch import INSUFFICIENT, Fields, fetch
from clarion.method import Compression
from clarion.protocol.client_stream import ClientStream
from clarion.protocol.framing import prefix
from clarion.protocol.messages import UnpackFailed
from clarion.protocol.outcome import Metadata, Outcome
from clarion.resolver.backoff import Backoff
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.client_core.channel import ChannelCore

__all__ = ["Receiver", "SubchannelCall"]

_NOT_WANTED = Outcome(StatusCode.CANCELLED, "the channel does not need it any more")


class Receiver(Protocol):
    """Who hears of a call; on the runtime."""

    def began(self) -> None:
        """The call was begun, perhaps again."""

    def received(self, message: bytes) -> None:
        """A response came."""

    def failed(self, outcome: Outcome) -> None:
        """The server, or what is between, ended it. It will be begun again."""

    def unimplemented(self, outcome: Outcome) -> None:
        """The server does not know the method. It will not be begun again on this connection."""


class SubchannelCall:
    """One call, and the next when that is over.

    Args:
        core: the channel.
        path: the method.
        request: its request.
        receiver: who hears of it.

    Attributes:
        link: the connection it is for, or None.
        stream: the call, while there is one.
        work: what it added to `Connection.work` of the link.
    """

    def __init__(self, core: ChannelCore, path: str, request: bytes, receiver: Receiver) -> None:
        self.link: Link | None = None
        self.stream: _Stream | None = None
        self.work = 0
        self._core = core
        self._path = path
        self._request = request
        self._receiver = receiver
        options = core.options
        self._backoff = Backoff(options.initial_backoff, options.max_backoff, core.runtime.random)
        self._heard = False
        self._timer: Timer | None = None
        # Numbers what is begun, so that a late answer of a credentials plugin is told from a current one.
        self._number = 0

    def start(self, link: Link) -> None:
        """Begin it on `link`; it is on none now."""
        self.link = link
        self.work = 0
        self._backoff.reset()
        self._core.own_calls.add(self)
        self._begin()

    def stop(self) -> None:
        """End it."""
        self._number += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        link, self.link = self.link, None
        stream, self.stream = self.stream, None
        self._core.own_calls.discard(self)
        if link is not None and stream is not None:
            with link.lock:
                stream.end(_NOT_WANTED)
                link.flush_soon()

    def _begin(self) -> None:
        self._timer = None
        self._number += 1
        self._heard = False
        self._receiver.began()
        core = self._core
        if self.link is None:
            # The receiver wants it no more.
            return
        if not core.sources:
            self._open(())
        elif core.security is None or not core.security.takes_call_credentials:
            self._over(INSUFFICIENT)
        else:
            authority = core.options.authority or core.target.authority
            description = describe_call(core.security.encrypted, authority, self._path)
            runtime, number = core.runtime, self._number
            fetch(
                core.sources,
                description,
                runtime.apart,
                lambda answer: runtime.post_from_thread(lambda: self._answered(number, answer)),
            )

    def _answered(self, number: int, answer: Fields | Outcome) -> None:
        if number != self._number:
            return
        if isinstance(answer, Outcome):
            self._over(answer)
        else:
            self._open(answer)

    def _open(self, credentials: Fields) -> None:
        # Not at the top, where it would be a cycle.
        from clarion.client_core.invocation import Method

        core, link = self._core, self.link
        assert link is not None
        options = core.options
        method = Method(self._path, core.target, options, Compression.NoCompression, None, None)
        fields = method.start(0.0, None, None, None, None).fields + credentials
        with link.lock:
            connection = link.connection
            if connection.can_open:
                stream = self.stream = _Stream(self, link)
                connection.open_stream(
                    stream,
                    connection.encoder.encode(fields),
                    prefix(len(self._request), False),
                    self._request,
                    end_stream=True,
                )
                self.work += 1
                connection.own_streams += 1
                link.leave_unattended()
                link.flush_soon()
                return
        # All streams are taken; or the connection is over, and the subchannel hears of that next.
        self._again()

    def _again(self) -> None:
        self._timer = self._core.runtime.call_later(self._backoff.next(), self._begin)

    def _over(self, outcome: Outcome) -> None:
        link = self.link
        assert link is not None
        self.stream = None
        if outcome.code is StatusCode.UNIMPLEMENTED:
            self._receiver.unimplemented(outcome)
        elif not (link.connection.closed or link.connection.draining):
            heard = self._heard
            self._receiver.failed(outcome)
            if self.link is not link:
                # The receiver wants it no more, or elsewhere.
                return
            if heard:
                self._begin()
            else:
                self._again()

    # What the stream says, with the link's lock, perhaps on another thread

    def stream_received(self, stream: _Stream, message: bytes) -> None:
        """A response came."""

        def receive() -> None:
            if stream is self.stream:
                self._heard = True
                self._backoff.reset()
                self._receiver.received(message)

        self._core.runtime.post_from_thread(receive)

    def stream_ended(self, stream: _Stream, outcome: Outcome) -> None:
        """The call is over."""

        def end() -> None:
            if stream is self.stream:
                self._over(outcome)

        self._core.runtime.post_from_thread(end)


class _Stream(ClientStream):
    def __init__(self, call: SubchannelCall, link: Link) -> None:
        options = call._core.options
        ClientStream.__init__(self, link.connection, options.max_receive, options.max_metadata)
        self._call = call
        self._link = link

    def initial_metadata_received(self, metadata: Metadata) -> None:
        """Nothing in it is of interest."""

    def data_received(self, data: bytes | memoryview, end_stream: bool) -> None:
        if data:
            self._call.work += 1
        ClientStream.data_received(self, data, end_stream)

    def message_received(self, message: bytes) -> None:
        try:
            self._call.stream_received(self, self.unpack(message))
        except UnpackFailed as error:
            self.end(Outcome(error.code, str(error)))

    def ended(self, outcome: Outcome) -> None:
        self._link.attended()
        self._call.stream_ended(self, outcome)

    def writable(self) -> None:
        """The one request is sent; flow control has taken it."""
