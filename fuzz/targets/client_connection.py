"""A whole HTTP/2 connection, the client's side, with three streams open; checks as for the server's."""

from __future__ import annotations

from clarion.http2 import Config
from fuzz.connections import drive, is_fresh
from support.http2 import Side, client

__all__ = ["fuzz_one"]

_CONFIG = Config(max_header_block_size=20_000, max_continuations=8)


def fuzz_one(data: bytes) -> None:
    """Feed a client."""
    if is_fresh(data):
        side = Side(_CONFIG, client=True)
        side.connection.start()
    else:
        side = client(_CONFIG)
    for number in range(3):
        side.open(end=bool(number))
    side.output()
    drive(side, data)
