"""ring_hash: the same key leads to the same server (gRFC A42, A61, A76)."""

from __future__ import annotations

import bisect
import functools
from collections import Counter
from typing import Any

import pytest

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing import QUEUE, ConfigError, Fail, Picked, PickInfo
from clarion.load_balancing.registry import find_policy
from clarion.load_balancing.ring_hash import Ring, RingHash, RingHashConfig
from clarion.load_balancing.xxh64 import xxh64
from support.load_balancing import (
    CONNECTING,
    FAILED,
    FAILED_TEXT,
    IDLE,
    READY,
    FakeHelper,
    endpoint,
)

CONFIG = {"requestHashHeader": "key", "minRingSize": 120}


def pick(helper: FakeHelper, *keys: bytes) -> str:
    """Where a call with these values of the header goes."""
    info = PickInfo("/test.Test/Method", [(b"key", key) for key in keys], False)
    answer = helper.picker.pick(info)
    helper.run()
    if isinstance(answer, Picked):
        return str(answer.subchannel.address)
    if isinstance(answer, Fail):
        return answer.outcome.details
    assert answer is QUEUE
    return "queue"


def owners(helper: FakeHelper) -> list[tuple[int, str]]:
    """The ring, made again by the rule: places, and whose they are."""
    assert isinstance(helper.policy, RingHash)
    return ring_of(tuple(str(child.endpoint.addresses[0]) for child in helper.policy.children))


