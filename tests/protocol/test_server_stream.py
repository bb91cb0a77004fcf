"""The server's side of a call on the wire; the client is raw frames."""

from __future__ import annotations

import zlib

import pytest

from clarion.http2 import Abort, Config, Connection
from clarion.protocol.compression import accept_encoding, get_compressor
from clarion.protocol.messages import UnpackFailed
from clarion.protocol.percent import decode_message
from clarion.protocol.server_stream import ServerStream
from clarion.status import StatusCode
from support.http2 import (
    DATA,
    END_STREAM,
    HEADERS,
    REQUEST,
    RST,
    data,
    frame,
    goaway,
    headers,
    rst,
    window_update,
)
from support.wire import ServedStream, ServerSide, message, request_fields

HEAD = {":status": "200", "content-type": "application/grpc"}


@pytest.fixture(params=[False, True], ids=["whole", "bytewise"])
def side(request: pytest.FixtureRequest) -> ServerSide:
    return ServerSide(bytewise=bool(request.param))


def kinds(frames: list[object]) -> list[tuple[int, bool]]:
    return [(each.kind, bool(each.flags & END_STREAM)) for each in frames]  # type: ignore[attr-defined]


# Requests


def test_a_request_in_one_frame_each(side: ServerSide) -> None:
    side.feed(headers(1), data(1, message(b"hello"), end=True))
    stream = side.streams[1]
    assert stream.events == ["started", "ended"]
    assert list(stream.inbox) == [b"hello"]
    assert stream.head.path == "/a.B/C"


@pytest.mark.parametrize("size", [1, 3, 5, 6])
def test_messages_across_data_frames(side: ServerSide, size: int) -> None:
    body = message(b"hello") + message(b"") + message(b"world")
    frames = [data(1, body[at : at + size]) for at in range(0, len(body), size)]
    side.feed(headers(1), *frames, data(1, b"", end=True))
    assert list(side.streams[1].inbox) == [b"hello", b"", b"world"]
    assert side.streams[1].events == ["started", "ended"]


def test_a_request_without_messages(side: ServerSide) -> None:
    side.feed(headers(1, end=True))
    assert side.streams[1].events == ["started", "ended"]


@pytest.mark.parametrize("end", [True, False])
def test_a_request_that_names_an_encoding(side: ServerSide, end: bool) -> None:
    fields = (*request_fields(drop=b"content-type"), (b"content-type", b"application/grpc+json"))
    side.feed(headers(1, fields, end=end), *([] if end else [data(1, message(b"{}"), end=True)]))
    assert side.streams[1].events == ["started", "ended"]
    assert list(side.streams[1].inbox) == ([] if end else [b"{}"])


def test_a_request_that_ends_with_trailers(side: ServerSide) -> None:
    side.feed(headers(1), data(1, message(b"hello")), headers(1, ((b"x", b"y"),), end=True))
    assert side.streams[1].events == ["started", "ended"]


def test_trailers_within_a_message(side: ServerSide) -> None:
    side.feed(headers(1), data(1, message(b"hello")[:-1]), headers(1, ((b"x", b"y"),), end=True))
    [_, (code, details)] = side.streams[1].events
    assert code is StatusCode.INTERNAL
    assert "within a message" in details


def test_trailers_of_a_call_that_is_over(side: ServerSide) -> None:
    side.feed(headers(1), data(1, message(b"hello")))
    side.streams[1].over = True
    side.feed(headers(1, ((b"x", b"y"),), end=True))
    assert side.streams[1].events == ["started"]


def test_malformed_trailers_reset_the_stream_alone(side: ServerSide) -> None:
    frames = side.exchange(headers(1), headers(1, ((b":path", b"/"),), end=True))
    assert [(each.kind, each.code) for each in frames] == [(RST, 1)]
    assert side.streams[1].events == ["started", "aborted"]
    side.feed(headers(3, end=True))
    assert side.streams[3].events == ["started", "ended"]


