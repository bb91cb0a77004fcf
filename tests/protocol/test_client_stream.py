"""The client's side of a call on the wire; the server is raw frames."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.http2 import Abort
from clarion.protocol.client_stream import ClientStream
from clarion.protocol.messages import UnpackFailed
from clarion.protocol.outcome import OK
from clarion.status import StatusCode
from support.http2 import (
    RESPONSE,
    RST,
    TRAILERS,
    Fields,
    data,
    frame,
    goaway,
    headers,
    rst,
)
from support.wire import ClientSide, message


@pytest.fixture(params=[False, True], ids=["whole", "bytewise"])
def side(request: pytest.FixtureRequest) -> ClientSide:
    return ClientSide(bytewise=bool(request.param))


def status(number: int, text: bytes = b"", *extra: tuple[bytes, bytes]) -> Fields:
    fields: Fields = ((b"grpc-status", b"%d" % number),)
    if text:
        fields += ((b"grpc-message", text),)
    return fields + extra


# The usual


def test_a_response(side: ClientSide) -> None:
    fields = (*RESPONSE, (b"x", b"1"))
    side.feed(headers(1, fields))
    assert side.stream.initial == (("x", "1"),)
    side.feed(data(1, message(b"hello")), headers(1, TRAILERS, end=True))
    assert list(side.stream.inbox) == [b"hello"]
    assert side.outcome is OK
    assert side.frames() == []
    assert side.connection.streams == {}


@pytest.mark.parametrize("size", [1, 4, 5, 7])
def test_messages_across_data_frames(side: ClientSide, size: int) -> None:
    body = message(b"hello") + message(b"") + message(b"world")
    frames = [data(1, body[at : at + size]) for at in range(0, len(body), size)]
    side.feed(headers(1, RESPONSE), *frames, headers(1, TRAILERS, end=True))
    assert list(side.stream.inbox) == [b"hello", b"", b"world"]
    assert side.outcome is OK


def test_a_status_with_everything(side: ClientSide) -> None:
    trailers = status(9, b"50%25 %C3%A4", (b"x", b"1"), (b"y-bin", b"AQI,Aw"))
    side.feed(headers(1, RESPONSE), headers(1, trailers, end=True))
    outcome = side.outcome
    assert outcome.code is StatusCode.FAILED_PRECONDITION
    assert outcome.details == "50% ä"
    assert outcome.trailing_metadata == (("x", "1"), ("y-bin", b"\1\2"), ("y-bin", b"\3"))
    assert not outcome.unprocessed


def test_ok_with_a_message_and_metadata(side: ClientSide) -> None:
    side.feed(headers(1, RESPONSE), headers(1, status(0, b"fine", (b"x", b"1")), end=True))
    assert side.outcome[:3] == (StatusCode.OK, "", (("x", "1"),))


def test_ok_with_a_message_alone(side: ClientSide) -> None:
    side.feed(headers(1, RESPONSE), headers(1, status(0, b"fine"), end=True))
    assert side.outcome[:2] == (StatusCode.OK, "")


def test_trailers_only(side: ClientSide) -> None:
    fields = RESPONSE + status(5, b"nothing", (b"x", b"1"))
    side.feed(headers(1, fields, end=True))
    outcome = side.outcome
    assert outcome[:3] == (StatusCode.NOT_FOUND, "nothing", (("x", "1"),))
    assert outcome.debug == "Trailers-Only"
    assert side.stream.initial is None


def test_trailers_only_without_a_content_type(side: ClientSide) -> None:
    side.feed(headers(1, ((b":status", b"200"), *status(5)), end=True))
    assert side.outcome.code is StatusCode.NOT_FOUND


def test_repeated_heads_and_trailers_are_read_once() -> None:
    side = ClientSide()
    side.feed(headers(1, (*RESPONSE, (b"x", b"1"))), headers(1, status(5, b"no"), end=True))
    again = ClientStreamOf(side)
    sid = again.stream_id
    side.feed(headers(sid, (*RESPONSE, (b"x", b"1"))), headers(sid, status(5, b"no"), end=True))
    assert again.outcome is side.outcome
    assert again.initial is side.stream.initial


def ClientStreamOf(side: ClientSide) -> object:
    stream = type(side.stream)(side.connection, 100, 16_384)
    block = side.connection.encoder.encode(((b":method", b"POST"),))
    side.connection.open_stream(stream, block, end_stream=True)
    side.frames()
    return stream


def test_one_list_as_head_and_as_trailers() -> None:
    """What is kept of a list depends on what it was read as."""
    both = RESPONSE + status(0)
    side = ClientSide()
    side.feed(headers(1, RESPONSE), headers(1, status(0), end=True))
    again = ClientStreamOf(side)
    side.feed(headers(again.stream_id, status(0), end=True))
    assert [(each.kind, each.code) for each in side.frames()] == [(RST, 1)]
    third = ClientStreamOf(side)
    side.feed(headers(third.stream_id, both), headers(third.stream_id, both, end=True))
    assert [(each.kind, each.code) for each in side.frames()] == [(RST, 1)]


# Informational responses


def test_informational_responses_are_skipped(side: ClientSide) -> None:
    side.feed(
        headers(1, ((b":status", b"100"),)),
        headers(1, ((b":status", b"103"), (b"link", b"x"))),
        headers(1, RESPONSE),
        headers(1, TRAILERS, end=True),
    )
    assert side.stream.initial == ()
    assert side.outcome is OK


def test_an_informational_response_does_not_end_a_stream(side: ClientSide) -> None:
    frames = side.exchange(headers(1, ((b":status", b"100"),), end=True))
    assert [(each.kind, each.code) for each in frames] == [(RST, 1)]
    assert side.outcome.code is StatusCode.INTERNAL


# What is no gRPC


@pytest.mark.parametrize(
    ("http", "code"),
    [
        (b"400", StatusCode.INTERNAL),
        (b"401", StatusCode.UNAUTHENTICATED),
        (b"403", StatusCode.PERMISSION_DENIED),
        (b"404", StatusCode.UNIMPLEMENTED),
        (b"429", StatusCode.UNAVAILABLE),
        (b"502", StatusCode.UNAVAILABLE),
        (b"503", StatusCode.UNAVAILABLE),
        (b"504", StatusCode.UNAVAILABLE),
        (b"500", StatusCode.UNKNOWN),
        (b"204", StatusCode.UNKNOWN),
        (b"302", StatusCode.UNKNOWN),
    ],
)
@pytest.mark.parametrize("end", [False, True])
def test_http_statuses(http: bytes, code: StatusCode, end: bool) -> None:
    side = ClientSide()
    fields = ((b":status", http), (b"content-type", b"text/html"), (b"strange~name", b"1"))
    side.feed(headers(1, fields, end=end))
    assert side.outcome.code is code
    assert http.decode() in side.outcome.details
    assert side.stream.initial is None
    frames = side.frames()
    assert [(each.kind, each.code) for each in frames] == ([] if end else [(RST, 8)])
    # The rest of the page is ignored.
    if not end:
        assert side.exchange(data(1, b"<html>", end=True)) == []


@pytest.mark.parametrize("end", [False, True])
def test_grpc_status_has_precedence_over_http(end: bool) -> None:
    side = ClientSide()
    fields = ((b":status", b"503"), (b"content-type", b"text/html"), *status(7, b"no"))
    side.feed(headers(1, fields, end=end))
    assert side.outcome[:2] == (StatusCode.PERMISSION_DENIED, "no")


def test_our_own_415(side: ClientSide) -> None:
    fields = ((b":status", b"415"), *status(13, b"content-type must be application/grpc"))
    side.feed(headers(1, fields, end=True))
    assert side.outcome.code is StatusCode.INTERNAL
    assert "content-type" in side.outcome.details


@pytest.mark.parametrize("kind", [b"text/html", b"application/grpc-web", b"", None])
@pytest.mark.parametrize("end", [False, True])
def test_another_content_type(kind: bytes | None, end: bool) -> None:
    side = ClientSide()
    fields: Fields = ((b":status", b"200"),)
    if kind is not None:
        fields += ((b"content-type", kind),)
    side.feed(headers(1, fields, end=end))
    assert side.outcome.code is StatusCode.UNKNOWN
    assert "no gRPC server" in side.outcome.details
    assert (kind or b"").decode() in side.outcome.details


# Ends that lack something


def test_no_grpc_status(side: ClientSide) -> None:
    side.feed(headers(1, RESPONSE), headers(1, ((b"x", b"1"),), end=True))
    assert side.outcome.code is StatusCode.UNKNOWN
    assert "grpc-status" in side.outcome.details


def test_no_grpc_status_in_trailers_only(side: ClientSide) -> None:
    side.feed(headers(1, RESPONSE, end=True))
    assert side.outcome.code is StatusCode.UNKNOWN


@pytest.mark.parametrize("value", [b"17", b"99999999999", b"abc", b"", b"-1", b"05"])
def test_a_status_that_cannot_be_read(value: bytes) -> None:
    side = ClientSide()
    side.feed(headers(1, RESPONSE), headers(1, ((b"grpc-status", value),), end=True))
    assert side.outcome.code is StatusCode.UNKNOWN


def test_no_trailers(side: ClientSide) -> None:
    side.feed(headers(1, RESPONSE), data(1, message(b"hello"), end=True))
    assert side.outcome.code is StatusCode.UNKNOWN
    assert "without trailers" in side.outcome.details


def test_no_trailers_and_half_a_message(side: ClientSide) -> None:
    side.feed(headers(1, RESPONSE), data(1, message(b"hello")[:-1], end=True))
    assert side.outcome.code is StatusCode.INTERNAL


def test_trailers_within_a_message(side: ClientSide) -> None:
    side.feed(headers(1, RESPONSE), data(1, message(b"hello")[:-1]), headers(1, TRAILERS, end=True))
    assert side.outcome.code is StatusCode.INTERNAL
    assert "middle of a message" in side.outcome.details


def test_an_error_within_a_message_stands(side: ClientSide) -> None:
    side.feed(
        headers(1, RESPONSE), data(1, message(b"hello")[:-1]), headers(1, status(3), end=True)
    )
    assert side.outcome.code is StatusCode.INVALID_ARGUMENT


def test_data_after_the_trailers(side: ClientSide) -> None:
    side.feed(headers(1, RESPONSE), headers(1, TRAILERS, end=True))
    side.feed(data(1, message(b"more")), headers(1, status(3), end=True))
    assert side.outcome is OK
    assert list(side.stream.inbox) == []
    assert not side.connection.closed


# Malformed


def test_data_before_headers(side: ClientSide) -> None:
    frames = side.exchange(data(1, message(b"x")))
    assert [(each.kind, each.code) for each in frames] == [(RST, 1)]
    assert side.outcome.code is StatusCode.INTERNAL


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ((b"content-type", b"application/grpc"),),
        ((b":status", b"20"),),
        ((b":status", b"abc"),),
        ((b":path", b"/"),),
        (*RESPONSE, (b"Upper", b"x")),
        (*RESPONSE, (b"connection", b"close")),
    ],
)
def test_malformed_heads(fields: Fields) -> None:
    side = ClientSide()
    frames = side.exchange(headers(1, fields))
    assert [(each.kind, each.code) for each in frames] == [(RST, 1)]
    assert side.outcome.code is StatusCode.INTERNAL


def test_headers_in_the_middle(side: ClientSide) -> None:
    frames = side.exchange(headers(1, RESPONSE), headers(1, RESPONSE))
    assert [(each.kind, each.code) for each in frames] == [(RST, 1)]
    assert side.outcome.code is StatusCode.INTERNAL
    assert "second header list" in side.outcome.details


def test_pseudo_headers_in_trailers(side: ClientSide) -> None:
    side.feed(headers(1, RESPONSE), headers(1, RESPONSE + TRAILERS, end=True))
    assert side.outcome.code is StatusCode.INTERNAL


@pytest.mark.parametrize("where", ["head", "trailers", "trailers-only"])
def test_malformed_metadata(where: str) -> None:
    side = ClientSide()
    bad = (b"x-bin", b"!")
    if where == "head":
        side.feed(headers(1, (*RESPONSE, bad)))
        # The stream has not ended, so it is given up.
        assert [(each.kind, each.code) for each in side.frames()] == [(RST, 8)]
    elif where == "trailers":
        side.feed(headers(1, RESPONSE), headers(1, (*TRAILERS, bad), end=True))
    else:
        side.feed(headers(1, (*RESPONSE, *TRAILERS, bad), end=True))
    assert side.outcome.code is StatusCode.INTERNAL
    assert "base64" in side.outcome.details


# Limits


@pytest.mark.parametrize("where", ["head", "trailers"])
def test_too_much_metadata(where: str) -> None:
    side = ClientSide(max_metadata=200)
    large = (b"x", b"y" * 200)
    if where == "head":
        side.feed(headers(1, (*RESPONSE, large)))
    else:
        side.feed(headers(1, RESPONSE), headers(1, (*TRAILERS, large), end=True))
    assert side.outcome.code is StatusCode.RESOURCE_EXHAUSTED
    assert "vs. 200" in side.outcome.details
    assert not side.connection.closed


def test_too_large_a_message() -> None:
    side = ClientSide(max_receive=4)
    frames = side.exchange(headers(1, RESPONSE), data(1, message(b"1234") + message(b"12345")))
    assert side.outcome[:2] == (
        StatusCode.RESOURCE_EXHAUSTED,
        "CLIENT: Received message larger than max (5 vs. 4)",
    )
    assert list(side.stream.inbox) == [b"1234"]
    assert [(each.kind, each.code) for each in frames] == [(RST, 8)]
    assert side.exchange(data(1, bytes(100)), headers(1, TRAILERS, end=True)) == []


# Compression


def test_compressed_messages(side: ClientSide) -> None:
    body = zlib.compress(b"hello")
    side.feed(
        headers(1, (*RESPONSE, (b"grpc-encoding", b"deflate"))),
        data(1, message(body, flag=1) + message(b"plain")),
        headers(1, TRAILERS, end=True),
    )
    stream = side.stream
    assert [stream.unpack(each) for each in stream.inbox] == [b"hello", b"plain"]


@pytest.mark.parametrize("encoding", [b"identity", None])
def test_the_compressed_flag_without_encoding(encoding: bytes | None) -> None:
    side = ClientSide()
    fields = RESPONSE if encoding is None else (*RESPONSE, (b"grpc-encoding", encoding))
    side.feed(headers(1, fields), data(1, message(b"x", flag=1)))
    with pytest.raises(UnpackFailed) as caught:
        side.stream.unpack(side.stream.take_message())
    assert caught.value.code is StatusCode.INTERNAL


def test_nothing_was_received_to_unpack_with() -> None:
    side = ClientSide()
    assert side.stream.unpack(b"x") == b"x"


def test_an_unknown_encoding(side: ClientSide) -> None:
    side.feed(headers(1, (*RESPONSE, (b"grpc-encoding", b"br"))))
    assert side.outcome.code is StatusCode.INTERNAL
    assert "'br'" in side.outcome.details


def test_an_unknown_encoding_of_nothing(side: ClientSide) -> None:
    side.feed(headers(1, (*RESPONSE, (b"grpc-encoding", b"br"), *status(5)), end=True))
    assert side.outcome.code is StatusCode.NOT_FOUND


# Ends that HTTP/2 makes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (0, StatusCode.INTERNAL),
        (1, StatusCode.INTERNAL),
        (2, StatusCode.INTERNAL),
        (3, StatusCode.INTERNAL),
        (5, StatusCode.INTERNAL),
        (7, StatusCode.UNAVAILABLE),
        (8, StatusCode.CANCELLED),
        (11, StatusCode.RESOURCE_EXHAUSTED),
        (12, StatusCode.PERMISSION_DENIED),
        (13, StatusCode.INTERNAL),
        (0xDEAD, StatusCode.INTERNAL),
    ],
)
def test_resets(error: int, code: StatusCode) -> None:
    side = ClientSide()
    side.feed(headers(1, RESPONSE), rst(1, error))
    assert side.outcome.code is code
    assert side.outcome.unprocessed is (error == 7)
    assert f"error code {error}" in side.outcome.details
    assert side.stream.over


def test_a_reset_after_the_trailers_says_nothing(side: ClientSide) -> None:
    side = ClientSide(half_closed=False)
    side.feed(headers(1, RESPONSE), headers(1, TRAILERS, end=True), rst(1, 0))
    assert side.outcome is OK


def test_goaway_above_the_last_stream(side: ClientSide) -> None:
    side.feed(goaway(0, 11, b"too many pings"))
    outcome = side.outcome
    assert outcome.code is StatusCode.UNAVAILABLE
    assert outcome.unprocessed
    assert "GOAWAY" in outcome.details
    assert "too many pings" in outcome.details


def test_a_stream_that_goaway_spares(side: ClientSide) -> None:
    side.feed(goaway(1))
    assert side.stream.outcome is None
    side.feed(headers(1, RESPONSE), headers(1, TRAILERS, end=True))
    assert side.outcome is OK
    assert side.connection.closed


def test_a_lost_connection() -> None:
    side = ClientSide()
    side.connection.connection_lost("the connection was lost: reset")
    assert side.outcome[:2] == (StatusCode.UNAVAILABLE, "the connection was lost: reset")
    assert not side.outcome.unprocessed


def test_our_own_stream_error() -> None:
    side = ClientSide()
    side.connection.streams[1].recv_window = 0
    side.feed(headers(1, RESPONSE), data(1, message(b"x")))
    assert side.outcome.code is StatusCode.INTERNAL
    assert "window" in side.outcome.details


def test_a_broken_connection() -> None:
    side = ClientSide()
    side.feed(frame(6, 0, 0, b"short"))
    assert side.outcome.code is StatusCode.UNAVAILABLE
    assert "PING" in side.outcome.details


def test_an_abort_after_the_end_says_nothing() -> None:
    side = ClientSide()
    side.feed(headers(1, RESPONSE), headers(1, TRAILERS, end=True))
    side.stream.aborted(Abort(0, "x"))
    assert side.outcome is OK


# Ends that we make


def test_a_cancel(side: ClientSide) -> None:
    outcome = OK._replace(code=StatusCode.CANCELLED)
    side.stream.end(outcome)
    side.stream.end(OK)
    assert side.outcome is outcome
    assert [(each.kind, each.code) for each in side.frames()] == [(RST, 8)]
    # What was on its way is ignored.
    assert side.exchange(headers(1, RESPONSE), data(1, message(b"x"))) == []
    side.stream.headers_received(None, True)  # type: ignore[arg-type]
    assert list(side.stream.inbox) == []


def test_the_rest_of_a_request_is_not_wanted_after_the_trailers() -> None:
    side = ClientSide(half_closed=False)
    frames = side.exchange(headers(1, RESPONSE), headers(1, TRAILERS, end=True))
    assert side.outcome is OK
    assert [(each.kind, each.code) for each in frames] == [(RST, 0)]
    assert side.connection.streams == {}


def test_an_end_before_the_stream_was_opened() -> None:
    side = ClientSide()
    stream = type(side.stream)(side.connection, 100, 100)
    stream.end(OK)
    assert side.frames() == []


def test_what_the_subclass_must_do() -> None:
    stream = ClientStream(ClientSide().connection, 10, 10)
    with pytest.raises(NotImplementedError):
        stream.initial_metadata_received(())
    with pytest.raises(NotImplementedError):
        stream.ended(OK)


fields = st.lists(
    st.tuples(
        st.sampled_from(
            [b":status", b"grpc-status", b"content-type", b"x-bin", b"grpc-encoding", b"x"]
        )
        | st.binary(max_size=4),
        st.sampled_from([b"200", b"503", b"0", b"5", b"application/grpc", b"gzip"])
        | st.binary(max_size=8),
    ),
    max_size=5,
).map(tuple)
pieces = st.one_of(
    st.builds(lambda each, end: headers(1, each, end=end), fields, st.booleans()),
    st.builds(lambda each, end: data(1, each, end=end), st.binary(max_size=12), st.booleans()),
    st.builds(lambda code: rst(1, code), st.integers(0, 14)),
    st.just(headers(1, RESPONSE)),
)


@given(st.lists(pieces, max_size=6))
@settings(max_examples=200, deadline=None)
def test_whatever_comes_there_is_one_outcome(each: list[bytes]) -> None:
    side = ClientSide()
    side.feed(*each)
    side.connection.connection_lost("gone")
    assert side.stream.ends == 1
