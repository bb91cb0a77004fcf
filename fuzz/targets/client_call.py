"""A gRPC call on a connection, the client's side: response heads, trailers, status, messages, compression.

Checked: nothing escapes, the call ends at most once and never without a status, and it ends with the connection.
"""

from __future__ import annotations

from clarion.http2 import Config
from clarion.protocol.messages import UnpackFailed
from clarion.status import StatusCode
from fuzz.connections import pieces_of
from support.wire import ClientSide

__all__ = ["fuzz_one"]

_LIMIT = 4096
_CONFIG = Config(initial_window=20_000, max_window=20_000, max_header_list_size=2048)


def fuzz_one(data: bytes) -> None:
    """Feed a client with one call, whose request is complete or not."""
    half_closed = bool(data[:1] and data[0] & 4)
    side = ClientSide(
        config=_CONFIG, max_receive=_LIMIT, max_metadata=2048, half_closed=half_closed
    )
    stream = side.stream
    for kind, payload in pieces_of(data):
        if kind:
            continue
        side.exchange(payload)
        while stream.inbox:
            try:
                assert len(stream.unpack(stream.take_message())) <= _LIMIT
            except UnpackFailed as error:
                assert error.code in (StatusCode.INTERNAL, StatusCode.RESOURCE_EXHAUSTED)
        assert stream.ends == (stream.outcome is not None)
    if side.connection.closed:
        assert stream.outcome is not None
    if stream.outcome is not None:
        stream.outcome.describe()
        for key, value in stream.outcome.trailing_metadata:
            assert isinstance(value, bytes) is key.endswith("-bin")
