"""Every malformed preface, frame, size and flag: which error code it gets, and who is hit by it.

Each case is fed whole and byte by byte. Stream 1 stays open beside stream errors and must work on.
"""

from __future__ import annotations

import pytest

from clarion.http2 import Config, ErrorCode
from support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITISED,
    PRIORITY,
    PUSH,
    REQUEST,
    RESPONSE,
    RST,
    SETTINGS,
    TRAILERS,
    WINDOW,
    Side,
    block,
    client,
    data,
    frame,
    goaway,
    headers,
    rst,
    server,
    settings,
    window_update,
)

PROTOCOL = ErrorCode.PROTOCOL_ERROR
SIZE = ErrorCode.FRAME_SIZE_ERROR
FLOW = ErrorCode.FLOW_CONTROL_ERROR
CLOSED = ErrorCode.STREAM_CLOSED
COMPRESSION = ErrorCode.COMPRESSION_ERROR

BLOCK = block(REQUEST)
BIG = 2**31 - 1
# Stream 1 is open, 3 half-closed by the client, 5 reset by the client, 7 finished by both sides.
OPEN, HALF, RESET, DONE, IDLE = 1, 3, 5, 7, 9
SMALL = Config(initial_window=100, connection_window=65_535)


def busy_server(bytewise: bool, config: Config | None = None) -> Side:
    side = server(config, bytewise=bytewise)
    side.feed(headers(OPEN), headers(HALF, end=True), headers(RESET), rst(RESET))
    side.feed(headers(DONE, end=True))
    side.connection.respond(
        side.opened[DONE], block(RESPONSE), b"\0\0\0\0\1", b"x", block(TRAILERS)
    )
    assert side.connection.completed == 1
    side.frames()
    return side


def check_fatal(side: Side, sent: bytes, code: ErrorCode) -> None:
    others = [stream for stream in side.opened.values() if not stream.local_closed]
    last = side.exchange(sent)[-1]
    assert last.kind == GOAWAY
    assert ErrorCode(last.code) is code
    assert last.payload[8:], "debug data says what was wrong"
    assert side.observer.reason is not None
    assert (side.observer.reason.code, side.observer.reason.connection_lost) == (code, True)
    assert all(stream.abort is side.observer.reason for stream in others)
    assert side.exchange(frame(PING, 0, 0, bytes(8))) == []


