"""`ClientSide` between an attempt and a connection, both of which note what they hear."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clarion.hpack import HeaderList
from clarion.http2 import Abort, ErrorCode
from clarion.http2.errors import StreamFault
from clarion.http2.semantics import MalformedHeaders
from clarion.protocol.client_stream import ClientStream
from clarion.protocol.outcome import Metadata, Outcome
from clarion.status import StatusCode
from clarion.web.client.call_side import ClientSide, read_request
from clarion.web.client.options import WebClient
from clarion.web.client.protocols import ConnectStreamSide, ConnectUnarySide, GrpcWebSide

FIELDS = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/s/m"),
    (b":authority", b"host"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    (b"user-agent", b"me"),
    (b"grpc-accept-encoding", b"identity"),
    (b"k", b"v"),
)
WEB = b"application/grpc-web+proto"
STREAM = b"application/connect+proto"
TRAILERS = b"grpc-status:0\r\n"
END = b"\x80" + len(TRAILERS).to_bytes(4, "big") + TRAILERS


class Connection:
    """What a side uses of one."""

    peer_initial_window = recv_stream_window = 0
    is_http1 = False
    reused = heard = False
    messages_received = messages_sent = calls_failed = 0
    config = SimpleNamespace(max_header_list_size=1000)

    def __init__(self) -> None:
        self.opened: Any = None
        self.credit = 0
        self.resets: list[int] = []
        self.sent: list[bytes] = []

    def open_side(self, side: Any, fields: Any, prefix: bytes, payload: Any, end: bool) -> None:
        self.opened = dict(fields)
        side.stream_id = 1
        side.local_closed = end

    def send_message(self, side: Any, prefix: bytes, payload: bytes, *, end_stream: bool) -> None:
        self.sent.append(prefix + payload)

    def send_end(self, side: Any) -> None:
        side.local_closed = True

    def reset(self, side: Any, code: int) -> None:
        self.resets.append(code)

    def consumed(self, side: Any, size: int) -> None:
        self.credit += size


class Attempt(ClientStream):
    """Notes what it hears."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection, 100, 1000)
        self.initial: Metadata | None = None
        self.messages: list[bytes] = []
        self.heard: Outcome | None = None
        self.could_write = 0

    def initial_metadata_received(self, metadata: Metadata) -> None:
        self.initial = metadata

    def message_received(self, message: bytes) -> None:
        self.messages.append(self.unpack(message))

    def ended(self, outcome: Outcome) -> None:
        assert self.heard is None
        self.heard = outcome

    def writable(self) -> None:
        self.could_write += 1


class Rig:
    def __init__(self, kind: type[ClientSide] = GrpcWebSide, *, whole: bool = True) -> None:
        self.connection = Connection()
        self.attempt = Attempt(self.connection)
        web = WebClient(http="2", prefix=b"/p")
        self.side = kind(web, self.connection, self.attempt, read_request(FIELDS))
        payload = b"q" if whole else None
        self.side.begin(b"\0\0\0\0\1" if whole else b"", payload, whole)

    def head(self, *fields: tuple[bytes, bytes], end: bool = False) -> None:
        size = sum(len(name) + len(value) + 32 for name, value in fields)
        self.side.remote_closed = end
        self.side.headers_received(HeaderList(fields, size), end)

    def data(self, data: bytes, end: bool = False) -> None:
        self.side.remote_closed = end
        self.side.data_received(data, end)


def test_a_call() -> None:
    rig = Rig()
    opened = rig.connection.opened
    assert opened[b":path"] == b"/p/s/m"
    assert opened[b"content-type"] == WEB
    assert opened[b"k"] == b"v"
    assert b"te" not in opened
    rig.head((b":status", b"103"), (b"link", b"x"))
    assert rig.attempt.initial is None
    rig.head((b":status", b"200"), (b"content-type", WEB), (b"a", b"1"))
    assert rig.attempt.initial == (("a", "1"),)
    for octet in b"\0\0\0\0\2xy" + END:
        rig.data(bytes((octet,)))
    assert rig.attempt.messages == [b"xy"]
    assert rig.connection.credit == 7 + len(END)
    assert rig.connection.messages_received == 1
    assert rig.attempt.heard is None
    rig.data(b"", True)
    assert rig.attempt.heard == Outcome(StatusCode.OK)
    assert rig.connection.resets == []
    # What comes after the end is nobody's.
    rig.data(b"more")
    rig.head((b"x", b"y"), end=True)
    rig.side.writable()
    rig.side.aborted(Abort(0, "late"))
    rig.side.end(Outcome(StatusCode.CANCELLED))


def test_what_is_unread_is_not_credited() -> None:
    rig = Rig()
    rig.head((b":status", b"200"), (b"content-type", WEB))
    rig.attempt.put(b"unread")
    rig.data(b"\0\0\0\0\1x")
    assert rig.connection.credit == 0
    rig.attempt.take_message()
    assert rig.connection.credit == 6


