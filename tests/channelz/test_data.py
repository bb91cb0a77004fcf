"""What is recorded, and for how long."""

from __future__ import annotations

import gc
import os
from typing import Any

import pytest

from clarion import channelz_data
from clarion.channelz_data import (
    CHANNEL,
    ERROR,
    NOT_RECORDED,
    SERVER,
    SOCKET,
    SUBCHANNEL,
    WARNING,
    Times,
    Totals,
    find,
    nodes,
    record,
)
from clarion.http2 import Connection


class Thing:
    """Something to record."""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_a_node_is_found_while_its_thing_lives() -> None:
    thing = Thing()
    node = record(CHANNEL, thing, Clock(), 1000)
    assert node.number > 0
    assert find(CHANNEL, node.number) is node
    assert find(SERVER, node.number) is None
    assert node in nodes(CHANNEL)
    assert node.reference() is thing
    del thing
    gc.collect()
    assert find(CHANNEL, node.number) is None
    assert node.reference() is None


def test_a_node_that_is_closed_is_not_found() -> None:
    thing = Thing()
    node = record(SERVER, thing, Clock(), 1000)
    node.close()
    node.close()
    assert find(SERVER, node.number) is None
    assert node not in nodes(SERVER)


def test_numbers_are_in_order_and_of_one_row() -> None:
    things = [Thing() for _ in range(4)]
    kinds = [CHANNEL, SERVER, CHANNEL, SUBCHANNEL]
    made = [
        record(kind, thing, Clock(), 0).number for kind, thing in zip(kinds, things, strict=True)
    ]
    assert made == sorted(set(made))
    known = [node.number for node in nodes(CHANNEL)]
    assert known == sorted(known)


def test_events() -> None:
    thing, part = Thing(), Thing()
    node = record(CHANNEL, thing, Clock(), 1000)
    child = node.child(SUBCHANNEL, part)
    assert child.reference() is part
    node.log("one", WARNING)
    node.log("two", ERROR, child)
    node.log("three", child=NOT_RECORDED)
    assert node.created == 101.0
    assert [tuple(event) for event in node.events] == [
        (103.0, "one", WARNING, None),
        (104.0, "two", ERROR, (SUBCHANNEL, child.number)),
        (105.0, "three", 1, None),
    ]


@pytest.mark.parametrize(
    ("memory", "kept"),
    [(0, []), (100, []), (101, ["d"]), (303, ["b", "c", "d"]), (10_000, ["a", "b", "c", "d"])],
)
def test_events_take_so_much_memory(memory: int, kept: list[str]) -> None:
    thing = Thing()
    node = record(CHANNEL, thing, Clock(), memory)
    for text in "abcd":
        node.log(text)
    assert [event.text for event in node.events] == kept
    assert node.logged == 4


def test_there_is_a_most_of_events() -> None:
    thing = Thing()
    node = record(CHANNEL, thing, Clock(), 2**31 - 1)
    for number in range(1003):
        node.log(str(number))
    assert node.logged == 1003
    assert [node.events[0].text, node.events[-1].text, len(node.events)] == ["3", "1002", 1000]


def test_what_is_not_recorded() -> None:
    thing = Thing()
    node = record(CHANNEL, thing, Clock(), None)
    assert node is NOT_RECORDED
    node.log("nothing")
    assert (node.number, node.logged, node.events, node.reference()) == (0, 0, (), None)
    assert node.child(SUBCHANNEL, thing) is NOT_RECORDED
    node.close()


def test_totals() -> None:
    totals = Totals()
    first: Any = Connection.__new__(Connection)
    first.opened, first.own_streams, first.calls_failed, first.times = 7, 2, 3, None
    totals.add(first)
    first.times = Times()
    first.times.stream = 50.0
    totals.add(first)
    assert (totals.started, totals.failed, totals.last) == (10, 6, 50.0)


def test_what_a_child_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests have theirs.
    monkeypatch.setattr(
        channelz_data, "_nodes", {kind: {} for kind in (CHANNEL, SERVER, SOCKET, SUBCHANNEL)}
    )
    thing = Thing()
    made = {kind: record(kind, thing, Clock(), 0) for kind in (CHANNEL, SERVER, SOCKET, SUBCHANNEL)}
    channelz_data._forget_fork()
    assert [kind for kind, node in made.items() if find(kind, node.number)] == [CHANNEL]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_channels_only() -> None:
    channel, server = Thing(), Thing()
    kept, gone = record(CHANNEL, channel, Clock(), 0), record(SERVER, server, Clock(), 0)
    child = os.fork()
    if not child:
        right = find(CHANNEL, kept.number) is kept and find(SERVER, gone.number) is None
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert find(SERVER, gone.number) is gone