@functools.cache
def ring_of(names: tuple[str, ...]) -> list[tuple[int, str]]:
    each = -(-120 // len(names))
    return sorted((xxh64(f"{name}_{n}".encode()), name) for name in names for n in range(each))


def order(helper: FakeHelper, key: bytes) -> list[str]:
    """The servers in the order in which calls with this key come to them."""
    ring = owners(helper)
    first = bisect.bisect_left(ring, (xxh64(key), ""))
    found: dict[str, None] = {}
    for at in range(first, first + len(ring)):
        found[ring[at % len(ring)][1]] = None
        if len(found) == 4:
            break
    return list(found)


def key_to(helper: FakeHelper, *names: str) -> bytes:
    """A key whose calls come to these servers first."""
    wanted = [f"{name}:1" for name in names]
    for number in range(2000):
        key = str(number).encode()
        if order(helper, key)[: len(wanted)] == wanted:
            return key
    raise AssertionError(f"no key leads to {wanted}")


# The config


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, (1024, 4096, None)),
        ({"minRingSize": 1, "maxRingSize": "10"}, (1, 10, None)),
        ({"minRingSize": 8_000_000, "maxRingSize": 8_388_608}, (4096, 4096, None)),
        ({"request_hash_header": "session-id"}, (1024, 4096, b"session-id")),
        ({"requestHashHeader": ""}, (1024, 4096, None)),
    ],
)
def test_config(config: dict[str, Any], expected: Any) -> None:
    assert find_policy("ring_hash_experimental") is RingHash
    assert RingHash.parse_config(config) == RingHashConfig(*expected)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"minRingSize": 0}, "minRingSize"),
        ({"maxRingSize": 8_388_609}, "maxRingSize"),
        ({"minRingSize": 20, "maxRingSize": 10}, "maxRingSize"),
        ({"minRingSize": 5000}, "maxRingSize"),
        ({"requestHashHeader": "key-bin"}, "requestHashHeader"),
        ({"requestHashHeader": "Key"}, "requestHashHeader"),
        ({"requestHashHeader": "a key"}, "requestHashHeader"),
    ],
)
def test_config_errors(config: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RingHash.parse_config(config)
    assert caught.value.path == path


# The ring


@pytest.mark.parametrize(
    ("weights", "least", "most", "expected"),
    [
        ([1, 1], 10, 100, [5, 5]),
        ([1, 1, 1], 10, 100, [4, 4, 4]),
        ([1, 2, 3], 10, 100, [2, 4, 6]),
        ([1, 99], 10, 4096, [1, 99]),
        ([1, 99], 10, 50, [1, 49]),
        ([1, 999], 1, 10, [1, 9]),
        ([0.5], 3, 100, [3]),
    ],
)
def test_places_by_weight(weights: list[float], least: int, most: int, expected: list[int]) -> None:
    ring = Ring([(f"s{n}", weight) for n, weight in enumerate(weights)], least, most)
    assert Counter(ring.owners) == Counter(dict(enumerate(expected)))
    assert ring.places == sorted(ring.places)


def test_places_are_those_of_other_implementations() -> None:
    ring = Ring([("127.0.0.1:10001", 1), ("127.0.0.1:10002", 1)], 4, 4)
    expected = sorted(
        (xxh64(b"127.0.0.1:%d_%d" % (10001 + server, number)), server)
        for server in (0, 1)
        for number in (0, 1)
    )
    assert list(zip(ring.places, ring.owners, strict=True)) == expected
    assert 0x929561360B132B86 in ring.places


def test_the_order_of_servers_makes_no_difference() -> None:
    servers = [(f"s{n}", n % 7 + 0.1) for n in range(40)]
    one, other = Ring(servers, 500, 4096), Ring(servers[::-1], 500, 4096)
    assert one.places == other.places
    assert one.owners == [39 - owner for owner in other.owners]


def test_find() -> None:
    ring = Ring([("a", 1)], 3, 3)
    low, middle, high = ring.places
    finds = {0: 0, low: 0, low + 1: 1, middle: 1, high: 2, high + 1: 0, 2**64 - 1: 0}
    assert {place: ring.find(place) for place in finds} == finds


# Calls with a key


def test_nobody_is_connected_without_a_call(helper: FakeHelper) -> None:
    helper.start(RingHash, "a b c", CONFIG)
    assert helper.said() == [IDLE]
    assert helper.connects == []
    helper.close()


def test_a_call_connects_its_server(helper: FakeHelper) -> None:
    helper.start(RingHash, "a b c", CONFIG)
    key = key_to(helper, "b")
    assert pick(helper, key) == "queue"
    assert pick(helper, key) == "queue"
    assert helper.connects == ["b:1"]
    helper["b"].accept()
    assert helper.said() == [IDLE, CONNECTING, READY]
    assert pick(helper, key) == "b:1"
    assert helper.picker.only is None
    other = key_to(helper, "c")
    assert pick(helper, other) == "queue"
    assert helper.connects == ["b:1", "c:1"]
    helper["c"].accept()
    assert pick(helper, other) == "c:1"
    helper.close()


def test_a_header_with_several_values(helper: FakeHelper) -> None:
    helper.start(RingHash, "a b c d e", CONFIG)
    key = key_to(helper, "d")
    for number in range(1000):
        joined = b"%d,x" % number
        if order(helper, joined)[0] == "d:1" != order(helper, b"%d" % number)[0]:
            break
    pick(helper, key)
    helper["d"].accept()
    assert pick(helper, joined.split(b",")[0], b"x") == "d:1"


def test_a_lost_connection_is_replaced_when_there_is_a_call(helper: FakeHelper) -> None:
    helper.start(RingHash, "a b", CONFIG)
    key = key_to(helper, "a")
    pick(helper, key)
    helper["a"].accept()
    helper["a"].lose()
    assert helper.state is IDLE
    assert helper.connects == ["a:1"]
    pick(helper, key)
    assert helper.connects == ["a:1", "a:1"]


def test_the_next_server_takes_the_calls_of_one_that_fails(helper: FakeHelper) -> None:
    helper.start(RingHash, "a b c", CONFIG)
    key = key_to(helper, "a", "b", "c")
    pick(helper, key)
    helper["a"].refuse()
    assert helper.state is CONNECTING
    # One is tried without a call; by chance it is b.
    assert helper.connects == ["a:1", "b:1"]
    assert pick(helper, key) == "queue"
    helper["b"].accept()
    assert pick(helper, key) == "b:1"
    helper["a"].back_off()
    helper["a"].accept()
    assert pick(helper, key) == "a:1"


def test_when_all_fail_calls_hear_of_their_own_server(helper: FakeHelper) -> None:
    helper.start(RingHash, "a b c", CONFIG)
    key = key_to(helper, "b")
    pick(helper, key)
    for name in "bac":
        helper[name].refuse(f"no {name}")
    assert helper.said() == [IDLE, CONNECTING, CONNECTING, CONNECTING, FAILED, FAILED, FAILED]
    assert pick(helper, key) == FAILED_TEXT + "b:1: no b"
    assert pick(helper) == FAILED_TEXT + f"{owners(helper)[0][1]}: no {owners(helper)[0][1][0]}"


def test_two_failures_make_it_fail_but_calls_wait_for_a_third(helper: FakeHelper) -> None:
    helper.start(RingHash, "a b c d", CONFIG)
    key = key_to(helper, "a", "b", "c")
    pick(helper, key)
    helper["a"].refuse()
    helper["b"].refuse()
    assert helper.state is FAILED
    assert helper.connects == ["a:1", "b:1", "c:1"]
    assert pick(helper, key) == "queue"
    helper["c"].accept()
    assert helper.state is READY
    assert helper.connects == ["a:1", "b:1", "c:1"]
    assert pick(helper, key) == "c:1"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("....", IDLE),
        ("+...", READY),
        ("+---", READY),
        ("-...", CONNECTING),
        ("c...", CONNECTING),
        ("--..", FAILED),
        ("--c.", FAILED),
        ("----", FAILED),
    ],
)
def test_the_state_of_all(helper: FakeHelper, states: str, expected: ChannelConnectivity) -> None:
    helper.start(RingHash, "a b c d", CONFIG)
    for name, state in zip("abcd", states, strict=True):
        if state != ".":
            pick(helper, key_to(helper, name))
            if state == "+":
                helper[name].accept()
            elif state == "-":
                helper[name].refuse()
    assert helper.state is expected