def test_malformed_requests_reset_the_stream_alone(side: ServerSide) -> None:
    frames = side.exchange(headers(1, REQUEST[1:], end=True))
    assert [(each.kind, each.code) for each in frames] == [(RST, 1)]
    assert side.streams[1].events == []
    side.feed(headers(3, end=True))
    assert side.streams[3].events == ["started", "ended"]


def test_a_promised_body_that_is_missing(side: ServerSide) -> None:
    fields = request_fields((b"content-length", b"5"))
    frames = side.exchange(headers(1, fields, end=True))
    assert [(each.kind, each.code) for each in frames] == [(RST, 1)]
    assert side.streams[1].events == []


def test_missing_bodies_are_charged() -> None:
    """They make us send RST_STREAM, as any stream error does, and floods of that have a budget."""
    side = ServerSide()
    fields = request_fields((b"content-length", b"5"))
    for sid in range(1, 2000, 2):
        side.exchange(headers(sid, fields, end=True))
    assert side.connection.closed


def test_a_body_of_another_size_than_promised(side: ServerSide) -> None:
    fields = request_fields((b"content-length", b"7"))
    frames = side.exchange(headers(1, fields), data(1, message(b"hello"), end=True))
    assert [(each.kind, each.code) for each in frames] == [(RST, 1)]
    assert side.streams[1].events == ["started", "aborted"]


def test_a_body_of_the_promised_size(side: ServerSide) -> None:
    fields = request_fields((b"content-length", b"10"))
    side.feed(headers(1, fields), data(1, message(b"hello"), end=True))
    assert side.streams[1].events == ["started", "ended"]


def test_repeated_heads_are_read_once() -> None:
    side = ServerSide()
    side.feed(headers(1, end=True), headers(3, end=True))
    assert side.streams[1].head is side.streams[3].head


# Refusals


def test_another_method_is_answered_in_http(side: ServerSide) -> None:
    fields = ((b":method", b"GET"), *REQUEST[1:])
    frames = side.exchange(headers(1, fields, end=True))
    assert kinds(frames) == [(HEADERS, True)]
    assert side.answer(frames) == {":status": "405", "allow": "POST"}
    assert side.streams[1].events == []


def test_another_content_type_is_answered_in_http(side: ServerSide) -> None:
    fields = (*request_fields(drop=b"content-type"), (b"content-type", b"application/json"))
    frames = side.exchange(headers(1, fields), data(1, b"{}", end=True))
    assert kinds(frames)[0] == (HEADERS, True)
    assert (frames[1].kind, frames[1].code) == (RST, 0)
    answer = side.answer(frames)
    assert answer[":status"] == "415"
    assert answer["grpc-status"] == "13"
    assert "application/grpc" in answer["grpc-message"]
    assert side.streams[1].events == []


def test_an_unknown_encoding_is_told_what_there_is(side: ServerSide) -> None:
    answer = side.answer(
        side.exchange(headers(1, request_fields((b"grpc-encoding", b"br")), end=True))
    )
    assert answer["grpc-status"] == "12"
    assert answer["grpc-accept-encoding"] == accept_encoding().decode()
    assert "br" in answer["grpc-message"]


def test_no_te_is_refused(side: ServerSide) -> None:
    answer = side.answer(side.exchange(headers(1, request_fields(drop=b"te"), end=True)))
    assert answer["grpc-status"] == "13"
    assert "te: trailers" in answer["grpc-message"]
    assert side.streams[1].events == []


def test_too_much_metadata() -> None:
    side = ServerSide(max_metadata=500)
    fields = request_fields((b"x", b"y" * 500))
    frames = side.exchange(headers(1, fields, end=True))
    assert kinds(frames) == [(HEADERS, True)]
    answer = side.answer(frames)
    assert answer["grpc-status"] == "8"
    assert "vs. 500" in answer["grpc-message"]
    side.feed(headers(3, end=True))
    assert side.streams[3].events == ["started", "ended"]


