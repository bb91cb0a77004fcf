"""The client's HTTP/1.1 connection alone: requests out, bytes in, stream callbacks."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import LocalError
from clarion.http2 import Abort, Config, ErrorCode

h11 = pytest.importorskip("h11", reason="h11 is not installed")

from support.http1_calls import (  # noqa: E402
    CHUNKED,
    GET,
    HELLO,
    NOTHING,
    OK,
    POST,
    Rig,
    bytewise,
)

# Requests


def test_a_whole_request_says_its_length() -> None:
    rig = Rig()
    call = rig.open(b"lo", prefix=b"hel")
    assert call.local_closed
    assert call.stream_id == 1
    assert rig.sent() == (
        b"POST /a.B/C HTTP/1.1\r\nhost: x.example\r\ncontent-type: application/proto\r\n"
        b"content-length: 5\r\n\r\nhello"
    )


@pytest.mark.parametrize(("fields", "length"), [(POST, b"content-length: 0\r\n"), (GET, b"")])
def test_a_request_without_a_body(fields: Any, length: bytes) -> None:
    rig = Rig()
    rig.open(None, fields=fields)
    head, _, body = rig.sent().partition(b"\r\n\r\n")
    assert head.endswith(b"proto\r\n" + length.strip() if length else b"proto")
    assert not body


def test_a_stream_of_requests_goes_in_chunks() -> None:
    rig = Rig()
    call = rig.open(None, end=False)
    assert rig.sent().endswith(b"transfer-encoding: chunked\r\n\r\n")
    rig.connection.send_message(call, b"he", b"llo")
    assert rig.sent() == b"5\r\nhello\r\n"
    big = bytes(1 << 14)
    rig.connection.send_message(call, b"", big)
    assert rig.sent() == b"4000\r\n" + big + b"\r\n"
    rig.connection.send_message(call, b"", b"")
    assert rig.sent() == b""
    rig.connection.send_end(call)
    assert rig.sent() == b"0\r\n\r\n"
    assert call.local_closed
    rig.connection.send_end(call)
    rig.connection.send_message(call, b"", b"late")
    assert rig.sent() == b""
    assert rig.connection.messages_sent == 3


def test_the_first_message_of_a_stream_goes_with_the_head() -> None:
    rig = Rig()
    call = rig.open(b"hi", end=False)
    assert rig.sent().endswith(b"chunked\r\n\r\n2\r\nhi\r\n")
    rig.connection.send_message(call, b"", b"end", end_stream=True)
    assert rig.sent() == b"3\r\nend\r\n0\r\n\r\n"


def test_what_the_layer_above_may_not_say() -> None:
    rig = Rig()
    names = "connection content-length expect host keep-alive te trailer transfer-encoding upgrade"
    extra = tuple((name.encode(), b"x") for name in names.split())
    rig.open(fields=(*POST, *extra, (b"x-a", b" \tspace "), (b"x-b", b"\xff")))
    sent = rig.sent()
    assert sent.count(b"host:") == 1
    assert sent.count(b"content-length: 2\r\n") == sent.count(b"content-length") == 1
    assert b"x-a: space\r\nx-b: \xff\r\n" in sent
    for name, _value in extra:
        assert b"\r\n" + name + b": x\r\n" not in sent


def test_a_path_that_needs_quoting() -> None:
    rig = Rig()
    rig.open(fields=(*POST[:2], (b":path", b"/a b\r\n\xc3\xa9"), *POST[3:]))
    assert rig.sent().startswith(b"POST /a%20b%0D%0A%C3%A9 HTTP/1.1\r\n")


@pytest.mark.parametrize("field", [(b"x y", b""), (b"x", b"a\r\nb: c"), (b"x", b"\0")])
def test_a_request_that_cannot_be_said(field: Any) -> None:
    rig = Rig()
    with pytest.raises(LocalError, match=r"HTTP/1\.1"):
        rig.open(fields=(*POST, field))
    assert rig.reusable
    assert not rig.connection.streams
    assert rig.sent() == b""


def test_one_call_at_a_time() -> None:
    rig = Rig()
    rig.asked()
    assert not rig.connection.can_open
    with pytest.raises(LocalError, match="can_open"):
        rig.open()
    assert rig.connection.peer_max_concurrent_streams == 1


# Answers

BODIES = {
    "length": b"content-length: 5\r\n\r\nhello",
    "chunked": b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\ngrpc-status: 1\r\n\r\n",
}


@pytest.mark.parametrize("cut", [lambda data: [data], bytewise], ids=["whole", "bytewise"])
@pytest.mark.parametrize("framing", BODIES)
def test_an_answer(framing: str, cut: Any) -> None:
    rig = Rig()
    for _ in range(2):
        call = rig.asked()
        rig.receive(*cut(OK + b"Connection: X-Hop\r\nX-Hop: 1\r\nX-A: b\r\n" + BODIES[framing]))
        assert call.body == b"hello"
        assert call.over
        assert call.local_closed
        assert call.remote_closed
        assert len(call.heads) == 1
        assert call.heads[0][b":status"] == b"200"
        assert call.heads[0][b"x-a"] == b"b"
        assert not {b"connection", b"x-hop", b"transfer-encoding"} & set(call.heads[0])
        assert rig.reusable
    connection = rig.connection
    assert (connection.opened, connection.completed, connection.messages_sent) == (2, 2, 2)
    assert connection.bytes_received > 200
    assert rig.observer.heard == []


def test_the_last_piece_comes_with_the_end() -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(HELLO)
    assert call.pieces == [(b"hello", True)]


def test_pieces_are_not_kept_waiting() -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(CHUNKED + b"2\r\nhe\r\n")
    assert call.pieces == [(b"he", False)]
    rig.receive(b"3\r\nllo\r\n0\r\n\r\n")
    assert call.pieces == [(b"he", False), (b"llo", True)]


def test_an_answer_without_framing_ends_with_the_connection() -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(OK + b"\r\nhel", b"lo")
    assert not call.over
    rig.connection.peer_closed()
    rig.connection.peer_closed()
    assert call.body == b"hello"
    assert call.over
    assert call.abort is None
    assert rig.reason.connection_lost
    assert rig.connection.completed == 1


def test_an_end_that_anybody_may_have_made_is_none() -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(OK + b"\r\nhello")
    rig.connection.peer_closed(certain=False)
    assert call.body == b"hello"
    assert not call.over
    assert call.abort == rig.reason
    assert rig.reason.message == "the server closed the connection within an answer"
    rig = Rig()
    call = rig.asked()
    rig.receive(HELLO)
    rig.connection.peer_closed(certain=False)
    assert call.over


def test_streams_may_close_the_connection_at_its_end() -> None:
    for certain in (True, False):
        rig = Rig()
        call = rig.asked()
        heard = call.data_received

        def stop(data: Any, end: bool, rig: Rig = rig, heard: Any = heard) -> None:
            heard(data, end)
            rig.connection.close("enough")

        call.data_received = stop  # type: ignore[method-assign]
        rig.connection._in_loop = True
        rig.receive(OK + b"\r\nhello")
        rig.connection.peer_closed(certain=certain)
        rig.connection._in_loop = False
        rig.connection.go_on()
        assert call.body == b"hello"
        assert call.abort is not None
        assert rig.reason.message == "enough"


def test_nothing_is_heard_after_the_end() -> None:
    rig = Rig()
    rig.asked()
    rig.receive(HELLO)
    rig.connection.peer_closed()
    rig.connection.peer_closed()
    rig.receive(b"more")
    rig.connection.go_on()
    rig.connection.send_failed("late")
    assert rig.reason.message == "the server closed the connection"
    assert rig.connection.expendable


@pytest.mark.parametrize("status", [b"204", b"304"])
def test_answers_that_have_no_body(status: bytes) -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(b"HTTP/1.1 " + status + b" \r\ncontent-length: 7\r\n\r\n")
    assert call.pieces == [(b"", True)]
    assert rig.reusable


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Connection: x, Close\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello",
    ],
)
def test_the_last_answer_of_a_connection(answer: bytes) -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(answer[:-1])
    assert rig.connection.draining
    assert rig.observer.heard == ["goaway"]
    assert not rig.connection.closed
    rig.receive(answer[-1:])
    assert call.body == b"hello"
    assert call.over
    assert rig.reason.connection_lost
    assert rig.connection.expendable


def test_informational_answers_are_skipped() -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 102",
        b" Processing\r\n\r\n" + HELLO,
    )
    assert len(call.heads) == 1
    assert call.body == b"hello"
    assert rig.reusable


def test_informational_answers_are_few() -> None:
    rig = Rig(max_informational=2)
    for _ in range(2):
        call = rig.asked()
        rig.receive(b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + HELLO)
        assert call.body == b"hello"
    call = rig.asked()
    rig.receive(b"HTTP/1.1 100 Continue\r\n\r\n" * 3)
    assert call.abort is not None
    assert "max_informational" in rig.reason.message


# Hostile answers

BAD = {
    "both lengths": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        "both transfer-encoding and content-length",
    ),
    "chunked 1.0": (
        b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        r"HTTP/1\.0 does not know",
    ),
    "version": (b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n", r"its version is 2\.0"),
    "bare LF": (b"HTTP/1.1 200 OK\r\nx: a\ncontent-length: 0\r\n\r\n", "carriage return"),
    "bare LF of a 1xx": (b"HTTP/1.1 100 Continue\n\n", "carriage return"),
    "bare CR": (b"HTTP/1.1 200 OK\r\nx: a\rb: c\r\n\r\n", "header line"),
    "space before colon": (b"HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\n", "header line"),
    "no blank": (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "header line"),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        "(?i)content-length",
    ),
    "signed length": (b"HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n", "(?i)content-length"),
    "gzip coding": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", "(?i)chunked"),
    "coded twice": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n",
        "(?i)chunked",
    ),
    "switch": (b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\n\r\n", "UPGRADE"),
    "status": (b"HTTP/1.1 099 No\r\n\r\n", "not valid"),
    "chunk size": (CHUNKED + b"0x5\r\nhello\r\n", "chunk"),
    "chunk end": (CHUNKED + b"5\r\nhelloX", "chunk"),
    "HTTP/2": (bytes.fromhex("000012040000000000"), "it speaks HTTP/2"),
    "TLS": (bytes.fromhex("15030100020250"), "it speaks TLS"),
    "other": (b"\0SSH-2.0\r\n\r\n", "it begins with b'.x00SSH-2"),
    "no HTTP": (b"SSH-2.0-x\r\n\r\n", "it begins with b'SSH-2"),
}


@pytest.mark.parametrize("cut", [lambda data: [data], bytewise], ids=["whole", "bytewise"])
@pytest.mark.parametrize("case", BAD)
def test_answers_that_are_none(case: str, cut: Any) -> None:
    rig = Rig()
    call = rig.asked()
    answer, why = BAD[case]
    if case in ("HTTP/2", "TLS"):
        # What it is shows in the first packet only.
        rig.receive(answer)
    else:
        rig.receive(*cut(answer))
    assert call.abort is not None
    assert call.abort == rig.reason
    assert call.abort.code is ErrorCode.PROTOCOL_ERROR
    assert call.abort.connection_lost
    assert not call.abort.remote
    assert not call.abort.unprocessed
    if cut is not bytewise or "begins" not in why:
        assert re.search(why, rig.reason.message), rig.reason.message


def test_a_head_has_a_limit() -> None:
    def answer(size: int) -> bytes:
        head = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: "
        return head + b"y" * (size - len(head) - 4) + b"\r\n\r\n"

    for cut in (lambda data: [data], bytewise):
        for size, taken in ((500, True), (501, False), (700, False)):
            rig = Rig(max_head=500)
            call = rig.asked()
            rig.receive(*cut(answer(size)))
            assert call.over is taken
            if not taken:
                assert call.abort is not None
                assert call.abort.code is ErrorCode.PROTOCOL_ERROR
                assert "more than 500 bytes (max_head)" in call.abort.message


def test_trailers_have_the_limit_of_a_head() -> None:
    rig = Rig(max_head=100)
    call = rig.asked()
    rig.receive(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: " + b"y" * 200)
    assert call.abort is not None
    assert "its trailers have more than 100 bytes (max_head)" in call.abort.message


def test_the_head_of_an_informational_answer_has_the_limit_too() -> None:
    rig = Rig(max_head=100)
    call = rig.asked()
    rig.receive(b"HTTP/1.1 100 Continue\r\nx: " + b"y" * 100 + b"\r\n\r\n" + NOTHING)
    assert call.abort is not None
    assert "max_head" in call.abort.message


def test_headers_have_a_limit() -> None:
    for number, taken in ((5, True), (6, False)):
        rig = Rig(max_fields=5)
        call = rig.asked()
        rig.receive(b"HTTP/1.1 204 OK\r\n" + b"x: y\r\n" * number + b"\r\n")
        assert call.over is taken
    assert "max_fields" in rig.reason.message


def test_what_no_request_asked_for() -> None:
    rig = Rig()
    rig.receive(HELLO)
    assert "no request had asked for" in rig.reason.message
    assert rig.reason.remote
    assert not rig.connection.expendable


def test_an_answer_before_the_request_left() -> None:
    rig = Rig()
    call = rig.open()
    rig.receive(HELLO)
    assert call.abort is not None
    assert call.abort.unprocessed
    assert not call.heads


def test_a_second_answer_is_not_the_next_ones() -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(HELLO + HELLO)
    assert call.body == b"hello"
    assert call.over
    assert rig.connection.closed
    assert rig.connection.completed == 1


@pytest.mark.parametrize(
    ("begin", "when"),
    [
        (b"", "before it answered"),
        (b"HTTP/1.1 200", "before it answered"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "before it answered"),
        (HELLO[:-1], "within an answer"),
        (CHUNKED, "within an answer"),
        (CHUNKED + b"5\r\nhello\r\n", "within an answer"),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", "within an answer"),
        (CHUNKED + b"5\r\nhe", "within an answer"),
    ],
)
def test_the_end_of_the_connection_is_not_the_end_of_an_answer(begin: bytes, when: str) -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(begin)
    assert rig.connection.heard is bool(begin)
    rig.connection.peer_closed()
    assert call.abort is not None
    assert not call.over
    assert call.abort == rig.reason
    assert when in call.abort.message
    assert call.abort.remote
    assert call.abort.connection_lost
    assert not call.abort.unprocessed


def test_the_connection_is_lost() -> None:
    rig = Rig()
    call = rig.asked()
    rig.connection.connection_lost("the cable was cut")
    assert call.abort == Abort(0, "the cable was cut", remote=True, connection_lost=True)


def test_what_the_transport_never_had_no_server_acted_on() -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(HELLO)
    assert not rig.connection.reused
    call = rig.open()
    assert rig.connection.reused
    rig.connection.peer_closed()
    assert call.abort is not None
    assert call.abort.unprocessed
    assert rig.reason.message == "the server closed the connection"


# Any cut

ANSWERS = [
    HELLO,
    OK + BODIES["chunked"],
    b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO,
    OK + b"connection: close\r\n" + BODIES["length"],
    HELLO + b"HTTP",
    *(answer for answer, _ in BAD.values()),
]


def outcome(pieces: list[bytes], window: int = 1 << 20) -> Any:
    """What becomes of a call whose answer comes so, and of its connection."""
    rig = Rig(Config(initial_window=window))
    call = rig.asked()
    for piece in pieces:
        rig.connection.receive_data(piece)
        while rig.connection.held:
            rig.connection.consumed(call, len(call.body))
            rig.connection._uncredited = 0
            rig.connection.go_on()
    code = None if call.abort is None else call.abort.code
    return call.heads, call.body, call.over, code, rig.connection.closed


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_cut_in_two(answer: bytes) -> None:
    whole = outcome([answer])
    for at in range(1, len(answer)):
        cut = outcome([answer[:at], answer[at:]])
        # What follows an answer may come when the connection is free again: it ends it then.
        assert cut == whole, at


@given(
    bodies=st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    cuts=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    window=st.sampled_from([1, 20, 1 << 20]),
)
@settings(max_examples=60, deadline=None)
def test_any_chunks_in_any_pieces(bodies: list[bytes], cuts: list[int], window: int) -> None:
    data = CHUNKED
    data += b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in bodies) + b"0\r\n\r\n"
    pieces, at, turn = [], 0, 0
    while at < len(data):
        pieces.append(data[at : at + cuts[turn % len(cuts)]])
        at += len(pieces[-1])
        turn += 1
    _, body, over, code, closed = outcome(pieces, window)
    assert body == b"".join(bodies)
    assert over
    assert code is None
    assert not closed


@given(messages=st.lists(st.binary(max_size=20_000), max_size=5), first=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_server_reads_what_is_sent(messages: list[bytes], first: bool) -> None:
    rig = Rig()
    call = rig.open(messages[0] if first and messages else None, end=False)
    for message in messages[1 if first else 0 :]:
        rig.connection.send_message(call, b"", message)
    rig.connection.send_end(call)
    server = h11.Connection(h11.SERVER)
    server.receive_data(rig.sent())
    request = server.next_event()
    assert request.target == b"/a.B/C"
    body = b""
    while type(event := server.next_event()) is h11.Data:
        body += event.data
    assert type(event) is h11.EndOfMessage
    assert body == b"".join(messages)
