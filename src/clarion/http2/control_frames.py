"""What a connection does with the frames that carry no request or response.

SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM, PRIORITY and PUSH_PROMISE (RFC 9113 §6.3 to §6.9), one
method each, found through `HANDLERS`. Each is charged to a budget unless it is an answer to us.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from clarion.http2 import frames
from clarion.http2.abuse import PingPolicy
from clarion.http2.config import Config
from clarion.http2.errors import ConnectionFault, ErrorCode, StreamFault
from clarion.http2.lifecycle import ConnectionObserver
from clarion.http2.receive_window import ReceiveWindow
from clarion.http2.stream import Abort

__all__ = ["HANDLERS", "ControlFrames"]

_unpack_setting = struct.Struct(">HI").iter_unpack
_unpack_u32 = struct.Struct(">I").unpack_from

_UNLIMITED = 2**32 - 1
_DEBUG_KEPT = 1024


class ControlFrames(ReceiveWindow):
    """Handlers of control frames: payload, flags, stream identifier in; faults out.

    Attributes:
        only_kind: the one frame type that may come next, or None: SETTINGS at first (§3.4), CONTINUATION
            within a header block (§6.10).
    """

    __slots__ = ("_ping_policy", "only_kind")

    def __init__(
        self,
        observer: ConnectionObserver,
        now: Callable[[], float],
        config: Config,
        *,
        is_client: bool,
    ) -> None:
        super().__init__(observer, now, config, is_client=is_client)
        self.only_kind: int | None = frames.SETTINGS
        rules = config.ping_rules
        self._ping_policy = PingPolicy(rules, now) if rules is not None else None

    def settings_frame(self, payload: bytes, flags: int, sid: int) -> None:
        """§6.5."""
        if sid:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"SETTINGS on stream {sid}")
        if flags & frames.ACK:
            if payload:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS ACK with a payload")
            if not self.settings_received:
                raise ConnectionFault(
                    ErrorCode.PROTOCOL_ERROR, "the first SETTINGS frame is an acknowledgement"
                )
            if not self._settings_acknowledged():
                self._spend("settings", 0)
            return
        if len(payload) % 6:
            raise ConnectionFault(
                ErrorCode.FRAME_SIZE_ERROR, f"SETTINGS of {len(payload)} bytes; not a multiple of 6"
            )
        self._spend("settings", 0)
        first = not self.settings_received
        if first:
            self.settings_received = True
            self.only_kind = None
            self.peer_max_concurrent_streams = _UNLIMITED
        self._apply_settings(payload)
        self.outbox.append(frames.SETTINGS_ACK)
        self.pump()
        if first:
            self.observer.ready()
        if self._watch_finish:
            self._stream_finished()

    def _apply_settings(self, payload: bytes) -> None:
        window = self.peer_initial_window
        for key, value in _unpack_setting(payload):
            if key == frames.HEADER_TABLE_SIZE:
                self.encoder.set_max_table_size(value)
            elif key == frames.ENABLE_PUSH:
                if value > 1 or (value and self.is_client):
                    raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"ENABLE_PUSH set to {value}")
            elif key == frames.MAX_CONCURRENT_STREAMS:
                self.peer_max_concurrent_streams = value
            elif key == frames.INITIAL_WINDOW_SIZE:
                if value > frames.MAX_WINDOW:
                    raise ConnectionFault(
                        ErrorCode.FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE set to {value}"
                    )
                window = value
            elif key == frames.MAX_FRAME_SIZE:
                if not frames.DEFAULT_MAX_FRAME_SIZE <= value <= frames.MAX_MAX_FRAME_SIZE:
                    raise ConnectionFault(
                        ErrorCode.PROTOCOL_ERROR, f"MAX_FRAME_SIZE set to {value}"
                    )
                self.peer_max_frame_size = value
            elif key == frames.MAX_HEADER_LIST_SIZE:
                self.peer_max_header_list_size = value
        # Once for the frame: one that sets it two thousand times must not walk all streams as often.
        if window != self.peer_initial_window:
            self._apply_initial_window(window)

    def _apply_initial_window(self, window: int) -> None:
        """§6.9.2: a change moves every open stream's window, below zero if need be."""
        change = window - self.peer_initial_window
        self.peer_initial_window = window
        for stream in self.streams.values():
            stream.send_window += change
            if stream.send_window > frames.MAX_WINDOW:
                raise ConnectionFault(
                    ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE overflows a stream's window"
                )
            self._enqueue(stream)

    def ping_frame(self, payload: bytes, flags: int, sid: int) -> None:
        """§6.7."""
        if sid:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"PING on stream {sid}")
        if len(payload) != 8:
            raise ConnectionFault(
                ErrorCode.FRAME_SIZE_ERROR, f"PING of {len(payload)} bytes; it must have 8"
            )
        if not flags & frames.ACK:
            # `self.work`: some servers send a PING with each response.
            work = self._work + self.opened + self.messages_sent
            self._spend("pings", work)
            if self._ping_policy is not None:
                self._ping_policy.ping(work, busy=bool(self.streams))
            self.outbox.append(frames.ping(payload, ack=True))
        elif not (self._probe_answered(payload) or self._finish_drain(payload)):
            self._spend_control()
            self.observer.ping_acknowledged(payload)

    def goaway_frame(self, payload: bytes, flags: int, sid: int) -> None:
        """§6.8."""
        if sid:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"GOAWAY on stream {sid}")
        if len(payload) < 8:
            raise ConnectionFault(
                ErrorCode.FRAME_SIZE_ERROR, f"GOAWAY of {len(payload)} bytes; it must have 8"
            )
        self._spend_control()
        last = _unpack_u32(payload)[0] & frames.MAX_STREAM_ID
        code: int = _unpack_u32(payload, 4)[0]
        debug = payload[8 : 8 + _DEBUG_KEPT]
        self.goaway = (code, debug)
        if not self.is_client:
            # It concerns the streams that servers open, and this one opens none.
            return
        # What is under way may finish; then there is nothing left to keep the connection for. A second
        # GOAWAY may name a lower stream; a higher one, which is forbidden, brings nothing back.
        self.draining = True
        unprocessed = [stream for stream in self.streams.values() if stream.stream_id > last]
        for stream in unprocessed:
            del self.streams[stream.stream_id]
            self._close(stream)
        message = "the server sent GOAWAY"
        if debug:
            message += f" ({debug.decode('utf-8', 'replace')})"
        try:
            self._abort_all(unprocessed, Abort(code, message, remote=True, unprocessed=True))
        finally:
            self.observer.goaway_received(code, debug)
            self._watch_finish = True
            self._stream_finished()

    def window_update_frame(self, payload: bytes, flags: int, sid: int) -> None:
        """§6.9."""
        if len(payload) != 4:
            raise ConnectionFault(
                ErrorCode.FRAME_SIZE_ERROR, f"WINDOW_UPDATE of {len(payload)} bytes; it must have 4"
            )
        increment: int = _unpack_u32(payload)[0] & frames.MAX_WINDOW
        self._spend_control()
        if not sid:
            if not increment:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by zero")
            self.send_window += increment
            if self.send_window > frames.MAX_WINDOW:
                raise ConnectionFault(
                    ErrorCode.FLOW_CONTROL_ERROR, "the connection's window grew above 2^31-1"
                )
            self.pump()
            return
        stream = self.streams.get(sid)
        if stream is None:
            self._check_not_idle(sid, "WINDOW_UPDATE")
            return
        if not increment:
            raise StreamFault(sid, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by zero")
        stream.send_window += increment
        if stream.send_window > frames.MAX_WINDOW:
            raise StreamFault(
                sid, ErrorCode.FLOW_CONTROL_ERROR, "the stream's window grew above 2^31-1"
            )
        if stream.parked is not None:
            self._enqueue(stream)
            self.pump()

    def rst_stream_frame(self, payload: bytes, flags: int, sid: int) -> None:
        """§6.4."""
        if len(payload) != 4:
            raise ConnectionFault(
                ErrorCode.FRAME_SIZE_ERROR, f"RST_STREAM of {len(payload)} bytes; it must have 4"
            )
        stream = self.streams.get(sid)
        if stream is None:
            self._check_not_idle(sid, "RST_STREAM")
            self._spend_control()
            return
        # Streaming calls end this way after honest work; the abuse is to reset what was only just begun.
        # A window that was used shows work; credit given for it since may hide that, which is the safe error.
        if not self.is_client and stream.send_window >= self.peer_initial_window:
            self._spend("resets", self.completed)
        code: int = _unpack_u32(payload)[0]
        unprocessed = code == ErrorCode.REFUSED_STREAM
        del self.streams[sid]
        self._close(stream)
        self._abort(
            stream, Abort(code, "the peer reset the stream", remote=True, unprocessed=unprocessed)
        )

    def priority_frame(self, payload: bytes, flags: int, sid: int) -> None:
        """§6.3: obsolete, read and ignored."""
        if not sid:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0")
        if len(payload) != 5:
            raise StreamFault(
                sid, ErrorCode.FRAME_SIZE_ERROR, f"PRIORITY of {len(payload)} bytes; it must have 5"
            )
        self._spend_control()
        self._check_dependency(payload, 0, sid)

    def _check_dependency(self, payload: bytes, start: int, sid: int) -> None:
        """RFC 7540 §5.3.1 forbids a stream to depend on itself; RFC 9113 ignores priority."""
        if _unpack_u32(payload, start)[0] & frames.MAX_STREAM_ID == sid:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"stream {sid} depends on itself")

    def push_promise_frame(self, payload: bytes, flags: int, sid: int) -> None:
        """§8.4: a client that disabled push, as ours do, treats it as an error; a server always does."""
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE, which is disabled")


HANDLERS: dict[int, Callable[[ControlFrames, bytes, int, int], None]] = {
    frames.PRIORITY: ControlFrames.priority_frame,
    frames.RST_STREAM: ControlFrames.rst_stream_frame,
    frames.SETTINGS: ControlFrames.settings_frame,
    frames.PUSH_PROMISE: ControlFrames.push_promise_frame,
    frames.PING: ControlFrames.ping_frame,
    frames.GOAWAY: ControlFrames.goaway_frame,
    frames.WINDOW_UPDATE: ControlFrames.window_update_frame,
}