def test_too_large_a_message() -> None:
    side = ServerSide(max_receive=4)
    frames = side.exchange(headers(1), data(1, message(b"12345")))
    assert kinds(frames)[0] == (HEADERS, True)
    assert (frames[1].kind, frames[1].code) == (RST, 0)
    answer = side.answer(frames)
    assert answer == HEAD | {
        "grpc-status": "8",
        "grpc-message": "SERVER: Received message larger than max (5 vs. 4)",
    }
    # What was on its way is ignored, and the connection goes on.
    side.exchange(data(1, message(b"1")), headers(3), data(3, message(b"1234"), end=True))
    assert list(side.streams[3].inbox) == [b"1234"]


def test_a_broken_prefix(side: ServerSide) -> None:
    answer = side.answer(side.exchange(headers(1), data(1, message(b"x", flag=7), end=True)))
    assert answer["grpc-status"] == "13"


# Compression


def test_a_compressed_request(side: ServerSide) -> None:
    fields = request_fields((b"grpc-encoding", b"gzip"))
    body = zlib.compress(b"hello", wbits=31)
    side.feed(headers(1, fields), data(1, message(body, flag=1) + message(b"plain"), end=True))
    stream = side.streams[1]
    assert [stream.unpack(each) for each in stream.inbox] == [b"hello", b"plain"]


def test_the_compressed_flag_without_encoding(side: ServerSide) -> None:
    side.feed(headers(1), data(1, message(b"x", flag=1), end=True))
    stream = side.streams[1]
    with pytest.raises(UnpackFailed) as caught:
        stream.unpack(stream.take_message())
    assert caught.value.code is StatusCode.INTERNAL


def test_a_bomb_is_not_unpacked() -> None:
    side = ServerSide(max_receive=100_000)
    body = zlib.compress(bytes(10_000_000), wbits=31)
    fields = request_fields((b"grpc-encoding", b"gzip"))
    side.feed(headers(1, fields), data(1, message(body, flag=1), end=True))
    stream = side.streams[1]
    assert sum(map(len, stream.inbox)) < 20_000
    with pytest.raises(UnpackFailed) as caught:
        stream.unpack(stream.take_message())
    assert caught.value.code is StatusCode.RESOURCE_EXHAUSTED


def test_compressed_responses(side: ServerSide) -> None:
    side.feed(headers(1, end=True))
    stream = side.streams[1]
    stream.encoder = get_compressor("gzip")
    stream.send_initial_metadata(((b"x", b"1"),))
    stream.send_response(b"hello")
    stream.send_response(b"plain", compress=False)
    stream.send_status(StatusCode.OK)
    frames = side.frames()
    head = side.heads.read(frames[0].payload)
    assert head == HEAD | {
        "grpc-encoding": "gzip",
        "grpc-accept-encoding": accept_encoding().decode(),
        "x": "1",
    }
    first, second = (each.payload for each in frames if each.kind == DATA)
    assert first[0] == 1
    assert zlib.decompress(first[5:], wbits=31) == b"hello"
    assert second == message(b"plain")


def test_a_compressed_request_is_told_what_else_there_is(side: ServerSide) -> None:
    side.feed(headers(1, request_fields((b"grpc-encoding", b"gzip")), end=True))
    side.streams[1].send_initial_metadata(())
    head = side.heads.read(side.frames()[0].payload)
    assert head == HEAD | {"grpc-accept-encoding": accept_encoding().decode()}


# Responses


def test_the_usual_response(side: ServerSide) -> None:
    side.feed(headers(1, end=True))
    side.streams[1].send_ok_response(b"hello")
    frames = side.frames()
    assert kinds(frames) == [(HEADERS, False), (DATA, False), (HEADERS, True)]
    assert frames[1].payload == message(b"hello")
    assert side.answer(frames) == HEAD | {"grpc-status": "0"}
    assert side.connection.streams == {}
    assert side.streams[1].over


