"""A whole HTTP/2 connection, the server's side: any bytes, in any pieces, with steps of the server's own between.

Checked: nothing escapes, output and memory have bounds, a stream that is out of the table is dead, at most one GOAWAY.
"""

from __future__ import annotations

from clarion.http2 import Config
from fuzz.connections import drive, is_fresh
from support.http2 import RESPONSE, TRAILERS, Recorder, Side, server

__all__ = ["fuzz_one"]

_CONFIG = Config(max_concurrent_streams=4, max_header_block_size=20_000, max_continuations=8)


def _answer(stream: Recorder) -> None:
    if stream.ended and not stream.local_closed and not hasattr(stream, "answered"):
        connection = stream.connection
        connection.send_headers(stream, connection.encoder.encode(RESPONSE))
        connection.send_message(stream, b"", stream.body)
        connection.send_trailers(stream, TRAILERS)


def _prepare(stream: Recorder) -> None:
    stream.on_headers = stream.on_data = _answer


def fuzz_one(data: bytes) -> None:
    """Feed a server."""
    if is_fresh(data):
        side = Side(_CONFIG, setup=_prepare)
        side.connection.start()
        side.output()
    else:
        side = server(_CONFIG, setup=_prepare)
    drive(side, data)
