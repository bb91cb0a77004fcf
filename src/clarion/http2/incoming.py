"""The receiving half of a connection: bytes in, calls on streams out.

One pass over the bytes and no object per frame: this pass is the hot path of the whole package, and the
reason why it is not a general-purpose library. A DATA payload is handed on as it arrives; any other frame
waits until it is whole, which the frame size limit bounds.

Errors (RFC 9113 §5.4): a handler raises `ConnectionFault` or `StreamFault`, and they become GOAWAY or
RST_STREAM. `receive_data` itself never raises for what the peer sent.
"""

from __future__ import annotations

from collections.abc import Callable

from clarion.hpack import HpackError
from clarion.http2 import frames
from clarion.http2.config import Config
from clarion.http2.errors import ConnectionFault, ErrorCode, StreamFault
from clarion.http2.header_blocks import HANDLERS, HeaderBlocks
from clarion.http2.lifecycle import ConnectionObserver
from clarion.http2.semantics import MalformedHeaders
from clarion.http2.stream import Stream

__all__ = ["Incoming"]

_unpack_header = frames.FRAME_HEADER.unpack_from
_handler_of = HANDLERS.get

_HEADER_SIZE = 9
# DATA from this size on is handed on as a view: a large message is then copied once, when its parts are joined.
# Only if it is a quarter of what came with it, or a view could keep many times its size of bytes alive.
_LARGE = 1 << 14
# A handshake or alert record of TLS 1.0 to 1.3: what a TLS peer sends first where it expects or gets none.
_TLS = (b"\x15\x03", b"\x16\x03")


