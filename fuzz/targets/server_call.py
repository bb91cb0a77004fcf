"""gRPC calls on a connection, the server's side: requests' heads, messages cut out of DATA, compression, the answer.

Checked: nothing escapes; a call starts at most once and ends at most once; what is kept of messages stays within
what flow control allows.
"""

from __future__ import annotations

from clarion.http2 import Config
from clarion.http2.connection import Connection
from clarion.protocol.messages import UnpackFailed
from clarion.status import StatusCode
from fuzz.connections import is_fresh, pieces_of
from support.wire import ServedStream, ServerSide

__all__ = ["fuzz_one"]

_LIMIT = 4096
_CONFIG = Config(
    max_concurrent_streams=4, initial_window=20_000, max_window=20_000, max_header_list_size=2048
)


class _Echo(ServedStream):
    """Answers each message, and the end with OK."""

    def message_received(self, message: bytes) -> None:
        assert len(message) <= _LIMIT
        super().message_received(message)
        self._take()

    def _take(self) -> None:
        while self.inbox and not self.over:
            try:
                unpacked = self.unpack(self.take_message())
            except UnpackFailed as error:
                self.send_status(error.code, str(error))
                return
            assert len(unpacked) <= _LIMIT
            if not self.headers_sent:
                self.send_initial_metadata(())
            if self.parked is None:
                self.send_response(unpacked[:100])

    def messages_ended(self) -> None:
        super().messages_ended()
        if not self.over:
            if self.headers_sent:
                self.send_status(StatusCode.OK)
            else:
                self.send_ok_response(b"")


def fuzz_one(data: bytes) -> None:
    """Feed a server."""
    side: ServerSide

    def make(connection: Connection, sid: int) -> ServedStream:
        return _Echo(side, connection, sid)

    side = ServerSide(config=_CONFIG, max_receive=_LIMIT, max_metadata=2048, make=make)
    if is_fresh(data):
        # A new connection is the engine's matter; here the handshake is always over.
        data = bytes([data[0] & ~2]) + data[1:]
    for kind, payload in pieces_of(data):
        if not kind:
            side.exchange(payload)
    for stream in side.streams.values():
        assert stream.events.count("started") <= 1
        assert stream.events.count("ended") + stream.events.count("aborted") <= 2
        assert sum(map(len, stream.inbox)) <= _LIMIT + 40_000