def test_the_usual_response_when_the_window_is_too_small() -> None:
    side = ServerSide(values={4: 7})
    side.feed(headers(1, end=True))
    stream = side.streams[1]
    stream.send_ok_response(b"hello")
    frames = side.frames()
    assert kinds(frames) == [(HEADERS, False), (DATA, False)]
    assert frames[1].payload == message(b"hello")[:7]
    rest = side.exchange(window_update(1, 100))
    assert kinds(rest) == [(DATA, False), (HEADERS, True)]
    assert rest[0].payload == message(b"hello")[7:]
    assert side.answer(frames + rest) == HEAD | {"grpc-status": "0"}


def test_the_usual_response_takes_a_table_size_update_along() -> None:
    side = ServerSide(values={1: 0})
    side.feed(headers(1, end=True))
    side.streams[1].send_ok_response(b"")
    side.heads._decoder.max_allowed_table_size = 0
    assert side.answer(side.frames()) == HEAD | {"grpc-status": "0"}


def test_streamed_responses_and_trailers(side: ServerSide) -> None:
    side.feed(headers(1))
    stream = side.streams[1]
    stream.send_initial_metadata(())
    stream.send_response(b"1")
    stream.send_response(b"2")
    stream.send_status(StatusCode.ABORTED, "50% ä", ((b"x", b"1"),))
    frames = side.frames()
    assert kinds(frames) == [
        (HEADERS, False),
        (DATA, False),
        (DATA, False),
        (HEADERS, True),
        (RST, True),
    ] or kinds(frames)[:4] == [(HEADERS, False), (DATA, False), (DATA, False), (HEADERS, True)]
    # RFC 9113 §8.1: the client had not finished, so it is told that the rest is not wanted.
    assert (frames[4].kind, frames[4].code) == (RST, 0)
    answer = side.answer(frames)
    assert answer == HEAD | {"grpc-status": "10", "grpc-message": "50%25 %C3%A4", "x": "1"}


def test_trailers_only(side: ServerSide) -> None:
    side.feed(headers(1, end=True))
    stream = side.streams[1]
    stream.send_status(StatusCode.NOT_FOUND, "nothing", ((b"x", b"1"),))
    frames = side.frames()
    assert kinds(frames) == [(HEADERS, True)]
    answer = side.answer(frames)
    assert answer == HEAD | {"grpc-status": "5", "grpc-message": "nothing", "x": "1"}
    assert stream.headers_sent


def test_an_unimplemented_method_says_what_encodings_there_are(side: ServerSide) -> None:
    side.feed(headers(1, end=True))
    side.streams[1].send_status(StatusCode.UNIMPLEMENTED)
    assert side.answer(side.frames()) == HEAD | {
        "grpc-status": "12",
        "grpc-accept-encoding": accept_encoding().decode(),
    }


def test_writable_follows_what_was_parked() -> None:
    side = ServerSide(values={4: 8})
    side.feed(headers(1, end=True))
    stream = side.streams[1]
    stream.send_initial_metadata(())
    stream.send_response(b"hello")
    assert stream.parked is not None
    assert "writable" not in stream.events
    side.frames()
    side.exchange(window_update(1, 2))
    assert stream.parked is None
    assert stream.events[-1] == "writable"


# Long status messages


@pytest.mark.parametrize("text", ["x" * 50_000, "ä%" * 20_000])
@pytest.mark.parametrize("limit", [600, 16_384])
def test_a_status_message_is_cut_to_what_the_client_takes(text: str, limit: int) -> None:
    side = ServerSide(values={6: limit})
    side.feed(headers(1, end=True))
    side.streams[1].send_status(StatusCode.INTERNAL, text, ((b"k", b"v"),))
    answer = side.answer(side.frames())
    assert answer["grpc-status"] == "13"
    assert answer["k"] == "v"
    details = decode_message(answer["grpc-message"].encode())
    assert details.endswith("...")
    assert text.startswith(details[:-3].rstrip("\ufffd"))
    size = sum(len(name) + len(value) + 32 for name, value in answer.items())
    assert limit - 600 < size <= max(limit, 900)


