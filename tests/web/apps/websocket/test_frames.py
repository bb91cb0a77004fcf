"""Frames and handshakes without I/O: whatever comes, however it is cut, is messages or one failure, and stays within limits."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.web.apps.answers import BadAnswer
from clarion.web.errors import HttpRefusal
from support.websockets import ACCEPT, KEY, client_frame

pytest.importorskip("wsproto", reason="wsproto is not installed")

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate

from clarion.web.apps.websocket import frames
from clarion.web.apps.websocket.handshake import Handshake
from clarion.web.apps.websocket.limits import WebSocketLimits
from clarion.web.apps.websocket.payloads import Payloads

LIMITS = WebSocketLimits(max_message=2000, max_frames=50)
DEFLATE = "permessage-deflate"


def server(*offers: str, limits: WebSocketLimits = LIMITS) -> frames.Frames:
    return frames.Frames(Payloads(limits, offers))


def received(side: frames.Frames, pieces: Iterable[bytes]) -> list[Any]:
    found: list[Any] = []
    for piece in pieces:
        side.feed(piece)
        found += side.received()
    return found


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    at = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[one:next_one] for one, next_one in itertools.pairwise(at)]


def deflated(data: bytes, mode: int = zlib.Z_SYNC_FLUSH) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    packed = compressor.compress(data) + compressor.flush(mode)
    return packed[:-4] if mode == zlib.Z_SYNC_FLUSH else packed


EVENTS = st.one_of(
    st.text(max_size=100).map(lambda text: TextMessage(data=text)),
    st.binary(max_size=300).map(lambda data: BytesMessage(data=data)),
    st.binary(max_size=125).map(lambda data: Ping(payload=data)),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(EVENTS, max_size=8), st.lists(st.integers(0, 3000), max_size=12), st.booleans())
def test_how_bytes_are_cut_does_not_matter(
    events: list[Any], places: list[int], compressed: bool
) -> None:
    deflate = PerMessageDeflate()
    side = server(f"{DEFLATE}; {deflate.offer()}" if compressed else "")
    if compressed:
        deflate.finalize(DEFLATE)
    client = Connection(ConnectionType.CLIENT, [deflate])
    sent = b"".join(client.send(event) for event in events)
    sent += client.send(CloseConnection(code=1000, reason="bye"))
    wanted = [
        frames.Ping(event.payload) if isinstance(event, Ping) else event.data for event in events
    ]
    assert received(side, cut(sent, places)) == [*wanted, frames.Closed(1000, "bye")]


@settings(deadline=None, max_examples=70)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(client_frame, st.integers(0, 255), st.binary(max_size=130)),
            st.builds(
                client_frame,
                st.sampled_from([0x01, 0x81, 0x82, 0xC1, 0xC2]),
                st.binary(max_size=40),
            ),
            st.builds(client_frame, st.sampled_from([0x00, 0x80]), st.binary(max_size=40)),
        ),
        max_size=8,
    ),
    st.lists(st.integers(0, 1000), max_size=6),
    st.booleans(),
)
def test_garbage_is_one_failure_however_it_is_cut(
    pieces: list[bytes], places: list[int], compressed: bool
) -> None:
    data = b"".join(pieces)
    offers = [DEFLATE] if compressed else []
    whole = received(server(*offers), [data])
    for parts in (cut(data, places), [data[at : at + 1] for at in range(len(data))]):
        found = received(server(*offers), parts)
        if compressed and whole and isinstance(whole[-1], frames.Failed):
            # Of two things that are wrong in what one frame inflates to, either may be seen first.
            assert isinstance(found[-1], frames.Failed)
            assert found[:-1] == whole[:-1]
        else:
            assert found == whole
    for last in whole[:-1]:
        assert not isinstance(last, (frames.Closed, frames.Failed))
    for each in whole:
        assert not isinstance(each, (str, bytes)) or len(each) <= LIMITS.max_message
        assert not isinstance(each, frames.Failed) or each.code in (1002, 1007, 1009)


@pytest.mark.parametrize("final", [False, True])
def test_a_bomb_is_not_inflated(final: bool) -> None:
    mode = zlib.Z_FINISH if final else zlib.Z_SYNC_FLUSH
    side = server(DEFLATE)
    (found,) = received(side, [client_frame(0xC2, deflated(bytes(10_000_000), mode))])
    assert found == frames.Failed(1009, "a message has more than 2000 bytes (max_message)")
    # Nothing is read behind it.
    assert received(side, [client_frame(0x81, b"a")]) == []


def test_messages_at_the_limit() -> None:
    for data in (bytes(2000), bytes(2001)):
        for packed in (client_frame(0xC2, deflated(data)), client_frame(0x82, data)):
            (found,) = received(server(DEFLATE), [packed])
            assert found == data if len(data) == 2000 else found[0] == 1009
    parts = client_frame(0x02, b"a") + client_frame(0x00) * 48
    assert received(server(), [parts, client_frame(0x80, b"b")]) == [b"ab"]
    many = received(server(), [parts, client_frame(0x00) * 2])
    assert many == [frames.Failed(1009, "a message came in more than 50 frames (max_frames)")]
    # Each message begins anew, and pings do not count.
    side = server()
    for _ in range(3):
        assert received(side, [client_frame(0x89) + parts, client_frame(0x80, b"b")])[-1] == b"ab"


def test_what_is_damaged() -> None:
    damaged = [frames.Failed(1007, "what was compressed is damaged")]
    assert received(server(DEFLATE), [client_frame(0xC1, b"\xff\xff")]) == damaged
    # Not to who did not agree to compression.
    (found,) = received(server(), [client_frame(0xC1, b"\xff\xff")])
    assert found[0] == 1002
    utf8 = [frames.Failed(1007, "what has to be UTF-8 is not")]
    assert received(server(), [client_frame(0x81, b"\xc3\x28")]) == utf8


def test_messages_that_overlap() -> None:
    for offers in ((), (DEFLATE,)):
        nothing = [frames.Failed(1002, "a frame continues nothing")]
        assert received(server(*offers), [client_frame(0x80, b"a")]) == nothing
        whole = client_frame(0x81, b"a") + client_frame(0x80, b"a")
        assert received(server(*offers), [whole]) == ["a", *nothing]
        two = client_frame(0x01, b"a") + client_frame(0x82, b"b")
        within = [frames.Failed(1002, "a message begins within another")]
        assert received(server(*offers), [two]) == within
        assert received(server(*offers), [two[at : at + 1] for at in range(len(two))]) == within


def test_streams_of_blocks_that_end() -> None:
    side = server(DEFLATE)
    final = deflated(b"hello", zlib.Z_FINISH)
    # With and without the empty block that RFC 7692 §7.2.3.4 has behind it.
    assert received(side, [client_frame(0xC1, final)]) == ["hello"]
    assert received(side, [client_frame(0xC1, final + b"\0")]) == ["hello"]
    assert received(side, [client_frame(0xC1, deflated(b"again"))]) == ["again"]
    assert received(side, [client_frame(0xC1, final + deflated(b" you"))]) == ["hello you"]
    empty = deflated(b"", zlib.Z_FINISH)
    (found,) = received(side, [client_frame(0xC1, empty * 51)])
    assert found == frames.Failed(1009, "a message has more than 50 final blocks (max_frames)")


@pytest.mark.parametrize(
    ("offers", "accepted"),
    [
        ([], None),
        (["x-other"], None),
        ([DEFLATE], DEFLATE),
        (
            ["x-other", f"{DEFLATE}; client_max_window_bits"],
            f"{DEFLATE}; client_max_window_bits=15",
        ),
        ([f'{DEFLATE}; server_max_window_bits="10"'], f"{DEFLATE}; server_max_window_bits=10"),
        (
            [f"{DEFLATE};client_no_context_takeover ; server_no_context_takeover"],
            f"{DEFLATE}; client_no_context_takeover; server_no_context_takeover",
        ),
        ([f"{DEFLATE}; client_max_window_bits=8", DEFLATE], DEFLATE),
        ([f"{DEFLATE}; client_max_window_bits=16"], None),
        ([f"{DEFLATE}; server_max_window_bits"], None),
        ([f"{DEFLATE}; server_max_window_bits=x"], None),
        ([f"{DEFLATE}; unknown", f"{DEFLATE}; client_no_context_takeover=1"], None),
        ([f"{DEFLATE}; server_max_window_bits=9; server_max_window_bits=10"], None),
    ],
)
def test_what_is_agreed_to_of_compression(offers: list[str], accepted: str | None) -> None:
    assert Payloads(LIMITS, offers).accepted == accepted
    assert Payloads(WebSocketLimits(compress=False), offers).accepted is None


def test_context_is_forgotten_where_that_is_agreed() -> None:
    packed = client_frame(0xC1, deflated(b"hello hello"))
    client = PerMessageDeflate(client_no_context_takeover=True)
    side = server(f"{DEFLATE}; {client.offer()}")
    assert received(side, [packed, packed]) == ["hello hello"] * 2
    client.finalize(DEFLATE)
    wire = Connection(ConnectionType.CLIENT, [client])
    wire.receive_data(
        side.message("hello") + side.message(b"hello") + side.ping() + side.pong(b"a")
    )
    assert [getattr(event, "data", None) for event in wire.events()] == [
        "hello",
        b"hello",
        None,
        None,
    ]


FIELDS = [
    (b"host", b"a"),
    (b"connection", b"keep-alive, UPGRADE"),
    (b"upgrade", b"WebSocket"),
    (b"sec-websocket-key", KEY.encode()),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-protocol", b"a,  b,, "),
    (b"sec-websocket-protocol", b"c, \xff"),
    (b"sec-websocket-extensions", b"x; y=1, z"),
]


def test_a_handshake() -> None:
    handshake = Handshake(b"GET", FIELDS)
    assert handshake.subprotocols == ["a", "b", "c"]
    assert handshake.extensions == ["x; y=1", "z"]
    fields = [(b"X-A", b"1"), (b"Transfer-Encoding", b"chunked"), (b"content-length", b"0")]
    assert handshake.answer("b", "x", fields) == (
        (b"upgrade", b"websocket"),
        (b"connection", b"upgrade"),
        (b"sec-websocket-accept", ACCEPT.encode()),
        (b"sec-websocket-protocol", b"b"),
        (b"sec-websocket-extensions", b"x"),
        (b"x-a", b"1"),
    )
    assert len(handshake.answer(None, None, ())) == 3
    bad: list[tuple[str | None, Any]] = [
        ("d", ()),
        (None, [(b"sec-websocket-accept", b"a")]),
        (None, [(b"a b", b"")]),
        (None, [(b"a", b"\r")]),
    ]
    for subprotocol, fields in bad:
        with pytest.raises(BadAnswer):
            handshake.answer(subprotocol, None, fields)


@pytest.mark.parametrize(
    ("method", "change", "status"),
    [
        (b"POST", {}, 405),
        (b"GET", {b"upgrade": b"h2c"}, 400),
        (b"GET", {b"connection": b"close"}, 400),
        (b"GET", {b"content-length": b"1"}, 400),
        (b"GET", {b"transfer-encoding": b"chunked"}, 400),
        (b"GET", {b"sec-websocket-version": None}, 400),
        (b"GET", {b"sec-websocket-version": b"12"}, 426),
        (b"GET", {b"sec-websocket-key": None}, 400),
        (b"GET", {b"sec-websocket-key": b"YQ=="}, 400),
        (b"GET", {b"sec-websocket-key": b"\xff" * 24}, 400),
    ],
)
def test_handshakes_that_are_refused(
    method: bytes, change: dict[bytes, bytes | None], status: int
) -> None:
    fields = dict(FIELDS) | change
    with pytest.raises(HttpRefusal) as caught:
        Handshake(method, [(name, value) for name, value in fields.items() if value is not None])
    assert caught.value.http_status == status
    assert bool(caught.value.fields) is (
        status in (405, 426) or change == {b"sec-websocket-version": None}
    )
