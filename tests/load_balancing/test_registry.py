"""Policies by name, and which of a list is taken."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.load_balancing import ConfigError, PolicyConfig, register
from clarion.load_balancing import registry as module
from clarion.load_balancing.pick_first import PickFirst, PickFirstConfig
from clarion.load_balancing.registry import find_policy, parse_policy_list, policy_names
from clarion.load_balancing.round_robin import RoundRobin
from support.load_balancing import Scripted


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_registered", {})


def test_policies_of_users() -> None:
    assert find_policy("scripted") is None
    assert "scripted" not in policy_names()
    assert register(Scripted) is Scripted
    assert find_policy("scripted") is Scripted
    assert "scripted" in policy_names()
    assert policy_names() == sorted(policy_names())


def test_a_policy_of_ours_may_be_replaced() -> None:
    class Mine(PickFirst):
        name = "pick_first"

    assert find_policy("pick_first") is PickFirst
    register(Mine)
    assert find_policy("pick_first") is Mine


@pytest.mark.parametrize("name", [None, "", 3])
def test_a_policy_needs_a_name(name: Any) -> None:
    class Nameless(Scripted):
        pass

    Nameless.name = name
    with pytest.raises(TypeError, match="needs a class attribute `name`"):
        register(Nameless)


def test_the_first_policy_that_is_known_is_taken() -> None:
    config = [{"grpclb": 3}, {"round_robin": {}}, {"pick_first": {"shuffleAddressList": 3}}]
    assert parse_policy_list(config, "x") == PolicyConfig(RoundRobin, None)
    pick_first = PolicyConfig(PickFirst, PickFirstConfig())
    assert parse_policy_list([{"pick_first": {}}], "x") == pick_first


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "x: must be a list, not None"),
        ({}, "x: must be a list, not {}"),
        ([], "x: names no policy that is known here: the list is empty"),
        ([{"a": {}}, {"b": {}}], "x: names no policy that is known here: a, b"),
        ([1], "x[0]: must be an object with one member, the policy's name"),
        ([{}], "x[0]: must be an object with one member, the policy's name"),
        (
            [{"a": {}}, {"a": {}, "b": {}}],
            "x[1]: must be an object with one member, the policy's name",
        ),
        ([{"round_robin": []}], "x[0].round_robin: must be an object, not []"),
        (
            [{"pick_first": {"shuffleAddressList": 3}}],
            "x[0].pick_first.shuffleAddressList: must be true or false, not 3",
        ),
    ],
)
def test_wrong_lists_are_refused(value: Any, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_policy_list(value, "x")
    assert str(caught.value) == error


def test_a_policy_that_says_nothing_of_its_config_gets_it_as_it_is() -> None:
    class Plain(Scripted):
        name = "plain"
        parse_config = Scripted.__base__.parse_config  # type: ignore[union-attr, assignment]

    register(Plain)
    assert parse_policy_list([{"plain": {"a": 1}}], "x") == PolicyConfig(Plain, {"a": 1})


@pytest.mark.parametrize(
    ("path", "above", "expected"),
    [
        ("", "x", "x: wrong"),
        ("a", "x", "x.a: wrong"),
        ("[1].a", "x", "x[1].a: wrong"),
    ],
)
def test_errors_as_seen_from_above(path: str, above: str, expected: str) -> None:
    assert str(ConfigError(path, "wrong").below(above)) == expected


def test_an_error_of_the_whole() -> None:
    assert str(ConfigError("", "wrong")) == "wrong"
