"""How a connection and its streams end.

Rules it keeps:
- Errors have one of two scopes (RFC 9113 §5.4). `fail` answers the whole connection's with GOAWAY,
  `stream_fault` one stream's with RST_STREAM; both in this one place.
- Every stream in `streams` hears exactly once how it ended: by END_STREAM or by `aborted`. A callback that
  raises does not keep the others from hearing; what it raised comes out at the end.
- The observer's `finished` comes last, after all streams have heard.
- What the peer makes us do for nothing is charged to a budget (`spend`, see `abuse`). Only streams that both
  sides finished pay for resets: not those that were reset, nor those that we finished early.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from clarion.channelz_data import Times
from clarion.http2 import frames
from clarion.http2.abuse import Allowances
from clarion.http2.config import Config
from clarion.http2.errors import ConnectionFault, ErrorCode, StreamFault, error_name
from clarion.http2.stream import Abort, Stream

__all__ = ["ConnectionObserver", "Lifecycle"]

_DRAIN_PING = b"clarion\1"
# Until the peer's SETTINGS say otherwise; §6.5.2 calls fewer unwise, so few peers refuse as many.
_STREAMS_BEFORE_SETTINGS = 100
_REMEMBERED_RESETS = 1024
_GOAWAY_DEBUG = 1024
# Some peers answer every DATA frame with two WINDOW_UPDATE frames.
_CONTROL_FOR_WORK = 4


class ConnectionObserver(Protocol):
    """What the owner of a connection hears about the connection as a whole.

    Called while the connection works, so: no blocking, no raising.
    """

    def ready(self) -> None:
        """The peer's first SETTINGS arrived; the connection is usable."""

    def streams_available(self) -> None:
        """A client that found no free stream may try again."""

    def goaway_received(self, code: int, debug: bytes) -> None:
        """The peer takes no new streams, or identifiers ran out; open another connection for them."""

    def ping_acknowledged(self, data: bytes) -> None:
        """The answer to `Connection.ping`."""

    def finished(self, reason: Abort) -> None:
        """The connection is over: write what is in the outbox, then close the transport."""