@pytest.mark.parametrize(("refused", "expected"), [(False, IDLE), (True, FAILED)])
def test_a_single_server(helper: FakeHelper, refused: bool, expected: object) -> None:
    helper.start(RingHash, "a", CONFIG)
    pick(helper, b"any")
    if refused:
        helper["a"].refuse()
    else:
        helper["a"].accept()
        helper["a"].lose()
    assert helper.state is expected


# Calls without a key


@pytest.mark.parametrize("config", [CONFIG, {"minRingSize": 120}])
def test_a_call_by_chance(helper: FakeHelper, config: dict[str, Any]) -> None:
    helper.start(RingHash, "a b c", config)
    ring = owners(helper)
    helper.chances.append(0.5)
    assert pick(helper) == "queue"
    [first] = helper.connects
    assert first == ring[bisect.bisect_left(ring, (2**63, ""))][1]
    # While that one connects, nobody else does.
    assert [pick(helper), pick(helper)] == ["queue", "queue"]
    assert helper.connects == [first]
    helper[first].accept()
    assert pick(helper) == first


def test_a_call_by_chance_goes_to_whom_there_is(helper: FakeHelper) -> None:
    helper.start(RingHash, "a b c", CONFIG)
    ring = owners(helper)
    pick(helper, key_to(helper, "b"))
    helper["b"].accept()
    place = next(place for place, name in ring if name == "a:1")
    helper.chances.append((place - 2**20) / 2**64)
    assert pick(helper, b"") == "b:1"
    # On the way one was told to connect.
    assert helper.connects[0] == "b:1"
    assert len(helper.connects) == 2
    helper.close()


def test_a_call_by_chance_while_one_has_failed(helper: FakeHelper) -> None:
    helper.start(RingHash, "a b", CONFIG)
    pick(helper, key_to(helper, "a"))
    helper["a"].refuse()
    assert helper.connects == ["a:1", "b:1"]
    assert pick(helper) == "queue"
    assert helper.connects == ["a:1", "b:1"]


# Leaving IDLE


def test_exit_idle_connects_one(helper: FakeHelper) -> None:
    policy = helper.start(RingHash, "a b c", CONFIG)
    helper.chances.append(0.9)
    policy.exit_idle()
    policy.exit_idle()
    helper.run()
    assert helper.connects == ["c:1"]
    helper["c"].accept()
    policy.exit_idle()
    helper.run()
    assert helper.connects == ["c:1"]