class Incoming(HeaderBlocks):
    """The frame loop, and DATA.

    Attributes:
        max_frame_size: largest frame payload accepted.
        bytes_received: all bytes that ever came, a sign of life.
    """

    __slots__ = (
        "_data_end",
        "_data_left",
        "_data_sid",
        "_pad_left",
        "_partial",
        "_partial_needs",
        "_preface_left",
        "bytes_received",
        "max_frame_size",
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
        self.max_frame_size = config.max_frame_size
        self.bytes_received = 0
        self._preface_left = b"" if is_client else frames.PREFACE
        # The beginning of a frame that is `_partial_needs` bytes long, as far as is known.
        self._partial = bytearray()
        self._partial_needs = 0
        # The DATA frame whose payload is still arriving: stream (0: nobody's), payload and padding to come,
        # END_STREAM.
        self._data_sid = 0
        self._data_left = 0
        self._pad_left = 0
        self._data_end = False

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer, cut anywhere.

        Raises:
            Exception: a callback did; the connection has then been failed with INTERNAL_ERROR.
        """
        if self.closed:
            return
        self.bytes_received += len(data)
        try:
            if self._preface_left:
                data = self._receive_preface(data)
            partial = self._partial
            if partial:
                if len(partial) + len(data) < self._partial_needs:
                    # In place: a peer that sends byte by byte must not make us copy a frame for each.
                    partial += data
                    return
                data = b"".join((partial, data))
                self._partial = bytearray()
            self._receive_frames(data)
        except ConnectionFault as fault:
            self.fail(fault.code, str(fault))
        except HpackError as error:
            self.fail(ErrorCode.COMPRESSION_ERROR, str(error))
        except Exception:
            self.fail(ErrorCode.INTERNAL_ERROR, "internal error")
            raise
        if self._congested and not self.closed:
            self._check_unsent()

    def connection_lost(self, message: str) -> None:
        """The transport is gone."""
        if self._partial[:2] in _TLS and not self.settings_received:
            message += " after an answer in TLS; it does not take plain text"
        super().connection_lost(message)

    def _receive_preface(self, data: bytes) -> bytes:
        left = self._preface_left
        size = min(len(left), len(data))
        if left[:size] != data[:size]:
            start = frames.PREFACE[: -len(left)] + data[:80]
            if start[:2] in _TLS:
                what = "the client speaks TLS; this port takes plain text"
            elif b" HTTP/1." in start:
                what = (
                    f"the client speaks HTTP/1: {start.splitlines()[0][:60]!r}; gRPC needs HTTP/2"
                )
            else:
                what = f"not an HTTP/2 connection preface: {start[:24]!r}"
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, what)
        self._preface_left = left[size:]
        return data[size:]

    def _receive_frames(self, data: bytes) -> None:
        position = 0
        size = len(data)
        if self._data_left or self._pad_left:
            position = self._continue_data(data, 0)
            if self.closed:
                return
        streams = self.streams
        needs = _HEADER_SIZE
        while size - position >= 9:
            head, flags, sid = _unpack_header(data, position)
            length = head >> 8
            kind = head & 0xFF
            sid &= 0x7FFFFFFF
            if length > self.max_frame_size:
                raise self._oversize(length, data[position : position + _HEADER_SIZE])
            only_kind = self.only_kind
            if only_kind is not None and kind != only_kind:
                raise self._out_of_order(kind, data[position : position + _HEADER_SIZE])
            start = position + 9
            end = start + length
            try:
                if kind == 0:
                    stream = streams.get(sid)
                    if stream is None or stream.remote_closed or flags & 0x8 or not length:
                        if flags & 0x8 and length and start >= size:
                            # The pad length is needed to begin.
                            needs = 10
                            break
                        position = self._unusual_data(data, start, length, flags, sid)
                    else:
                        recv_window = self.recv_window - length
                        self.recv_window = recv_window
                        if recv_window < self._recv_low:
                            self._credit_connection()
                        recv_window = stream.recv_window - length
                        stream.recv_window = recv_window
                        if recv_window < 0:
                            position = self._skip_data(data, start, length)
                            raise StreamFault(
                                sid,
                                ErrorCode.FLOW_CONTROL_ERROR,
                                "more DATA than the stream's window",
                            )
                        self._work += 1
                        left = stream.content_left
                        if end > size or (
                            left is not None and (left != length if flags & 1 else left < length)
                        ):
                            position = self._take_data(data, start, length, 0, flags, sid)
                        else:
                            if left is not None:
                                stream.content_left = left - length
                            position = end
                            payload: bytes | memoryview
                            if length >= _LARGE and length << 2 >= size:
                                payload = memoryview(data)[start:end]
                            else:
                                payload = data[start:end]
                            if flags & 1:
                                stream.remote_closed = True
                                stream.data_received(payload, True)
                                if stream.local_closed and sid in streams:
                                    self._complete(stream)
                            else:
                                stream.data_received(payload, False)
                elif end > size:
                    needs = end - position
                    break
                elif kind == 1:
                    position = end
                    if flags & 0x28 or not flags & 0x4 or not sid or length > 16_384:
                        self._headers_frame(data[start:end], flags, sid)
                    else:
                        self._headers(sid, data[start:end], bool(flags & 1))
                else:
                    position = end
                    handler = _handler_of(kind)
                    if handler is not None:
                        handler(self, data[start:end], flags, sid)
                    else:
                        # §4.1: unknown types are ignored.
                        self._spend_control()
            except StreamFault as fault:
                self._stream_fault(fault)
            except MalformedHeaders as error:
                self._stream_fault(StreamFault(sid, ErrorCode.PROTOCOL_ERROR, str(error)))
            if self.closed:
                return
        if position < size:
            self._partial = bytearray(data[position:])
            self._partial_needs = needs

    # Frames that cannot be

    def _oversize(self, length: int, header: bytes) -> ConnectionFault:
        """§4.2. Before SETTINGS this is how another protocol looks."""
        what = f"a frame of {length} bytes; max_frame_size is {self.max_frame_size}"
        if not self.settings_received:
            what = f"the peer does not speak HTTP/2; its first bytes are {header!r}"
        return self._another_protocol(header) or ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, what)

    def _out_of_order(self, kind: int, header: bytes) -> ConnectionFault:
        what = f"the first frame has type {kind}; it must be SETTINGS"
        if self.settings_received:
            what = f"a frame of type {kind} within a header block; only CONTINUATION may follow"
        return self._another_protocol(header) or ConnectionFault(ErrorCode.PROTOCOL_ERROR, what)

    def _another_protocol(self, header: bytes) -> ConnectionFault | None:
        if self.settings_received:
            return None
        if header.startswith(b"HTTP/1."):
            what = "the peer speaks HTTP/1.1, not HTTP/2"
        elif header.startswith(_TLS):
            what = "the peer speaks TLS; it does not take plain text"
        else:
            return None
        return ConnectionFault(ErrorCode.PROTOCOL_ERROR, what)

    # DATA (§6.1)

    def _unusual_data(self, data: bytes, start: int, length: int, flags: int, sid: int) -> int:
        """Begin DATA that is padded, empty, or for a stream that is not open. Returns the new position."""
        if not sid:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "DATA on stream 0")
        padding = 0
        if flags & frames.PADDED:
            if not length:
                raise ConnectionFault(
                    ErrorCode.FRAME_SIZE_ERROR, "padded DATA without a pad length"
                )
            padding = data[start] + 1
            if padding > length:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "padding longer than its frame")
        # Whoever's it is, it counts (§6.9): the peer's view of the connection's window is the same.
        self.recv_window -= length
        if self.recv_window < self._recv_low:
            self._credit_connection()
        end_stream = flags & frames.END_STREAM
        if length == padding and not end_stream:
            self._spend("empty_data", self.work)
        stream = self.streams.get(sid)
        fault: StreamFault
        if stream is None or stream.remote_closed:
            self._check_not_idle(sid, "DATA")
            if stream is None and self._is_leftover(sid):
                if length == padding:
                    self._spend_control()
                return self._skip_data(data, start, length)
            fault = StreamFault(sid, ErrorCode.STREAM_CLOSED, "DATA after the stream's end")
        else:
            stream.recv_window -= length
            if stream.recv_window >= 0:
                if length > padding:
                    self._work += 1
                if padding:
                    self.consumed(stream, padding)
                return self._take_data(data, start, length, padding, flags, sid)
            fault = StreamFault(
                sid, ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the stream's window"
            )
        position = self._skip_data(data, start, length)
        self._stream_fault(fault)
        return position

    def _skip_data(self, data: bytes, start: int, length: int) -> int:
        """Drop a DATA frame's payload, of which some may still have to come. Returns the new position."""
        self._data_sid = 0
        self._data_left = length
        self._pad_left = 0
        return self._continue_data(data, start)

    def _take_data(
        self, data: bytes, start: int, length: int, padding: int, flags: int, sid: int
    ) -> int:
        """Deliver what is there of a DATA payload. `padding` counts the pad length too, which comes first."""
        self._data_sid = sid
        self._data_left = length - padding
        self._pad_left = padding
        self._data_end = bool(flags & frames.END_STREAM)
        if padding:
            self._pad_left -= 1
            start += 1
        if length == padding and self._data_end:
            self._deliver(b"")
        return self._continue_data(data, start)

    def _continue_data(self, data: bytes, position: int) -> int:
        """Take what has arrived of the current DATA frame. Returns the new position."""
        available = len(data) - position
        take = min(self._data_left, available)
        if take:
            self._data_left -= take
            end = position + take
            if self._data_sid:
                if take >= _LARGE and take << 2 >= len(data):
                    self._deliver(memoryview(data)[position:end])
                else:
                    self._deliver(data[position:end])
            position = end
            available -= take
        skip = min(self._pad_left, available)
        self._pad_left -= skip
        return position + skip

    def _deliver(self, piece: bytes | memoryview) -> None:
        """Hand a piece of the current DATA frame to its stream, which may be gone since the frame began."""
        stream = self.streams.get(self._data_sid)
        if stream is None:
            return
        try:
            self._deliver_to(stream, piece, self._data_end and not self._data_left)
        except StreamFault as fault:
            self._stream_fault(fault)

    def _deliver_to(self, stream: Stream, piece: bytes | memoryview, end_stream: bool) -> None:
        if stream.content_left is not None:
            stream.content_left -= len(piece)
            if stream.content_left < 0 or (end_stream and stream.content_left):
                raise StreamFault(
                    stream.stream_id,
                    ErrorCode.PROTOCOL_ERROR,
                    "the DATA frames' sizes do not add up to content-length",
                )
        if end_stream:
            stream.remote_closed = True
        stream.data_received(piece, end_stream)
        if end_stream and stream.local_closed:
            self._complete(stream)