CONNECTION_ERRORS = {
    # §5.1: idle streams
    "DATA on an idle stream": (data(IDLE, b"x"), PROTOCOL),
    "empty DATA on an idle stream": (data(IDLE, b"", end=True), PROTOCOL),
    "RST_STREAM on an idle stream": (rst(IDLE), PROTOCOL),
    "WINDOW_UPDATE on an idle stream": (window_update(IDLE, 1), PROTOCOL),
    "CONTINUATION on an idle stream": (frame(CONTINUATION, END_HEADERS, IDLE, BLOCK), PROTOCOL),
    "WINDOW_UPDATE on an idle stream of ours": (window_update(2, 1), PROTOCOL),
    "PRIORITY of a wrong size on an idle stream": (frame(PRIORITY, 0, IDLE, bytes(4)), SIZE),
    # §5.1: closed streams
    "HEADERS on a finished stream": (headers(DONE), CLOSED),
    "HEADERS on a stream that the peer reset": (headers(RESET), CLOSED),
    "CONTINUATION without HEADERS": (frame(CONTINUATION, END_HEADERS, HALF, BLOCK), PROTOCOL),
    # §5.1.1
    "HEADERS on an even stream": (headers(IDLE + 1), PROTOCOL),
    # §6.1
    "DATA on stream 0": (data(0, b"x"), PROTOCOL),
    "padded DATA without pad length": (frame(DATA, PADDED, OPEN), SIZE),
    "DATA that is less than its padding": (frame(DATA, PADDED, OPEN, b"\5abcd"), PROTOCOL),
    "DATA above the frame size limit": (frame(DATA, 0, OPEN, bytes(16_385)), SIZE),
    # §6.2
    "HEADERS on stream 0": (headers(0), PROTOCOL),
    "padded HEADERS without pad length": (frame(HEADERS, PADDED | END_HEADERS, IDLE), SIZE),
    "HEADERS less than their padding": (
        frame(HEADERS, PADDED | END_HEADERS, IDLE, b"\x09" + b"\x82" * 8),
        PROTOCOL,
    ),
    "HEADERS too short for priority": (
        frame(HEADERS, PRIORITISED | END_HEADERS, IDLE, bytes(4)),
        SIZE,
    ),
    "HEADERS too short for padding and priority": (
        frame(HEADERS, PADDED | PRIORITISED | END_HEADERS, IDLE, bytes(5)),
        SIZE,
    ),
    "HEADERS that depend on themselves": (
        frame(HEADERS, PRIORITISED | END_HEADERS, IDLE, bytes([0, 0, 0, IDLE, 1]) + BLOCK),
        PROTOCOL,
    ),
    "HEADERS above the frame size limit": (frame(HEADERS, 4, IDLE, bytes(16_385)), SIZE),
    "a block with a bad index": (frame(HEADERS, END_HEADERS, IDLE, b"\xff\xff\x7f"), COMPRESSION),
    "a block that ends within a string": (
        frame(HEADERS, END_HEADERS, IDLE, b"\0\5ab"),
        COMPRESSION,
    ),
    "a bad block on a stream that is over": (frame(HEADERS, 4, RESET, b"\x80"), COMPRESSION),
    # §6.3
    "PRIORITY on stream 0": (frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL),
    "PRIORITY on itself": (frame(PRIORITY, 0, OPEN, bytes([0, 0, 0, OPEN, 1])), PROTOCOL),
    # §6.4
    "RST_STREAM on stream 0": (rst(0), PROTOCOL),
    "RST_STREAM of 3 bytes": (frame(RST, 0, OPEN, bytes(3)), SIZE),
    "RST_STREAM of 5 bytes": (frame(RST, 0, OPEN, bytes(5)), SIZE),
    # §6.5
    "SETTINGS on a stream": (frame(SETTINGS, 0, OPEN), PROTOCOL),
    "SETTINGS of 5 bytes": (frame(SETTINGS, 0, 0, bytes(5)), SIZE),
    "SETTINGS ACK with a payload": (frame(SETTINGS, ACK, 0, bytes(6)), SIZE),
    "ENABLE_PUSH of 2": (settings({2: 2}), PROTOCOL),
    "INITIAL_WINDOW_SIZE above 2^31-1": (settings({4: 2**31}), FLOW),
    "MAX_FRAME_SIZE too small": (settings({5: 16_383}), PROTOCOL),
    "MAX_FRAME_SIZE too large": (settings({5: 2**24}), PROTOCOL),
    "INITIAL_WINDOW_SIZE that overflows a stream": (
        window_update(OPEN, BIG - 65_535) + settings({4: 65_536}),
        FLOW,
    ),
    # §6.6
    "PUSH_PROMISE": (frame(PUSH, END_HEADERS, OPEN, bytes([0, 0, 0, 2]) + BLOCK), PROTOCOL),
    # §6.7
    "PING on a stream": (frame(PING, 0, OPEN, bytes(8)), PROTOCOL),
    "PING of 7 bytes": (frame(PING, 0, 0, bytes(7)), SIZE),
    "PING ACK of 9 bytes": (frame(PING, ACK, 0, bytes(9)), SIZE),
    # §6.8
    "GOAWAY on a stream": (frame(GOAWAY, 0, OPEN, bytes(8)), PROTOCOL),
    "GOAWAY of 7 bytes": (frame(GOAWAY, 0, 0, bytes(7)), SIZE),
    # §6.9
    "WINDOW_UPDATE of 3 bytes": (frame(WINDOW, 0, OPEN, bytes(3)), SIZE),
    "WINDOW_UPDATE of 5 bytes": (frame(WINDOW, 0, 0, bytes(5)), SIZE),
    "WINDOW_UPDATE by zero on the connection": (window_update(0, 0), PROTOCOL),
    "the connection's window above 2^31-1": (window_update(0, BIG), FLOW),
    # §6.10
    "CONTINUATION on another stream": (
        frame(HEADERS, 0, IDLE, BLOCK) + frame(CONTINUATION, END_HEADERS, IDLE + 2, b""),
        PROTOCOL,
    ),
    "DATA within a header block": (frame(HEADERS, 0, IDLE, BLOCK) + data(OPEN, b"x"), PROTOCOL),
    "HEADERS within a header block": (frame(HEADERS, 0, IDLE, BLOCK) + headers(11), PROTOCOL),
    "an unknown frame within a header block": (
        frame(HEADERS, 0, IDLE, BLOCK) + frame(0xFA),
        PROTOCOL,
    ),
    "CONTINUATION after the block's end": (
        headers(IDLE) + frame(CONTINUATION, END_HEADERS, IDLE, b""),
        PROTOCOL,
    ),
    "CONTINUATION on stream 0": (frame(CONTINUATION, END_HEADERS, 0, b""), PROTOCOL),
    "an unknown frame above the frame size limit": (frame(0xFA, 0, 0, bytes(16_385)), SIZE),
}


