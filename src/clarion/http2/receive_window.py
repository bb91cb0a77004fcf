"""Flow control towards us (RFC 9113 §6.9): how much the peer may send, and when it is told.

The connection's window is credited on receipt, so that one stream whose reader rests does not stop the
others. A stream's window is credited as its messages are consumed, which is what stops a sender whose reader
rests. Both are credited in halves.

The stream window starts at `Config.initial_window` and doubles while a PING round trip shows that most of a
window arrives within one round trip, up to `Config.max_window`.

A peer may use the default window until it acknowledges our SETTINGS (§6.9.3), so a smaller one counts only
from then on.
"""

from __future__ import annotations

from collections.abc import Callable

from clarion.hpack import Decoder
from clarion.http2 import frames
from clarion.http2.config import Config
from clarion.http2.errors import ConnectionFault, ErrorCode
from clarion.http2.lifecycle import ConnectionObserver
from clarion.http2.outgoing import Outgoing
from clarion.http2.stream import Stream

__all__ = ["ReceiveWindow"]

_PROBE_PING = b"clarion\0"


class ReceiveWindow(Outgoing):
    """Our SETTINGS and the credit we give.

    Attributes:
        recv_window: what the peer may send on the connection before it is credited.
        recv_stream_window: the same for a stream that opens now.
    """

    __slots__ = (
        "_credit_low",
        "_decoder",
        "_granted",
        "_probe_mark",
        "_recv_low",
        "_unacked_settings",
        "recv_stream_window",
        "recv_window",
    )

    def __init__(
        self,
        observer: ConnectionObserver,
        now: Callable[[], float],
        config: Config,
        *,
        is_client: bool,
    ) -> None:
        super().__init__(observer, now, config, is_client=is_client)
        self.recv_window = config.connection_window
        self.recv_stream_window = max(config.initial_window, frames.DEFAULT_WINDOW)
        self._decoder = Decoder(max_list_size=config.max_header_list_size)
        self._recv_low = config.connection_window // 2
        self._credit_low = max(config.initial_window // 2, 1)
        self._granted = config.connection_window
        # Bytes received when the probe was sent; -1 while none is under way.
        self._probe_mark = -1
        self._unacked_settings: list[dict[int, int]] = []

    # Our SETTINGS

    def start(self) -> None:
        """Send the preface (client) and our SETTINGS."""
        config = self.config
        values = {
            frames.INITIAL_WINDOW_SIZE: config.initial_window,
            frames.MAX_HEADER_LIST_SIZE: config.max_header_list_size,
        }
        if config.header_table_size != frames.DEFAULT_HEADER_TABLE_SIZE:
            values[frames.HEADER_TABLE_SIZE] = config.header_table_size
        if config.max_frame_size != frames.DEFAULT_MAX_FRAME_SIZE:
            values[frames.MAX_FRAME_SIZE] = config.max_frame_size
        if self.is_client:
            values[frames.ENABLE_PUSH] = 0
            self.outbox.append(frames.PREFACE)
        else:
            values[frames.MAX_CONCURRENT_STREAMS] = config.max_concurrent_streams
        self._send_settings(values)
        if config.connection_window > frames.DEFAULT_WINDOW:
            extra = config.connection_window - frames.DEFAULT_WINDOW
            self.outbox.append(frames.window_update(0, extra))

    def _send_settings(self, values: dict[int, int]) -> None:
        """Send SETTINGS. They bind the peer once it acknowledges them (§6.5.3)."""
        # A table may be as large as either the old or the new setting until the acknowledgement.
        if values.get(frames.HEADER_TABLE_SIZE, 0) > self._decoder.max_table_size:
            self._decoder.max_table_size = values[frames.HEADER_TABLE_SIZE]
        self._unacked_settings.append(values)
        self.outbox.append(frames.settings(values))

    def _settings_acknowledged(self) -> bool:
        """The peer acknowledged SETTINGS; return False if there were none."""
        if not self._unacked_settings:
            return False
        self.settings_acknowledged = True
        values = self._unacked_settings.pop(0)
        table = values.get(frames.HEADER_TABLE_SIZE)
        if table is not None:
            self._decoder.max_table_size = table
        window = values[frames.INITIAL_WINDOW_SIZE]
        if window < self.recv_stream_window and not self._unacked_settings:
            self._move_stream_windows(window)
        return True

    def _move_stream_windows(self, window: int) -> None:
        change = window - self.recv_stream_window
        self.recv_stream_window = window
        for stream in self.streams.values():
            stream.recv_window += change

    # Credit

    def consumed(self, stream: Stream, size: int) -> None:
        """`size` bytes of `stream`'s data need no longer be held back from the peer's credit."""
        credit = stream.recv_credit + size
        if credit < self._credit_low or stream.remote_closed:
            stream.recv_credit = credit
            return
        stream.recv_credit = 0
        stream.recv_window += credit
        self.outbox.append(frames.window_update(stream.stream_id, credit))
        if self._probe_mark < 0 and self.recv_stream_window < self.config.max_window:
            self._probe_mark = self._granted - self.recv_window
            self.outbox.append(frames.ping(_PROBE_PING))

    def _credit_connection(self) -> None:
        """Half of the connection's window is used: check that not more than all is, and credit it."""
        if self.recv_window < 0:
            raise ConnectionFault(
                ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window"
            )
        credit = self.config.connection_window - self.recv_window
        self.recv_window += credit
        self._granted += credit
        self.outbox.append(frames.window_update(0, credit))

    def _probe_answered(self, ping: bytes) -> bool:
        """Grow the stream window if a round trip brought most of one; return False for another PING."""
        if ping != _PROBE_PING or self._probe_mark < 0:
            return False
        arrived = self._granted - self.recv_window - self._probe_mark
        self._probe_mark = -1
        window = self.recv_stream_window
        if arrived * 3 >= window * 2:
            grown = min(max(2 * arrived, 2 * window), self.config.max_window)
            self._credit_low = grown // 2
            self._move_stream_windows(grown)
            self._send_settings({frames.INITIAL_WINDOW_SIZE: grown})
        return True
