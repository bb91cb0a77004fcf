"""What is in frames, measured as it comes: an extension, to `wsproto`, which sees each frame's header and each piece of it.

Rules it keeps:
- A message is refused as soon as it is known to be too large: by the length that a frame's header promises, or by the bytes.
- Decompression stops at the limit (RFC 7692): never more than one message is inflated, however little it was before.
- `wsproto` has the parameters of permessage-deflate and the compression of what is sent. What it would inflate without a
  limit is inflated here; and offers that RFC 7692 §7.1 forbids are declined before it reads them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from typing import Any

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, RsvBits

from clarion.web.apps.websocket.limits import WebSocketLimits

__all__ = ["Payloads"]

_NO_CONTEXT = r"(?:server|client)_no_context_takeover"
_BITS = r"=(?:[89]|1[0-5])"
_PARAMETER = re.compile(
    rf"{_NO_CONTEXT}|server_max_window_bits{_BITS}|client_max_window_bits(?:{_BITS})?"
)
# §7.2.2: what is left out at a message's end.
_TAIL = b"\x00\x00\xff\xff"


class Payloads:
    """The messages that come on one WebSocket.

    Args:
        limits: see `WebSocketLimits`.
        offers: the extensions that the client offers, each with its parameters.

    Attributes:
        accepted: what is agreed to of the offers, for the answer's head, or None.
        why: what was too much, once something was.
    """

    def __init__(self, limits: WebSocketLimits, offers: Iterable[str]) -> None:
        self._limits = limits
        self._deflate: Any = None
        self.accepted = self._agree(offers) if limits.compress else None
        self.why = ""
        self._size = 0
        self._frames = 0
        # Of streams of compressed blocks that ended (BFINAL), in this message.
        self._ends = 0
        # A message has begun, and is not complete.
        self._is_open = False
        self._is_control = False
        self._is_compressed = False
        self._inflater: Any = None

    def _agree(self, offers: Iterable[str]) -> str | None:
        for offer in offers:
            name, *parameters = (part.strip() for part in offer.replace('"', "").split(";"))
            if name != PerMessageDeflate.name or not _are_known(parameters):
                continue
            self._deflate = PerMessageDeflate()
            accepted = self._deflate.accept("; ".join((name, *parameters)))
            # None: zlib has no windows of 8 bits.
            if accepted is not None:
                return f"{name}; {accepted}" if accepted else name
        return None

    # What `wsproto` asks of an extension

    def enabled(self) -> bool:
        """It always measures."""
        return True

    def frame_inbound_header(self, proto: Any, opcode: Any, rsv: Any, payload_length: int) -> Any:
        """A frame's header came. Returns which reserved bits it may have, or a reason to close."""
        self._is_control = opcode.iscontrol()
        if self._is_control:
            return RsvBits(False, False, False)
        # A header that is cut is shown again, from its beginning.
        begins = bool(opcode)
        if begins is self._is_open:
            # `wsproto` says so behind the payload, which then may have been damaged first.
            self.why = "a message begins within another" if begins else "a frame continues nothing"
            return CloseReason.PROTOCOL_ERROR
        if begins:
            self._size = self._frames = self._ends = 0
            self._is_compressed = rsv.rsv1 and self.accepted is not None
        if not self._is_compressed and self._size + payload_length > self._limits.max_message:
            return self._refuse(self._too_large)
        return RsvBits(begins and self.accepted is not None, False, False)

    def frame_inbound_payload_data(self, proto: Any, data: bytes) -> Any:
        """A piece of a frame's payload came. Returns what it is, or a reason to close."""
        if self._is_control:
            return data
        self._is_open = True
        if self._is_compressed:
            return self._inflate(data)
        self._size += len(data)
        return data

    def frame_inbound_complete(self, proto: Any, fin: bool) -> Any:
        """A frame is complete. Returns what is behind its payload, or a reason to close."""
        if self._is_control:
            return None
        self._frames += 1
        self._is_open = not fin
        if self._frames > self._limits.max_frames:
            return self._refuse(
                f"a message came in more than {self._limits.max_frames} frames (max_frames)"
            )
        if not fin or not self._is_compressed or self._inflater is None:
            # Without an inflater the message ended with its stream, which has no such tail.
            return None
        data = self._inflate(_TAIL)
        if self._deflate.client_no_context_takeover:
            self._inflater = None
        return data

    def frame_outbound(self, proto: Any, opcode: Any, rsv: Any, data: bytes, fin: bool) -> Any:
        """A frame goes. Returns its reserved bits and its payload."""
        if self.accepted is None:
            return rsv, data
        return self._deflate.frame_outbound(proto, opcode, rsv, data, fin)

    # Decompression

    def _inflate(self, data: bytes) -> Any:
        pieces = []
        try:
            while data:
                if self._inflater is None:
                    self._inflater = zlib.decompressobj(-self._deflate.client_max_window_bits)
                inflater = self._inflater
                # One byte more tells a message that fits from one that does not.
                piece = inflater.decompress(data, self._limits.max_message - self._size + 1)
                self._size += len(piece)
                if self._size > self._limits.max_message:
                    return self._refuse(self._too_large)
                pieces.append(piece)
                data = b""
                if inflater.eof:
                    # §7.2.3.4: the sender ended its stream, and begins another.
                    self._ends += 1
                    if self._ends > self._limits.max_frames:
                        return self._refuse(
                            f"a message has more than {self._limits.max_frames} final blocks (max_frames)"
                        )
                    data, self._inflater = inflater.unused_data, None
        except zlib.error:
            self.why = "what was compressed is damaged"
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        return b"".join(pieces)

    @property
    def _too_large(self) -> str:
        return f"a message has more than {self._limits.max_message} bytes (max_message)"

    def _refuse(self, why: str) -> Any:
        self.why = why
        return CloseReason.MESSAGE_TOO_BIG


def _are_known(parameters: list[str]) -> bool:
    """Whether there are no others than RFC 7692 §7.1 has, each once."""
    names = {parameter.partition("=")[0] for parameter in parameters}
    return len(names) == len(parameters) and all(map(_PARAMETER.fullmatch, parameters))