@pytest.mark.parametrize("case", CONNECTION_ERRORS)
def test_connection_errors(case: str, bytewise: bool) -> None:
    sent, code = CONNECTION_ERRORS[case]
    check_fatal(busy_server(bytewise), sent, code)


STREAM_ERRORS = {
    # §5.1
    "DATA on a half-closed stream": (data(HALF, b"x"), HALF, CLOSED),
    "DATA on a finished stream": (data(DONE, b"x", end=True), DONE, CLOSED),
    "padded DATA on a finished stream": (frame(DATA, PADDED, DONE, b"\2x\0\0"), DONE, CLOSED),
    "DATA on a stream that the peer reset": (data(RESET, b"x"), RESET, CLOSED),
    "HEADERS on a half-closed stream": (headers(HALF, TRAILERS, end=True), HALF, CLOSED),
    # §5.4.1, §6.3
    "PRIORITY of 4 bytes": (frame(PRIORITY, 0, HALF, bytes(4)), HALF, SIZE),
    "PRIORITY of 6 bytes on a finished stream": (frame(PRIORITY, 0, DONE, bytes(6)), DONE, SIZE),
    # §6.9
    "WINDOW_UPDATE by zero": (window_update(HALF, 0), HALF, PROTOCOL),
    "a stream's window above 2^31-1": (window_update(HALF, BIG), HALF, FLOW),
    # §8.1
    "trailers without END_STREAM": (headers(IDLE) + headers(IDLE, TRAILERS), IDLE, PROTOCOL),
}


@pytest.mark.parametrize("case", STREAM_ERRORS)
def test_stream_errors(case: str, bytewise: bool) -> None:
    sent, sid, code = STREAM_ERRORS[case]
    side = busy_server(bytewise)
    answer = side.exchange(sent)
    assert [(f.kind, f.sid) for f in answer] == [(RST, sid)]
    assert ErrorCode(answer[0].code) is code
    stream = side.opened[sid]
    if sid not in (RESET, DONE):
        assert stream.abort is not None
        assert (stream.abort.code, stream.abort.remote) == (code, False)
    check_survivor(side)


def check_survivor(side: Side) -> None:
    """Stream 1 and the connection are as good as before."""
    connection = side.connection
    stream = side.opened[OPEN]
    side.feed(data(OPEN, b"hello", end=True))
    assert (stream.body, stream.ended, stream.abort) == (b"hello", True, None)
    connection.send_headers(stream, connection.encoder.encode(RESPONSE))
    connection.send_message(stream, b"", b"world")
    connection.send_trailers(stream, TRAILERS)
    assert [(f.kind, f.flags, f.sid) for f in side.frames()] == [
        (HEADERS, END_HEADERS, OPEN),
        (DATA, 0, OPEN),
        (HEADERS, END_HEADERS | END_STREAM, OPEN),
    ]
    assert not connection.closed


@pytest.mark.parametrize("padded", [False, True])
def test_more_data_than_the_streams_window(bytewise: bool, padded: bool) -> None:
    side = server(SMALL, bytewise=bytewise, setup=lambda stream: setattr(stream, "credit", False))
    side.feed(headers(OPEN), headers(HALF))
    side.feed(data(HALF, bytes(60)))
    over = frame(DATA, PADDED, HALF, b"\5" + bytes(41)) if padded else data(HALF, bytes(41))
    answer = side.exchange(over, data(HALF, b"under way"))
    assert [(f.kind, f.sid, f.code) for f in answer] == [(RST, HALF, FLOW)]
    assert len(side.opened[HALF].body) == 60
    check_survivor(side)


