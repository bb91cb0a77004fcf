"""What is known of the health of services, without a server."""

from __future__ import annotations

import pytest

from clarion.health import Health, ServingStatus
from clarion.health.board import TooMany, Watch
from clarion.health.messages import status_of


class Listener:
    """Somebody who watches."""

    def __init__(self, board: Health, service: str) -> None:
        self.told = 0
        self.watch: Watch = board.watch(service, self._changed)

    def _changed(self) -> None:
        self.told += 1


def test_a_new_server_serves() -> None:
    board = Health()
    assert board.statuses() == {"": ServingStatus.SERVING}
    assert board.get("x") is None
    assert "the server SERVING; 0 watch" in repr(board)


def test_set() -> None:
    board = Health()
    listener, other = Listener(board, "x"), Listener(board, "y")
    assert listener.watch.status is ServingStatus.SERVICE_UNKNOWN
    board.set("x", 2)
    assert listener.watch.status is board.get("x") is ServingStatus.NOT_SERVING
    assert (listener.told, other.told) == (1, 0)
    listener.watch.stop()
    listener.watch.stop()
    board.set("x", board.SERVING)
    assert listener.told == 1
    assert listener.watch.status is ServingStatus.SERVING


def test_a_status_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="9"):
        Health().set("x", 9)
    assert status_of(9) is ServingStatus.UNKNOWN
    assert status_of(2) is ServingStatus.NOT_SERVING


def test_graceful_shutdown() -> None:
    board = Health()
    board.set("x", board.SERVING)
    known, unknown = Listener(board, "x"), Listener(board, "z")
    board.enter_graceful_shutdown()
    assert set(board.statuses().values()) == {ServingStatus.NOT_SERVING}
    assert known.told == 1
    board.set("x", board.SERVING)
    board.set("y", board.SERVING)
    board.enter_graceful_shutdown()
    assert board.statuses() == {"": ServingStatus.NOT_SERVING, "x": ServingStatus.NOT_SERVING}
    assert unknown.watch.status is ServingStatus.SERVICE_UNKNOWN


def test_watchers_are_bounded() -> None:
    board = Health(max_watchers=2)
    first = board.watch("", lambda: None)
    board.watch("", lambda: None)
    with pytest.raises(TooMany, match="2 clients"):
        board.watch("", lambda: None)
    first.stop()
    board.watch("", lambda: None)


def test_unknown_names_are_bounded() -> None:
    board = Health(max_unknown=2)
    first = board.watch("a", lambda: None)
    board.watch("a", lambda: None).stop()
    board.watch("b", lambda: None)
    board.watch("b", lambda: None)
    with pytest.raises(TooMany, match="2 services"):
        board.watch("c", lambda: None)
    first.stop()
    board.watch("c", lambda: None)
    # One that is known by now makes room for another.
    board.set("b", board.SERVING)
    board.watch("d", lambda: None)
    with pytest.raises(TooMany, match="2 services"):
        board.watch("e", lambda: None)
    board.watch("", lambda: None)
    with pytest.raises(TooMany, match="2000 characters"):
        board.watch("x" * 2000, lambda: None)
    board.set("x" * 2000, board.SERVING)
    board.watch("x" * 2000, lambda: None)


def test_a_list_is_bounded() -> None:
    board = Health(max_listed=3)
    for name in "ab":
        board.set(name, board.SERVING)
    assert set(board.listed()) == {"", "a", "b"}
    board.set("c", board.SERVING)
    with pytest.raises(TooMany, match="4 services and lists 3"):
        board.listed()