def test_exit_idle_leaves_it_to_a_call_that_was_before(helper: FakeHelper) -> None:
    policy = helper.start(RingHash, "a b c", CONFIG)
    key = key_to(helper, "b")
    helper.picker.pick(PickInfo("/test.Test/Method", [(b"key", key)], False))
    policy.exit_idle()
    helper.run()
    assert helper.connects == ["b:1"]


def test_exit_idle_without_anybody(helper: FakeHelper) -> None:
    policy = helper.start(RingHash, "", CONFIG)
    assert helper.state is FAILED
    policy.exit_idle()
    helper.run()
    helper.close()


# Updates


def test_servers_that_stay_keep_their_keys_and_connections(helper: FakeHelper) -> None:
    helper.start(RingHash, "a b c", CONFIG)
    key = key_to(helper, "b")
    pick(helper, key)
    helper["b"].accept()
    helper.update("c b d", CONFIG)
    assert helper.state is READY
    assert order(helper, key)[0] in ("b:1", "d:1")
    stays = key_to(helper, "b")
    assert pick(helper, stays) == "b:1"
    helper.update("c d", CONFIG)
    assert helper.state is IDLE
    assert helper.open == []
    assert pick(helper, stays) == "queue"
    helper.close()


def test_an_equal_update_keeps_the_ring(helper: FakeHelper) -> None:
    policy: Any = helper.start(RingHash, "a b c", CONFIG)
    ring = policy._ring
    helper.update("a b c", CONFIG)
    assert policy._ring is ring
    helper.update("a b c", {**CONFIG, "minRingSize": 121})
    assert policy._ring is not ring


def test_weights_and_repetition(helper: FakeHelper) -> None:
    policy: Any = helper.start(RingHash, "", {"minRingSize": 6})
    helper.update(
        [endpoint("a"), endpoint("b", weight=2), endpoint("a", weight=3)], {"minRingSize": 6}
    )
    assert Counter(policy._ring.owners) == {0: 4, 1: 2}


def test_an_endpoint_may_have_a_key_of_its_own(helper: FakeHelper) -> None:
    policy: Any = helper.start(RingHash, "", {"minRingSize": 2})
    helper.update([endpoint("a", hash_key="one"), endpoint("b", hash_key="")], {"minRingSize": 2})
    assert policy._ring.places == sorted([xxh64(b"one_0"), xxh64(b"b:1_0")])
    helper.update([endpoint("c", hash_key="one"), endpoint("b")], {"minRingSize": 2})
    assert policy._ring.places == sorted([xxh64(b"one_0"), xxh64(b"b:1_0")])


def test_an_endpoint_with_two_addresses(helper: FakeHelper) -> None:
    helper.start(RingHash, "a+a:2", CONFIG)
    pick(helper, b"any")
    helper["a"].refuse()
    helper["a:2"].accept()
    assert pick(helper, b"any") == "a:2"


def test_an_update_that_changes_nothing_but_the_order_of_addresses(helper: FakeHelper) -> None:
    helper.start(RingHash, "a+a:2 b", CONFIG)
    for name in ("a", "a:2"):
        if not helper.connects:
            pick(helper, key_to(helper, "a"))
        helper[name].refuse("none")
    helper["b"].refuse("none")
    helper.update("a:2+a b", CONFIG)
    assert helper.state is FAILED
    assert pick(helper, b"any").startswith(FAILED_TEXT)


def test_a_server_without_a_place_gets_no_calls(helper: FakeHelper) -> None:
    config = {"requestHashHeader": "key", "minRingSize": 1, "maxRingSize": 2}
    policy: Any = helper.start(RingHash, "a b c", config)
    assert Counter(policy._ring.owners) == {0: 1, 1: 1}
    pick(helper, b"any")
    # The other one follows, because nobody else connects, and then the third.
    for _ in range(2):
        helper[helper.connects[-1]].refuse("none")
    assert helper.connects[-1] == "c:1"
    assert pick(helper, b"any").startswith(FAILED_TEXT)


def test_calls_wait_for_a_server_that_connects(helper: FakeHelper) -> None:
    helper.start(RingHash, "a b c", CONFIG)
    key = key_to(helper, "b")
    pick(helper, key)
    assert helper["b"].state is CONNECTING
    assert pick(helper, key) == "queue"
    assert helper.connects == ["b:1"]
