"""What a trace tells: one event, and how it is printed."""

from __future__ import annotations

import time
from typing import NamedTuple

__all__ = ["TraceEvent"]

_ARROWS = {"sent": "->", "received": "<-", "": "--"}


class TraceEvent(NamedTuple):
    """One thing that happened. `str(event)` is how it is printed.

    Attributes:
        time: when, in seconds since 1970.
        category: `frames`, `messages`, `calls`, `connections`, `names`, `balancing` or `tls`.
        text: what, secrets masked. Headers follow the first line, one on each further line.
        direction: `sent`, `received`, or "" for what is neither.
        connection: the number of the connection in this process, from 1; 0 for what is on none.
        side: `client` or `server`: what this process is on the connection; else "".
        peer: the address of the other end, in grpcio's form; else "".
        stream: the HTTP/2 stream; 0 for what is on none.
        method: the path of the method; "" for what belongs to no call, or where that is not known.
    """

    time: float
    category: str
    text: str
    direction: str = ""
    connection: int = 0
    side: str = ""
    peer: str = ""
    stream: int = 0
    method: str = ""

    def __str__(self) -> str:
        """`16:20:01.123456 [frames] c1 client ipv4:127.0.0.1:50051 -> HEADERS ... (/pkg.Service/Method)`."""
        fraction = int(self.time % 1 * 1e6)
        clock = time.strftime("%H:%M:%S", time.localtime(self.time))
        words = [f"{clock}.{fraction:06} [{self.category}]"]
        if self.connection:
            words.append(f"c{self.connection}")
        words += filter(None, (self.side, self.peer, _ARROWS[self.direction]))
        first, *others = self.text.split("\n")
        words.append(first)
        if self.method and self.method not in first:
            words.append(f"({self.method})")
        return "\n    ".join([" ".join(words), *others])
