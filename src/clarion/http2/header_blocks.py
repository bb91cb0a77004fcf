"""What a connection does with HEADERS and CONTINUATION (RFC 9113 §6.2, §6.10, §8.1).

Rules it keeps:
- Every block is decoded before anything else is decided, whatever becomes of it: the HPACK table must stay in
  step (§4.3). Only a block too large to decode safely ends the connection instead.
- The frames of a block come without gap, so its size, encoded and decoded, and the number of its frames have
  limits.
"""

from __future__ import annotations

from collections.abc import Callable

from clarion.hpack import HeaderList
from clarion.http2 import frames
from clarion.http2.config import Config
from clarion.http2.control_frames import HANDLERS as CONTROL_HANDLERS
from clarion.http2.control_frames import ControlFrames
from clarion.http2.errors import ConnectionFault, ErrorCode, StreamFault
from clarion.http2.lifecycle import ConnectionObserver
from clarion.http2.stream import Stream

__all__ = ["HANDLERS", "HeaderBlocks"]


class HeaderBlocks(ControlFrames):
    """Assembles header blocks and hands them to their streams."""

    __slots__ = (
        "_block",
        "_block_end",
        "_block_sid",
        "_block_size",
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
        self._block: list[bytes] = []
        self._block_size = 0
        self._block_sid = 0
        self._block_end = False

    def _accept_stream(self, sid: int) -> Stream | None:
        """Open the stream that the peer begins with `sid`; None if it is to be ignored."""
        raise NotImplementedError

    def _headers_frame(self, payload: bytes, flags: int, sid: int) -> None:
        """HEADERS that is more than a whole block of common size: with padding or priority, or in pieces."""
        if not sid:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS on stream 0")
        start = padding = 0
        if flags & frames.PADDED:
            if not payload:
                raise ConnectionFault(
                    ErrorCode.FRAME_SIZE_ERROR, "padded HEADERS without a pad length"
                )
            padding = payload[0]
            start = 1
        if flags & frames.PRIORITY_FLAG:
            if len(payload) < start + 5:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for priority")
            self._check_dependency(payload, start, sid)
            start += 5
        end = len(payload) - padding
        if end < start:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "padding longer than its frame")
        block = payload[start:end]
        self._check_block_size(len(block))
        if flags & frames.END_HEADERS:
            self._headers(sid, block, bool(flags & frames.END_STREAM))
        else:
            self._block = [block]
            self._block_size = len(block)
            self._block_sid = sid
            self._block_end = bool(flags & frames.END_STREAM)
            self.only_kind = frames.CONTINUATION

    def continuation_frame(self, payload: bytes, flags: int, sid: int) -> None:
        """§6.10."""
        if self.only_kind is None or sid != self._block_sid:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without its HEADERS")
        block = self._block
        block.append(payload)
        self._block_size += len(payload)
        self._check_block_size(self._block_size)
        if len(block) - 1 > self.config.max_continuations:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"more than max_continuations={self.config.max_continuations} CONTINUATION frames",
            )
        if flags & frames.END_HEADERS:
            self.only_kind = None
            self._block = []
            self._headers(sid, b"".join(block), self._block_end)

    def _check_block_size(self, size: int) -> None:
        limit = self.config.max_header_block_size
        if size > limit:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"a header block of {size} bytes or more, above max_header_block_size={limit}",
            )

    def _headers(self, sid: int, block: bytes, end_stream: bool) -> None:
        headers = self._decoder.decode(block)
        if headers.size > self.config.max_header_block_size:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"a header block that unpacks to {headers.size} bytes, above "
                f"max_header_block_size={self.config.max_header_block_size}",
            )
        stream = self.streams.get(sid)
        if stream is None:
            if self.is_client or sid <= self._last_peer_id or not sid & 1:
                self._headers_without_stream(sid)
                return
            stream = self._accept_stream(sid)
            if stream is None:
                return
        elif stream.remote_closed:
            # §5.1, half-closed (remote).
            raise StreamFault(sid, ErrorCode.STREAM_CLOSED, "HEADERS after END_STREAM")
        elif not end_stream:
            if not self.is_client:
                raise StreamFault(sid, ErrorCode.PROTOCOL_ERROR, "trailers without END_STREAM")
            self._check_informational(headers)
        if end_stream:
            stream.remote_closed = True
            if stream.content_left:
                raise StreamFault(
                    sid, ErrorCode.PROTOCOL_ERROR, "the stream ended before content-length was met"
                )
        stream.headers_received(headers, end_stream)
        if end_stream and stream.local_closed:
            self._complete(stream)

    def _check_informational(self, headers: HeaderList) -> None:
        """§8.1 allows any number of informational responses before the final one; we do not."""
        fields = headers.fields
        if fields and fields[0][1][:1] == b"1":
            self._spend_control()

    def _headers_without_stream(self, sid: int) -> None:
        self._check_not_idle(sid, "HEADERS")
        if self._is_leftover(sid):
            self._spend_control()
            return
        if self.is_client:
            # Calls on other streams should not suffer from a server's late word.
            raise StreamFault(sid, ErrorCode.STREAM_CLOSED, "HEADERS on a closed stream")
        # §5.1, closed: whoever ended the stream sends nothing more.
        raise ConnectionFault(ErrorCode.STREAM_CLOSED, f"HEADERS on closed stream {sid}")


HANDLERS: dict[int, Callable[[HeaderBlocks, bytes, int, int], None]] = {
    **CONTROL_HANDLERS,
    frames.CONTINUATION: HeaderBlocks.continuation_frame,
}