def test_http_trailers_end_the_answer() -> None:
    rig = Rig()
    rig.head((b":status", b"200"), (b"content-type", WEB))
    rig.data(END)
    rig.head((b"server-timing", b"1"), end=True)
    assert rig.attempt.heard == Outcome(StatusCode.OK)


@pytest.mark.parametrize(
    ("heads", "why"),
    [
        ([((b":status", b"100"),)], "with END_STREAM"),
        ([((b"content-type", WEB),)], ":status is None"),
        ([((b":status", b"200"), (b"content-length", b"x"))], "content-length"),
        (
            [((b":status", b"200"), (b"content-length", b"1"), (b"content-length", b"2"))],
            "content-length",
        ),
        ([((b":status", b"200"), (b"content-length", b"5"))], "promises a body"),
    ],
)
def test_heads_that_cannot_be(heads: list[Any], why: str) -> None:
    rig = Rig()
    with pytest.raises(MalformedHeaders, match=why):
        rig.head(*heads[0], end=True)


def test_a_second_head() -> None:
    rig = Rig()
    rig.head((b":status", b"200"), (b"content-type", WEB))
    with pytest.raises(MalformedHeaders, match="a second header list"):
        rig.head((b"a", b"b"))


def test_a_body_without_a_head() -> None:
    with pytest.raises(StreamFault, match="DATA before headers"):
        Rig().data(b"x")


def test_a_body_has_the_length_that_was_said() -> None:
    rig = Rig()
    rig.head((b":status", b"200"), (b"content-type", WEB), (b"content-length", b"20"))
    assert rig.side.content_left == 20


def test_a_head_that_is_too_large() -> None:
    rig = Rig()
    rig.head((b":status", b"200"), (b"content-type", WEB), (b"a", b"x" * 1000))
    assert rig.attempt.heard is not None
    assert rig.attempt.heard.code is StatusCode.RESOURCE_EXHAUSTED
    assert "vs. 1000" in rig.attempt.heard.details
    assert rig.connection.resets == [ErrorCode.CANCEL]


def test_a_message_that_is_too_large() -> None:
    rig = Rig()
    rig.head((b":status", b"200"), (b"content-type", WEB))
    rig.data(b"\0\0\0\0\1x" + b"\0\0\0\0\x65")
    assert rig.attempt.messages == [b"x"]
    assert rig.attempt.heard is not None
    assert rig.attempt.heard.code is StatusCode.RESOURCE_EXHAUSTED
    assert rig.connection.resets == [ErrorCode.CANCEL]


def test_an_answer_that_ends_before_the_request() -> None:
    rig = Rig(ConnectStreamSide, whole=False)
    rig.side.send_message(rig.attempt, b"\0\0\0\0\1", b"x")
    assert rig.connection.sent == [b"\0\0\0\0\1x"]
    rig.head((b":status", b"200"), (b"content-type", STREAM), (b"a", b"1"))
    rig.data(b'\2\0\0\0\x1f{"error":{"code":"aborted"}}   ', True)
    assert rig.attempt.heard is not None
    assert rig.attempt.heard.code is StatusCode.ABORTED
    # The rest of the request is not wanted.
    assert rig.connection.resets == [ErrorCode.NO_ERROR]


def test_an_error_of_a_unary_call_has_one_set_of_metadata() -> None:
    rig = Rig(ConnectUnarySide)
    rig.head(
        (b":status", b"409"),
        (b"content-type", b"application/json"),
        (b"a", b"1"),
        (b"trailer-b", b"2"),
    )
    rig.data(b'{"code": "aborted", "message": "no"}', True)
    assert rig.attempt.initial is None
    assert rig.attempt.heard is not None
    assert rig.attempt.heard[:2] == (StatusCode.ABORTED, "no")
    assert rig.attempt.heard.trailing_metadata == (("a", "1"), ("b", "2"))


def test_the_application_cancels() -> None:
    rig = Rig(ConnectStreamSide, whole=False)
    rig.side.end(Outcome(StatusCode.CANCELLED))
    assert rig.connection.resets == [ErrorCode.CANCEL]
    rig.side.send_end(rig.attempt)
    rig.side.writable()
    assert rig.attempt.could_write == 0


def test_flow_control_takes_what_was_parked() -> None:
    rig = Rig(ConnectStreamSide, whole=False)
    rig.attempt.parked = rig.side.parked
    rig.side.writable()
    assert rig.attempt.could_write == 1
    rig.side.send_end(rig.attempt)
    assert rig.attempt.local_closed
    # There is nothing to send any more.
    rig.side.send_message(rig.attempt, b"", b"x")
    assert rig.connection.sent == []


@pytest.mark.parametrize("reason", [Abort(2, "reset", remote=True), Abort(0, "lost", False, True)])
def test_aborts(reason: Abort) -> None:
    rig = Rig()
    rig.side.aborted(reason)
    assert rig.attempt.heard is not None
    assert rig.attempt.heard.unprocessed is reason.unprocessed
