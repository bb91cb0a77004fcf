"""Asking an HTTP proxy for a connection: CONNECT and its answer (RFC 9110 §9.3.6, RFC 9112)."""

from __future__ import annotations

import re

__all__ = ["ConnectAnswer", "ConnectRefused", "connect_request"]

_LIMIT = 16 << 10
# A line may end without CR (RFC 9112 §2.2).
_END = re.compile(rb"\r?\n\r?\n")
_MOST_OF_AN_END = 3
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9][0-9])(?: ([^\r\n]*))?\r?\n")
_BEGINNING = b"HTTP/1."
# What an error text quotes of an answer, in characters.
_MOST_TEXT = 100


class ConnectRefused(Exception):
    """There will be no connection; the message says what the proxy did, as in "it ..."."""


def connect_request(server: str, authorization: str = "") -> bytes:
    """The request for a connection.

    Args:
        server: `host:port`, ASCII without spaces and control characters.
        authorization: the value of `proxy-authorization`, or "".
    """
    lines = [f"CONNECT {server} HTTP/1.1", f"Host: {server}"]
    if authorization:
        lines.append(f"Proxy-Authorization: {authorization}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")


class ConnectAnswer:
    """Reads the head of the answer; what follows it belongs to the server.

    Attributes:
        done: the proxy connected.
    """

    def __init__(self) -> None:
        self.done = False
        self._head = bytearray()
        self._read = 0

    def feed(self, data: bytes) -> int:
        """Read `data`; returns how much of it, from its beginning, belongs to the head.

        Raises:
            ConnectRefused: the proxy did not connect, or this is no HTTP.
        """
        before = len(self._head)
        self._head += data
        consumed = 0
        # What the last call saw cannot hold more than the beginning of an end.
        start = max(before - _MOST_OF_AN_END, 0)
        while not self.done:
            end = _END.search(self._head, start)
            self._check(end.end() if end is not None else None)
            if end is None:
                return len(data)
            consumed = end.end() - before
            self._read += end.end()
            self._take(bytes(self._head[: end.end()]))
            del self._head[: end.end()]
            before -= end.end()
            start = 0
        return consumed

    def ended(self) -> ConnectRefused:
        """The proxy closed the connection."""
        return ConnectRefused("closed the connection before it answered")

    def _check(self, end: int | None) -> None:
        size = min(len(self._head), len(_BEGINNING))
        if self._head[:size] != _BEGINNING[:size]:
            raise ConnectRefused(
                f"answered with what is no HTTP/1: {bytes(self._head[:_MOST_TEXT])!r}"
            )
        if self._read + (len(self._head) if end is None else end) > _LIMIT:
            raise ConnectRefused(f"answered with a head of more than {_LIMIT} bytes")

    def _take(self, head: bytes) -> None:
        status = _STATUS.match(head)
        if status is None:
            raise ConnectRefused(f"answered with what is no HTTP/1: {head[:_MOST_TEXT]!r}")
        code = int(status[1])
        if code < 200:
            # Not the answer yet.
            return
        if code >= 300:
            phrase = (status[2] or b"").decode("latin-1").strip()[:_MOST_TEXT]
            text = phrase if phrase.isprintable() else ascii(phrase)
            raise ConnectRefused(f"answered {code} {text}".rstrip())
        self.done = True