def test_a_status_message_is_not_cut_without_need() -> None:
    side = ServerSide(values={6: 16_384})
    side.feed(headers(1, end=True))
    side.streams[1].send_status(StatusCode.INTERNAL, "x" * 10_000)
    assert side.answer(side.frames())["grpc-message"] == "x" * 10_000


def test_a_client_that_names_no_limit_gets_all() -> None:
    side = ServerSide()
    side.feed(headers(1, end=True))
    side.streams[1].send_status(StatusCode.INTERNAL, "x" * 10_000)
    assert side.answer(side.frames())["grpc-message"] == "x" * 10_000


# Ends that the client makes


@pytest.mark.parametrize("cut", [rst(1), rst(1, 0), goaway(0, 2)])
def test_after_a_reset_nothing_is_sent(cut: bytes) -> None:
    side = ServerSide()
    side.feed(headers(1))
    stream = side.streams[1]
    side.exchange(rst(1) if cut == goaway(0, 2) else cut)
    assert stream.events == ["started", "aborted"]
    assert stream.gone
    stream.send_initial_metadata(())
    stream.send_response(b"x")
    stream.send_ok_response(b"x")
    stream.send_status(StatusCode.OK)
    assert side.frames() == []


def test_a_reset_says_why() -> None:
    side = ServerSide()
    side.feed(headers(1), rst(1, 8))
    abort: Abort = side.streams[1].abort
    assert (abort.code, abort.remote) == (8, True)


def test_a_lost_connection_aborts_every_call() -> None:
    side = ServerSide()
    side.feed(headers(1), headers(3))
    side.connection.connection_lost("gone")
    assert [side.streams[sid].events for sid in (1, 3)] == [["started", "aborted"]] * 2
    assert side.streams[1].abort.connection_lost


def test_an_upload_that_nobody_reads_stops() -> None:
    config = Config(initial_window=65_535, max_window=65_535)
    side = ServerSide(config=config, max_receive=100_000)
    side.feed(headers(1))
    stream = side.streams[1]
    piece = message(b"x" * 16_000)
    sent = 0
    credit = 65_535
    while credit >= len(piece):
        frames = side.exchange(data(1, piece))
        sent += len(piece)
        credit -= len(piece)
        credit += sum(each.number for each in frames if each.kind == 8 and each.sid == 1)
        assert sent < 200_000
    waiting = len(stream.inbox)
    for _ in range(waiting):
        stream.take_message()
    returned = sum(each.number for each in side.frames() if each.kind == 8 and each.sid == 1)
    assert credit + returned + stream.recv_credit == 65_535


def test_what_the_subclass_must_do() -> None:
    side = ServerSide(make=lambda connection, sid: Bare(connection, sid))
    stream = Bare(side.connection, 1)
    with pytest.raises(NotImplementedError):
        stream.call_started()
    with pytest.raises(NotImplementedError):
        stream.call_aborted(Abort(0, ""))


class Bare(ServerStream):
    def __init__(self, connection: Connection, stream_id: int) -> None:
        ServerStream.__init__(self, connection, stream_id, 0, 0)


def test_frames_of_streams_do_not_mix() -> None:
    side = ServerSide()
    side.feed(headers(1), headers(3), data(1, message(b"one")), data(3, message(b"three")))
    side.feed(data(1, b"", end=True), frame(DATA, END_STREAM, 3))
    assert [list(side.streams[sid].inbox) for sid in (1, 3)] == [[b"one"], [b"three"]]
    assert isinstance(side.streams[1], ServedStream)
