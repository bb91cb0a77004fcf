"""What passes through one connection, in words: both directions, with HPACK and messages decoded.

It reads the bytes that the connection reads and writes, with frame readers and HPACK decoders of its own, so the connection
does nothing for it and cannot be disturbed by it. Rules it keeps:

- A peer decides what comes, so all that is kept has a limit: streams, header blocks, parts of messages.
- Where the state of HPACK is lost (a block that is broken or too large), headers are no longer shown, and it is said so.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable

from clarion.errors import RemoteError
from clarion.hpack import Decoder
from clarion.http2 import frames
from clarion.protocol.compression import get_compressor
from clarion.wire_trace.descriptors import find_message
from clarion.wire_trace.escaping import escape, one_line
from clarion.wire_trace.frame_reader import Frame, FrameReader, NotHttp2, Preface
from clarion.wire_trace.frame_text import describe_frame, describe_headers, read_settings
from clarion.wire_trace.hub import Hub, Settings, Text
from clarion.wire_trace.messages import KEPT, Budget, MessageReader, SeenMessage
from clarion.wire_trace.wire_format import describe_message

__all__ = ["ConnectionWatch"]

_MOST_STREAMS = 2048
_LARGEST_BLOCK = 1 << 18
_LARGEST_LIST = 1 << 16
_MOST_UNACKNOWLEDGED = 32
# What a message may be after decompression.
_LARGEST_MESSAGE = 1 << 22

_ENCODINGS = (b"grpc-encoding", b"connect-content-encoding")
# Bodies of messages with a prefix each; in text mode they are base64.
_FRAMED = (b"application/grpc", b"application/connect+")
_TEXT = b"application/grpc-web-text"

_numbers = itertools.count(1)


class _Stream:
    """What is known of a stream: which call it is, and its messages in both directions."""

    def __init__(self, method: str, budget: Budget) -> None:
        self.method = method
        self.encodings = ["identity", "identity"]
        # Whether the bodies are messages, and whether those are protobuf's.
        self.framed = [False, False]
        self.text = [False, False]
        self.readers = [MessageReader(budget), MessageReader(budget)]
        self.ended = [False, False]

    def close(self) -> None:
        for reader in self.readers:
            reader.close()


class _Direction:
    """Half of a connection.

    Args:
        sent: whether this process sends it.
        from_client: whether the client does.
    """

    def __init__(self, *, sent: bool, from_client: bool) -> None:
        self.name = "sent" if sent else "received"
        self.from_client = from_client
        self.reader = FrameReader(from_client=from_client)
        self.decoder: Decoder | None = Decoder(max_list_size=_LARGEST_LIST)
        self.table_sizes: deque[int | None] = deque(maxlen=_MOST_UNACKNOWLEDGED)
        self.block: list[bytes] = []
        self.block_size = 0
        self.block_frame: Frame | None = None


class ConnectionWatch:
    """Watches one connection.

    Args:
        hub: whom to tell.
        is_client: whether this process is the client.
        find_peer: gives the address of the other end, once there are bytes.
    """

    def __init__(self, hub: Hub, is_client: bool, find_peer: Callable[[], str]) -> None:
        self.number = next(_numbers)
        self.side = "client" if is_client else "server"
        self._hub = hub
        self._find_peer: Callable[[], str] | None = find_peer
        self._peer = ""
        self._received = _Direction(sent=False, from_client=not is_client)
        self._sent = _Direction(sent=True, from_client=is_client)
        self._streams: dict[int, _Stream] = {}
        self._budget = Budget()

    # What the connection says

    def received(self, data: bytes) -> None:
        """Bytes came."""
        self._watch(self._received, data)

    def sent(self, pieces: list[bytes | memoryview]) -> None:
        """Bytes are about to be written."""
        for piece in pieces:
            self._watch(self._sent, piece)

    def over(self, why: str) -> None:
        """The connection is over."""
        self._tell("connections", f"closed: {one_line(why)}", always=True)
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    def _meet(self) -> None:
        """Say who the other end is, the first time."""
        if self._find_peer is not None:
            self._peer = self._find_peer()
            self._find_peer = None
            way = "opened to" if self.side == "client" else "accepted from"
            self._tell("connections", f"{way} {self._peer}", always=True)

    def _watch(self, direction: _Direction, data: bytes | memoryview) -> None:
        self._meet()
        for seen in direction.reader.feed(data):
            if type(seen) is Frame:
                self._frame(direction, seen)
            elif type(seen) is Preface:
                self._tell("frames", "connection preface", direction)
            elif type(seen) is NotHttp2:
                # HTTP/1's headers, which follow the first line, may be secrets.
                first = seen.data.partition(b"\r\n")[0]
                text = f'this is not HTTP/2: "{escape(first, 200)}"'
                self._tell("frames", text, direction, always=True)

    def _tell(
        self,
        category: str,
        text: str | Text,
        direction: _Direction | None = None,
        stream: int = 0,
        method: str = "",
        always: bool = False,
    ) -> None:
        if category in self._hub.categories:
            self._hub.tell(
                category,
                text if callable(text) else lambda _: text,
                direction="" if direction is None else direction.name,
                connection=self.number,
                side=self.side,
                peer=self._peer,
                stream=stream,
                method=method,
                always=always,
            )

    # Frames

    def _frame(self, direction: _Direction, frame: Frame) -> None:
        kind, sid = frame.kind, frame.stream_id
        if kind == frames.HEADERS:
            self._headers(direction, frame)
            return
        if kind == frames.CONTINUATION and direction.block_frame is not None:
            self._more_of_block(direction, frame, frame.payload)
            return
        self._tell_frame(direction, frame)
        if kind == frames.DATA:
            self._data(direction, frame)
        elif kind == frames.SETTINGS:
            self._settings(direction, frame)
        elif kind == frames.PUSH_PROMISE:
            # Nothing here pushes; what such a block does to the table is not followed.
            direction.decoder = None
        elif kind == frames.RST_STREAM:
            self._forget(sid)

    def _tell_frame(self, direction: _Direction, frame: Frame) -> None:
        stream = self._streams.get(frame.stream_id)
        self._tell(
            "frames",
            lambda _: describe_frame(frame),
            direction,
            frame.stream_id,
            "" if stream is None else stream.method,
            always=frame.kind == frames.GOAWAY,
        )

    def _settings(self, direction: _Direction, frame: Frame) -> None:
        other = self._sent if direction is self._received else self._received
        if not frame.flags & frames.ACK:
            values = dict(read_settings(frame.payload))
            size = values.get(frames.HEADER_TABLE_SIZE)
            direction.table_sizes.append(size)
            decoder = other.decoder
            if size is not None and decoder is not None and size > decoder.max_table_size:
                # Whoever reads a block allows it a larger table as soon as it has said so.
                decoder.max_table_size = size
        elif other.table_sizes:
            # A smaller table counts from the block that follows the acknowledgement (RFC 9113 §4.3.1).
            size = other.table_sizes.popleft()
            if size is not None and direction.decoder is not None:
                direction.decoder.max_table_size = size

    # Header blocks

    def _headers(self, direction: _Direction, frame: Frame) -> None:
        payload = frame.payload
        start = end = 0
        if frame.flags & frames.PADDED and payload:
            end = payload[0]
            start = 1
        if frame.flags & frames.PRIORITY_FLAG:
            start += 5
        direction.block = []
        direction.block_size = 0
        direction.block_frame = frame
        self._more_of_block(direction, frame, payload[start : max(len(payload) - end, start)])

    def _more_of_block(self, direction: _Direction, frame: Frame, piece: bytes) -> None:
        first = direction.block_frame
        assert first is not None
        direction.block_size += frame.length
        if direction.block_size > _LARGEST_BLOCK:
            direction.decoder = None
            direction.block = []
        else:
            direction.block.append(piece)
        if not frame.flags & frames.END_HEADERS:
            self._tell_frame(direction, frame)
            return
        block = b"".join(direction.block)
        direction.block = []
        direction.block_frame = None
        fields = self._decode(direction, block)
        stream = self._note_headers(direction, first.stream_id, fields)
        self._tell(
            "frames",
            lambda settings: _headers_text(frame, fields, settings),
            direction,
            first.stream_id,
            "" if stream is None else stream.method,
        )
        if first.flags & frames.END_STREAM:
            self._half_closed(direction, first.stream_id)

    def _decode(
        self, direction: _Direction, block: bytes
    ) -> tuple[tuple[bytes, bytes], ...] | None:
        if direction.decoder is None:
            return None
        try:
            return direction.decoder.decode(block).fields
        except RemoteError:
            direction.decoder = None
            return None

    def _note_headers(
        self, direction: _Direction, sid: int, fields: tuple[tuple[bytes, bytes], ...] | None
    ) -> _Stream | None:
        stream = self._streams.get(sid)
        if stream is None:
            if not direction.from_client:
                return None
            if len(self._streams) >= _MOST_STREAMS:
                self._forget(next(iter(self._streams)))
            stream = self._streams[sid] = _Stream("", self._budget)
        if fields is not None:
            half = int(direction.from_client)
            for name, value in fields:
                if name == b":path" and direction.from_client:
                    stream.method = escape(value, 300)
                elif name in _ENCODINGS:
                    stream.encodings[half] = value.decode("ascii", "replace")
                elif name == b"content-type":
                    stream.framed[half] = value.startswith(_FRAMED) and not value.startswith(_TEXT)
                    stream.text[half] = b"+json" in value
        return stream

    # DATA

    def _data(self, direction: _Direction, frame: Frame) -> None:
        stream = self._streams.get(frame.stream_id)
        if stream is None:
            return
        # Also while nobody wants messages: who begins to in the middle of one would see it cut at random.
        if stream.framed[int(direction.from_client)]:
            payload, missing = frame.payload, frame.length - len(frame.payload)
            if frame.flags & frames.PADDED and payload:
                end = payload[0]
                missing -= end
                payload = payload[1 : len(payload) + min(missing, 0)]
                missing = max(missing, 0)
            self._body(direction, frame.stream_id, stream, payload, missing)
        if frame.flags & frames.END_STREAM:
            self._half_closed(direction, frame.stream_id)

    def _body(
        self, direction: _Direction, sid: int, stream: _Stream, data: bytes, missing: int
    ) -> None:
        for message in stream.readers[int(direction.from_client)].feed(data, missing):
            self._message(direction, sid, stream, message)

    def _message(
        self, direction: _Direction, sid: int, stream: _Stream, message: SeenMessage
    ) -> None:
        method = stream.method
        half = int(direction.from_client)
        encoding = stream.encodings[half] if message.compressed else ""
        # Secrets are found in protobuf's messages alone, so nothing else is shown.
        bare = stream.text[half] or message.end

        def text(settings: Settings) -> str:
            kind = "request" if direction.from_client else "response"
            if message.end:
                kind += "'s end"
            name = f"{kind} of {message.length} bytes"
            if bare:
                return f"{name}, {encoding}" if encoding else name
            data, missing = message.data, message.length - len(message.data)
            if encoding:
                unpacked = None if missing else _decompress(data, encoding)
                if unpacked is None:
                    return f"{name}, {encoding}"
                data, missing = unpacked[:KEPT], max(len(unpacked) - KEPT, 0)
                name += f", {encoding} of {len(unpacked)} bytes"
            descriptor = find_message(method, direction.from_client, settings.pool)
            if descriptor is not None:
                name += f", {descriptor.full_name}"
            shown = describe_message(data, descriptor, settings.masking, settings.limit, missing)
            return f"{name}: {shown}" if shown else name

        self._tell("messages", text, direction, sid, method)

    # The end of streams

    def _half_closed(self, direction: _Direction, sid: int) -> None:
        stream = self._streams.get(sid)
        if stream is not None:
            stream.ended[int(direction.from_client)] = True
            # A server's end is the end of the call.
            if all(stream.ended) or not direction.from_client:
                self._forget(sid)

    def _forget(self, sid: int) -> None:
        stream = self._streams.pop(sid, None)
        if stream is not None:
            stream.close()


def _headers_text(
    frame: Frame,
    fields: tuple[tuple[bytes, bytes], ...] | None,
    settings: Settings,
) -> str:
    described = describe_frame(frame)
    if fields is None:
        return f"{described} (headers unknown: the state of HPACK was lost)"
    return "\n".join([described, *describe_headers(fields, settings.masking)])


def _decompress(data: bytes, encoding: str) -> bytes | None:
    compressor = get_compressor(encoding)
    if compressor is None:
        return None
    try:
        return compressor.decompress(data, _LARGEST_MESSAGE)
    except RemoteError:
        return None