def test_more_data_than_the_connections_window() -> None:
    side = server(Config(connection_window=65_535))
    side.feed(*(headers(sid) for sid in range(1, 11, 2)))
    side.connection.recv_window = 100
    check_fatal(side, data(1, bytes(101)), FLOW)


def test_more_padded_data_than_the_connections_window() -> None:
    side = server()
    side.feed(headers(1))
    side.connection.recv_window = 100
    check_fatal(side, frame(DATA, PADDED, 1, bytes(101)), FLOW)


LENGTH = (b"content-length", b"5")
CONTENT_LENGTH = {
    "too short": data(HALF, b"1234", end=True),
    "too long": data(HALF, b"123456"),
    "too long in two frames": data(HALF, b"123") + data(HALF, b"456", end=True),
    "nothing": data(HALF, b"", end=True),
    "only padding": frame(DATA, PADDED | END_STREAM, HALF, b"\2\0\0"),
    "short, then trailers": data(HALF, b"1234") + headers(HALF, TRAILERS, end=True),
}


@pytest.mark.parametrize("case", CONTENT_LENGTH)
def test_content_length_is_not_met(case: str, bytewise: bool) -> None:
    """§8.1.1, for a layer above that says what was promised."""
    side = server(bytewise=bytewise, setup=lambda s: setattr(s, "content_left", 5))
    side.feed(headers(HALF - 2))
    side.opened[OPEN].content_left = None
    side.feed(headers(HALF, (*REQUEST, LENGTH)))
    answer = side.exchange(CONTENT_LENGTH[case])
    assert [(f.kind, f.sid, f.code) for f in answer] == [(RST, HALF, PROTOCOL)]
    assert not side.opened[HALF].ended
    check_survivor(side)


def test_content_length_is_met(bytewise: bool) -> None:
    side = server(bytewise=bytewise, setup=lambda s: setattr(s, "content_left", 5))
    side.feed(headers(1), data(1, b"123"), data(1, b"45"), headers(1, TRAILERS, end=True))
    side.feed(headers(3), data(3, b"123"), frame(DATA, PADDED | END_STREAM, 3, b"\x0045"))
    for sid in (1, 3):
        assert (side.opened[sid].body, side.opened[sid].ended) == (b"12345", True)
    assert side.frames() == []


CLIENT_ERRORS = {
    "ENABLE_PUSH from a server": (settings({2: 1}), PROTOCOL),
    "PUSH_PROMISE": (frame(PUSH, END_HEADERS, 1, bytes([0, 0, 0, 2]) + BLOCK), PROTOCOL),
    "HEADERS on a stream of the server's": (headers(2, RESPONSE), PROTOCOL),
    "HEADERS on an idle stream": (headers(5, RESPONSE), PROTOCOL),
    "DATA on an idle stream": (data(5, b"x"), PROTOCOL),
    "RST_STREAM on an idle stream": (rst(5), PROTOCOL),
    "a block with a bad index": (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\x7f"), COMPRESSION),
}


@pytest.mark.parametrize("case", CLIENT_ERRORS)
def test_connection_errors_of_a_server(case: str, bytewise: bool) -> None:
    side = client(bytewise=bytewise)
    side.open()
    side.open(end=True)
    sent, code = CLIENT_ERRORS[case]
    check_fatal(side, sent, code)


def test_stream_errors_of_a_server(bytewise: bool) -> None:
    side = client(bytewise=bytewise)
    first, second = side.open(end=True), side.open(end=True)
    side.frames()
    side.feed(headers(1, RESPONSE, end=True))
    assert first.ended
    answer = side.exchange(data(1, b"late"), headers(1, TRAILERS), window_update(3, 0))
    assert [(f.kind, f.sid) for f in answer] == [(RST, 1), (RST, 3)]
    assert [f.code for f in answer] == [CLOSED, PROTOCOL]
    assert second.abort is not None
    assert not side.connection.closed


def test_a_late_header_list_of_a_server_is_a_stream_error() -> None:
    side = client()
    side.open(end=True)
    side.frames()
    answer = side.exchange(headers(1, RESPONSE, end=True), headers(1, TRAILERS, end=True))
    assert [(f.kind, f.sid, f.code) for f in answer] == [(RST, 1, CLOSED)]


TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n", "the client speaks HTTP/1: b'GET /index"),
        (b"POST /a.B/C HTTP/1.0\r\n\r\n", "gRPC needs HTTP/2"),
        (TLS_HELLO, "the client speaks TLS"),
        (PREFACE[:-1] + b"x" + settings(), "not an HTTP/2 connection preface: b'PRI"),
        (PREFACE[:18] + b"XX", "not an HTTP/2 connection preface"),
        (bytes(24), "not an HTTP/2 connection preface"),
    ],
)
def test_a_bad_preface(sent: bytes, message: str) -> None:
    side = Side()
    side.connection.start()
    side.output()
    check_fatal(side, sent, PROTOCOL)
    assert side.observer.reason is not None
    assert message in side.observer.reason.message


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", TLS_HELLO])
def test_a_bad_preface_in_pieces(sent: bytes) -> None:
    side = Side(bytewise=True)
    side.connection.start()
    side.output()
    check_fatal(side, sent, PROTOCOL)


