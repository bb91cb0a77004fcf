"""Bytes from a peer as text that is safe to print: one line, ASCII, of limited length."""

from __future__ import annotations

__all__ = ["escape", "one_line", "quote"]

_AS_IT_IS = frozenset(range(0x20, 0x7F)) - frozenset(b'\\"')
_SHORT = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x22: '\\"', 0x5C: "\\\\"}
_TABLE = [
    chr(byte) if byte in _AS_IT_IS else _SHORT.get(byte, f"\\x{byte:02x}") for byte in range(256)
]


def escape(data: bytes, limit: int) -> str:
    """The first `limit` bytes of `data`, and how many more there are."""
    text = "".join([_TABLE[byte] for byte in data[:limit]])
    more = len(data) - limit
    return f"{text}... ({more} more bytes)" if more > 0 else text


def quote(data: bytes, limit: int) -> str:
    """The same between quotation marks. What is not ASCII is shown as it is, where it is text and can be printed."""
    shown = data[:limit]
    try:
        text = shown.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if not text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        quoted = f'"{text}"'
    else:
        quoted = f'"{escape(shown, limit)}"'
    more = len(data) - limit
    return f"{quoted}... ({more} more bytes)" if more > 0 else quoted


def one_line(text: str) -> str:
    """Text in which a peer may have a part, without line breaks and what else terminals obey."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
