"""SETTINGS, PING and their like where nothing is wrong; violations are in test_violations."""

from __future__ import annotations

from clarion.http2 import Config
from support.http2 import (
    ACK,
    PING,
    PREFACE,
    PRIORITY,
    SETTINGS,
    Frame,
    Side,
    client,
    frame,
    headers,
    server,
    settings,
    window_update,
)


def test_settings_are_taken_and_acknowledged(bytewise: bool) -> None:
    side = server(values={1: 0, 2: 1, 3: 7, 4: 9, 5: 20_000, 6: 100, 99: 1}, bytewise=bytewise)
    connection = side.connection
    assert connection.peer_max_concurrent_streams == 7
    assert connection.peer_initial_window == 9
    assert connection.peer_max_frame_size == 20_000
    assert connection.peer_max_header_list_size == 100
    assert connection.encoder.pending_update
    assert side.exchange(settings({3: 8}), settings()) == [Frame(SETTINGS, ACK, 0, b"")] * 2
    assert connection.peer_max_concurrent_streams == 8
    assert connection.peer_initial_window == 9
    assert side.observer.events == ["ready"]


def test_of_a_repeated_setting_the_last_counts() -> None:
    side = server()
    side.feed(headers(1))
    payload = b"\0\4\x7f\xff\xff\xff" + b"\0\4\0\0\0\5"
    side.feed(frame(SETTINGS, 0, 0, payload))
    assert side.connection.peer_initial_window == 5
    assert side.opened[1].send_window == 5


def test_a_client_assumes_little_before_settings_and_no_limit_after() -> None:
    side = Side(client=True)
    side.connection.start()
    for _ in range(100):
        side.open()
    assert not side.connection.can_open
    side.connection.want_stream()
    side.feed(settings())
    assert side.observer.events == ["ready", "available"]
    assert side.connection.peer_max_concurrent_streams == 2**32 - 1
    assert side.connection.can_open


def test_first_settings_that_allow_fewer_streams_than_are_open() -> None:
    side = Side(client=True)
    side.connection.start()
    side.open()
    side.open()
    side.connection.want_stream()
    side.feed(settings({3: 1}))
    assert side.observer.events == ["ready"]
    assert not side.connection.can_open


def test_ping_is_answered_with_its_data(bytewise: bool) -> None:
    side = server(bytewise=bytewise)
    assert side.exchange(frame(PING, 0, 0, b"abcdefgh")) == [Frame(PING, ACK, 0, b"abcdefgh")]
    assert side.observer.events == ["ready"]


def test_an_answered_ping_reaches_the_owner(bytewise: bool) -> None:
    side = client(bytewise=bytewise)
    side.connection.ping(b"keepaliv")
    assert side.frames() == [Frame(PING, 0, 0, b"keepaliv")]
    assert side.exchange(frame(PING, ACK, 0, b"keepaliv")) == []
    assert side.observer.events == ["ready", ("pong", b"keepaliv")]


def test_windows_grow(bytewise: bool) -> None:
    side = server(bytewise=bytewise)
    side.feed(headers(1), window_update(0, 5), window_update(1, 6), window_update(1, 2**31 + 1))
    assert side.connection.send_window == 65_540
    assert side.opened[1].send_window == 65_542


def test_windows_may_reach_the_maximum() -> None:
    side = server()
    rest = 2**31 - 1 - 65_535
    side.feed(headers(1), window_update(0, rest), window_update(1, rest))
    assert side.connection.send_window == side.opened[1].send_window == 2**31 - 1
    assert side.frames() == []


def test_priority_is_ignored_wherever_it_comes(bytewise: bool) -> None:
    side = server(bytewise=bytewise)
    side.feed(headers(1))
    for sid in (1, 3, 99):
        assert side.exchange(frame(PRIORITY, 0, sid, b"\x80\0\0\x0b\xff")) == []
    assert list(side.opened) == [1]


def test_everything_of_a_handshake_in_one_piece() -> None:
    side = Side(Config())
    side.connection.start()
    side.feed(PREFACE + settings() + window_update(0, 100) + headers(1, end=True))
    assert side.opened[1].ended
    assert side.connection.settings_received
    assert not side.connection.settings_acknowledged