@pytest.mark.parametrize("is_client", [False, True])
@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (frame(PING, 0, 0, bytes(8)), "the first frame has type 6"),
        (headers(1), "the first frame has type 1"),
        (window_update(0, 1), "the first frame has type 8"),
        (frame(0xFA), "the first frame has type 250"),
        (frame(SETTINGS, ACK), "acknowledgement"),
    ],
)
def test_the_first_frame_is_not_settings(
    sent: bytes, message: str, is_client: bool, bytewise: bool
) -> None:
    side = Side(client=is_client, bytewise=bytewise)
    side.connection.start()
    side.output()
    check_fatal(side, sent if is_client else PREFACE + sent, PROTOCOL)
    assert side.observer.reason is not None
    assert message in side.observer.reason.message


@pytest.mark.parametrize(
    ("sent", "code", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", PROTOCOL, "the peer speaks HTTP/1.1"),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", PROTOCOL, "the peer speaks HTTP/1.1"),
        (b"\x15\x03\x01\x00\x02\x02\x46\0\0", PROTOCOL, "the peer speaks TLS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", SIZE, "first bytes are b'SSH-2.0-O'"),
    ],
)
def test_a_peer_that_speaks_something_else(
    sent: bytes, code: ErrorCode, message: str, bytewise: bool
) -> None:
    side = Side(client=True, bytewise=bytewise)
    side.connection.start()
    side.output()
    stream = side.open()
    check_fatal(side, sent, code)
    assert stream.abort is not None
    assert message in stream.abort.message


def test_a_short_tls_alert_explains_the_loss() -> None:
    side = Side(client=True)
    side.connection.start()
    side.feed(b"\x15\x03\x03\x00\x02\x02\x46")
    side.connection.connection_lost("the peer closed the connection")
    assert side.observer.reason is not None
    assert "TLS" in side.observer.reason.message


def test_goaway_and_reset_are_no_violation(bytewise: bool) -> None:
    """What looks like the cases above and is allowed."""
    side = busy_server(bytewise)
    allowed = [
        frame(PRIORITY, 0, IDLE, bytes([0, 0, 0, 0, 1])),
        frame(PRIORITY, 0, DONE, bytes([0, 0, 0, 0, 1])),
        window_update(DONE, 1),
        window_update(RESET, BIG),
        rst(DONE),
        rst(RESET),
        frame(0xFA, 0xFF, OPEN, b"anything"),
        frame(0xFA, 0, 0),
        settings({0xF0F0: 5, 2: 0}),
        goaway(0),
        frame(PING, 0xFE, 0, bytes(8)),
        frame(HEADERS, 0x80 | 0x40 | END_HEADERS, 2**31 + IDLE, BLOCK),
    ]
    answer = side.exchange(*allowed)
    assert [(f.kind, f.flags) for f in answer] == [(SETTINGS, ACK), (PING, ACK)]
    assert IDLE in side.opened
    check_survivor(side)