class Lifecycle:
    """Streams, their ends, and the connection's end.

    Attributes:
        observer: who hears about the connection as a whole.
        now: a monotonic clock in seconds.
        streams: the open streams by identifier.
        outbox: what to write next, in order.
        turns: streams with parked data that may send, in the order of their turns.
        work: streams opened and DATA frames of some content, either way; what the peer pays with for
            pings and other control frames.
        opened: streams that were opened, by the side that opens them.
        messages_sent, messages_received: as the layer above counts messages; parked ones are counted as sent.
        completed: streams that both sides finished; what resets are paid with.
        cut_short: streams that were reset after the server had finished them.
        own_streams: those of `opened` that are nobody's calls, as the layer above says.
        calls_failed: calls that did not end well, as the layer above says.
        times: when things last happened, while somebody wants to know.
        closed: the connection is over.
        draining: no new streams; the connection ends when those under way have.
        goaway: code and debug data of the peer's last GOAWAY.
        settings_received: the peer's first SETTINGS arrived.
        settings_acknowledged: the peer knows our first SETTINGS.
        peer_max_concurrent_streams: how many streams the peer lets us have open.
        user_data: the owner's.
    """

    __slots__ = (
        "__weakref__",
        "_allowances",
        "_drain_reason",
        "_drained",
        "_forgotten_resets",
        "_last_peer_id",
        "_next_id",
        "_refuse_above",
        "_resets",
        "_starved",
        "_watch_finish",
        "_work",
        "calls_failed",
        "closed",
        "completed",
        "config",
        "cut_short",
        "draining",
        "goaway",
        "is_client",
        "messages_received",
        "messages_sent",
        "now",
        "observer",
        "opened",
        "outbox",
        "own_streams",
        "peer_max_concurrent_streams",
        "settings_acknowledged",
        "settings_received",
        "streams",
        "times",
        "turns",
        "user_data",
    )

    def __init__(
        self,
        observer: ConnectionObserver,
        now: Callable[[], float],
        config: Config,
        *,
        is_client: bool,
    ) -> None:
        self.observer = observer
        self.now = now
        self.config = config
        self.is_client = is_client
        self.streams: dict[int, Stream] = {}
        self.outbox: list[bytes | memoryview] = []
        self.turns: deque[Stream] = deque()
        # What `work` counts besides `opened` and `messages_sent`, which are part of it so that nothing counts twice.
        self._work = 0
        self.opened = 0
        self.messages_sent = 0
        self.messages_received = 0
        self.completed = 0
        self.cut_short = 0
        self.own_streams = 0
        self.calls_failed = 0
        self.times: Times | None = None
        self.closed = False
        self.draining = False
        self.goaway: tuple[int, bytes] | None = None
        self.settings_received = False
        self.settings_acknowledged = False
        self.peer_max_concurrent_streams = _STREAMS_BEFORE_SETTINGS
        self.user_data: object = None
        self._allowances = Allowances(config, now)
        self._next_id = config.first_stream
        self._last_peer_id = 0
        # Streams above it are ignored: the last one that our final GOAWAY named.
        self._refuse_above = frames.MAX_STREAM_ID
        self._resets: dict[int, None] = {}
        self._forgotten_resets = 0
        self._starved = False
        self._drained = False
        self._drain_reason = b""
        self._watch_finish = False

    @property
    def work(self) -> int:
        """See the class."""
        return self._work + self.opened + self.messages_sent

    # Ending the connection

    def drain(self, why: bytes = b"") -> None:
        """Stop taking streams without losing any that are under way (two-step GOAWAY, §6.8).

        The first GOAWAY names no last stream, for the peer may have opened some that are still on the wire;
        after a PING round trip the second names the last one taken. `why` is their debug data.
        """
        if self.closed or self.draining:
            return
        self.draining = True
        self._watch_finish = True
        if self.is_client:
            self.outbox.append(frames.goaway(0, ErrorCode.NO_ERROR, why))
            self._stream_finished()
            return
        self._drain_reason = why
        self.outbox.append(frames.goaway(frames.MAX_STREAM_ID, ErrorCode.NO_ERROR, why))
        self.outbox.append(frames.ping(_DRAIN_PING))

    def _finish_drain(self, ping: bytes) -> bool:
        """Take the second step if `ping` answers the first; return whether it does."""
        if ping != _DRAIN_PING or not self.draining or self.is_client or self._drained:
            return False
        self.finish_drain()
        return True

    def finish_drain(self) -> None:
        """Take the second step of `drain`, if that is not done. Servers only.

        For who has waited long enough for the answer to the first: a peer that is gone, or hostile, sends none.
        """
        if not self.draining or self._drained or self.closed:
            return
        self._drained = True
        self._refuse_above = self._last_peer_id
        self.outbox.append(
            frames.goaway(self._last_peer_id, ErrorCode.NO_ERROR, self._drain_reason)
        )
        self._stream_finished()

    def close(self, message: str = "the connection was closed") -> None:
        """End the connection now, in good order (GOAWAY NO_ERROR)."""
        if not self.closed:
            if not self.is_client:
                # Without these some clients take the calls for finished without a status.
                for sid in self.streams:
                    self.outbox.append(frames.rst_stream(sid, ErrorCode.CANCEL))
            self.outbox.append(frames.goaway(self._last_taken(), ErrorCode.NO_ERROR))
            self._end(Abort(ErrorCode.NO_ERROR, message, connection_lost=True))

    def fail(self, code: ErrorCode, message: str) -> None:
        """End the connection because the peer broke it (GOAWAY `code` with `message` as debug data)."""
        if not self.closed:
            debug = message.encode("utf-8", "replace")[:_GOAWAY_DEBUG]
            self.outbox.append(frames.goaway(self._last_taken(), code, debug))
            self._end(Abort(code, message, connection_lost=True))

    def connection_lost(self, message: str) -> None:
        """The transport is gone."""
        if not self.closed:
            if self.goaway is not None and self.goaway[0] != ErrorCode.NO_ERROR:
                code, debug = self.goaway
                message += f" after GOAWAY {error_name(code)} {debug.decode('utf-8', 'replace')!r}"
            self._end(Abort(ErrorCode.NO_ERROR, message, remote=True, connection_lost=True))

    def _last_taken(self) -> int:
        # §6.8: a later GOAWAY never names a higher stream than an earlier one did.
        return min(self._last_peer_id, self._refuse_above)

    def _end(self, reason: Abort) -> None:
        self.closed = True
        self._watch_finish = False
        streams = list(self.streams.values())
        self.streams.clear()
        self.turns.clear()
        for stream in streams:
            self._close(stream)
        try:
            self._abort_all(streams, reason)
        finally:
            self.observer.finished(reason)

    def _abort_all(self, streams: Iterable[Stream], reason: Abort) -> None:
        """Tell `streams`, which are closed already, although one of them may raise."""
        errors: list[Exception] = []
        for stream in streams:
            try:
                stream.aborted(reason)
            except Exception as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("streams failed to take that they were aborted", errors)

    def _stream_finished(self) -> None:
        """A stream ended, or a limit was raised; only called while `_watch_finish` is set."""
        if self._starved and self.can_open:
            self._starved = False
            self._watch_finish = self.draining
            self.observer.streams_available()
        if (
            self.draining
            and not self.streams
            and not self.closed
            and (self.is_client or self._drained)
        ):
            self._end(Abort(ErrorCode.NO_ERROR, "the connection was drained", connection_lost=True))

    # Opening streams (client)

    @property
    def can_open(self) -> bool:
        """Whether `open_stream` would work now."""
        return (
            self.is_client
            and len(self.streams) < self.peer_max_concurrent_streams
            and not self.draining
            and not self.closed
        )

    def want_stream(self) -> None:
        """Ask for `observer.streams_available` when a stream can be opened again."""
        self._starved = True
        self._watch_finish = True

    # Ending streams

    def reset(self, stream: Stream, code: int) -> None:
        """End `stream` now with RST_STREAM; nothing parked on it will be sent."""
        if self._reset(stream, code) and self._watch_finish:
            self._stream_finished()

    def _reset(self, stream: Stream, code: int) -> bool:
        sid = stream.stream_id
        if self.streams.get(sid) is not stream:
            return False
        self.outbox.append(frames.rst_stream(sid, code))
        if stream.remote_closed if self.is_client else stream.local_closed:
            self.cut_short += 1
        if not stream.remote_closed:
            self._expect_leftovers(sid)
        del self.streams[sid]
        self._close(stream)
        return True

    def _local_end(self, stream: Stream) -> None:
        """We sent END_STREAM."""
        stream.local_closed = True
        if stream.remote_closed:
            self._complete(stream)
        elif not self.is_client:
            # §8.1: the response is complete, so the rest of the request is not wanted.
            self.reset(stream, ErrorCode.NO_ERROR)

    def _complete(self, stream: Stream) -> None:
        """Both sides sent END_STREAM."""
        if self.streams.pop(stream.stream_id, None) is not None:
            self.completed += 1
            if self._watch_finish:
                self._stream_finished()

    def _close(self, stream: Stream) -> None:
        """Make `stream`, which is out of `streams`, dead for whoever still holds it."""
        stream.local_closed = stream.remote_closed = True
        stream.parked = None
        stream.parked_size = 0
        if stream.pump_queued:
            stream.pump_queued = False
            if not self.closed:
                self.turns.remove(stream)

    def _abort(self, stream: Stream, reason: Abort) -> None:
        """`stream`, which is closed already, hears why; then the connection may be done."""
        try:
            stream.aborted(reason)
        finally:
            if self._watch_finish:
                self._stream_finished()

    def _stream_fault(self, fault: StreamFault) -> None:
        """Answer a stream error: RST_STREAM, and the stream's owner hears why."""
        sid = fault.stream_id
        stream = self.streams.get(sid)
        if fault.code is ErrorCode.REFUSED_STREAM and not self.settings_acknowledged:
            # The peer cannot know the limit yet, so it breaks no rule.
            self._spend_control()
        else:
            self._spend("induced_resets", self.completed)
        if stream is None:
            # §6.4: an idle stream cannot be reset; §5.4.2 allows to take the error for the connection's.
            self._check_not_idle(sid, str(fault), fault.code)
            self.outbox.append(frames.rst_stream(sid, fault.code))
            self._expect_leftovers(sid)
            return
        self._reset(stream, fault.code)
        self._abort(stream, Abort(fault.code, str(fault)))

    def _expect_leftovers(self, sid: int) -> None:
        """The peer may have frames for `sid` under way; they are ignored, not answered (§5.4.2)."""
        resets = self._resets
        resets[sid] = None
        if len(resets) > _REMEMBERED_RESETS:
            oldest = next(iter(resets))
            del resets[oldest]
            self._forgotten_resets = max(self._forgotten_resets, oldest)

    def _is_leftover(self, sid: int) -> bool:
        """Whether a frame for the closed stream `sid` may have crossed our RST_STREAM."""
        return sid in self._resets or sid <= self._forgotten_resets

    def _check_not_idle(
        self, sid: int, what: str, code: ErrorCode = ErrorCode.PROTOCOL_ERROR
    ) -> None:
        """`what` needs an opened stream and came for `sid`, which is not in `streams` (§5.1)."""
        ours = bool(sid & 1) == self.is_client
        highest = self._next_id - 2 if ours else self._last_peer_id
        if sid > highest or not sid:
            raise ConnectionFault(code, f"{what} (stream {sid} was never opened)")

    def _spend(self, kind: str, work: int) -> None:
        """Charge one frame to the budget `kind`; see `Allowances.spend`."""
        self._allowances.spend(kind, work)

    def _spend_control(self) -> None:
        """Charge a frame that costs little and that honest peers send a few of for each unit of work."""
        work = self._work + self.opened + self.messages_sent
        self._allowances.spend("control", work * _CONTROL_FOR_WORK)
