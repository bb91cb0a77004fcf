"""The limit of connections: who is turned away, and who makes room."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from clarion.http2 import Connection
from clarion.server_core import Admission
from support.http2 import Side, headers, server


@dataclass(eq=False)
class Link:
    side: Side
    since: float

    @property
    def connection(self) -> Connection:
        return self.side.connection


class Rig:
    def __init__(self, limit: int | None) -> None:
        self.time = 1000.0
        self.admission = Admission(limit, lambda: self.time)

    def link(self, age: float, *, used: bool = False) -> Link:
        side = server()
        if used:
            side.feed(headers(1, end=True))
        return Link(side, self.time - age)


def test_without_a_limit_all_are_taken() -> None:
    rig = Rig(None)
    assert not rig.admission.exceeded(10**9)
    assert not rig.admission.handshakes_exceeded(10**9, 10**9)


@pytest.mark.parametrize(("limit", "handshakes"), [(0, 16), (1, 16), (1000, 125)])
def test_the_limit(limit: int, handshakes: int) -> None:
    rig = Rig(limit)
    assert not rig.admission.exceeded(limit)
    assert rig.admission.exceeded(limit + 1)
    assert not rig.admission.handshakes_exceeded(handshakes, limit)
    assert not rig.admission.handshakes_exceeded(handshakes + limit, 0)
    assert rig.admission.handshakes_exceeded(handshakes + 1, limit)
    assert f"takes {limit} connections" in rig.admission.refusal
    assert "RESOURCE_EXHAUSTED" in rig.admission.refusal


def test_the_oldest_that_never_made_a_call_goes() -> None:
    rig = Rig(3)
    links = [rig.link(60, used=True), rig.link(50), rig.link(40), rig.link(0)]
    assert rig.admission.who_goes(links) is links[1]
    links[1].connection.close()
    assert rig.admission.who_goes(links) is links[2]


def test_who_had_no_chance_to_make_a_call_stays() -> None:
    rig = Rig(1)
    links = [rig.link(4.9), rig.link(0)]
    assert rig.admission.who_goes(links) is None
    rig.time += 1
    assert rig.admission.who_goes(links) is links[0]


def test_a_search_in_vain_is_not_repeated_at_once() -> None:
    rig = Rig(1)
    links = [rig.link(60, used=True)]
    assert rig.admission.who_goes(links) is None
    links.append(rig.link(30))
    assert rig.admission.who_goes(links) is None
    rig.time += 0.5
    assert rig.admission.who_goes(links) is links[1]


def test_the_oldest_handshake_goes() -> None:
    rig = Rig(1)
    assert rig.admission.which_goes({}) is None
    assert rig.admission.which_goes({"old": 990.0, "new": 999.0}) == "old"
    assert rig.admission.which_goes({"young": 996.0, "new": 999.0}) is None
