"""What service configs may say, and what is said of those that may not."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.load_balancing import ConfigError, PolicyConfig
from clarion.load_balancing.config_reader import (
    ConfigReader,
    count,
    duration,
    flag,
    number,
    policy,
    positive,
    shown,
    text,
    texts,
)
from clarion.load_balancing.round_robin import RoundRobin


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (flag, True, True),
        (flag, False, False),
        (text, "", ""),
        (texts, ["a", "b"], ("a", "b")),
        (texts, [], ()),
        (number, 1, 1.0),
        (number, -1.5, -1.5),
        (number, "2.5", 2.5),
        (positive, 0.1, 0.1),
        (count, 0, 0),
        (count, 7.0, 7),
        (count, "7", 7),
        (count, 4294967295, 4294967295),
        (duration, "0s", 0.0),
        (duration, "10s", 10.0),
        (duration, "1.000000001s", 1.000000001),
        (duration, "315576000000s", 315576000000.0),
        (policy, [{"round_robin": {}}], PolicyConfig(RoundRobin, None)),
    ],
)
def test_right_values(read: Any, value: Any, expected: Any) -> None:
    assert read(value, "x") == expected
    assert type(read(value, "x")) is type(expected)


@pytest.mark.parametrize(
    ("read", "value", "problem"),
    [
        (flag, 1, "must be true or false, not 1"),
        (flag, "true", "must be true or false, not 'true'"),
        (text, 1, "must be a string, not 1"),
        (texts, "ab", "must be a list of strings, not 'ab'"),
        (texts, {}, "must be a list of strings, not {}"),
        (number, True, "must be a number, not True"),
        (number, "one", "must be a number, not 'one'"),
        (number, "nan", "must be a number, not 'nan'"),
        (number, float("inf"), "must be a number, not inf"),
        (number, 10**400, f"must be a number, not {'1' + '0' * 76}..."),
        (number, None, "must be a number, not None"),
        (number, [], "must be a number, not []"),
        (positive, 0, "must be greater than 0, not 0"),
        (count, -1, "must be a whole number, 0 or more, not -1"),
        (count, 0.5, "must be a whole number, 0 or more, not 0.5"),
        (duration, 10, 'must be a duration such as "1.5s", not 10'),
        (duration, "10", "must be a duration such as \"1.5s\", not '10'"),
        (duration, "-1s", "must be a duration such as \"1.5s\", not '-1s'"),
        (duration, "1m", "must be a duration such as \"1.5s\", not '1m'"),
        (duration, "1.s", "must be a duration such as \"1.5s\", not '1.s'"),
        (duration, "٣s", "must be a duration such as \"1.5s\", not '٣s'"),
        (
            duration,
            "315576000001s",
            "must be a duration such as \"1.5s\", not '315576000001s'",
        ),
        (ConfigReader.of, 3, "must be an object, not 3"),
    ],
)
def test_wrong_values(read: Any, value: Any, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(value, "x")
    assert (caught.value.path, caught.value.problem) == ("x", problem)


def test_which_of_a_list_is_wrong() -> None:
    with pytest.raises(ConfigError, match=r"^x\[1\]: must be a string, not 2$"):
        texts(["a", 2], "x")


def test_members_have_either_name() -> None:
    reader = ConfigReader({"childPolicy": "a", "max_value": "b", "nothing": None})
    assert reader.get("childPolicy", text) == "a"
    assert reader.get("maxValue", text) == "b"
    assert reader.get("nothing", text) is None
    assert reader.get("other", text) is None


def test_errors_say_where() -> None:
    reader = ConfigReader({"a": {"b": 1}})
    below = reader.require("a", ConfigReader.of)
    with pytest.raises(ConfigError, match=r"^a\.b: must be a string, not 1$"):
        below.get("b", text)
    with pytest.raises(ConfigError, match=r"^a\.c: is missing$"):
        below.require("c", text)
    with pytest.raises(ConfigError, match=r"^c: is missing$"):
        reader.require("c", text)


@pytest.mark.parametrize("size", [0, 77, 78, 79, 1000])
def test_what_is_shown_is_short(size: int) -> None:
    value = "x" * size
    assert len(shown(value)) == min(size + 2, 80)
    assert shown(value)[:77] == repr(value)[:77]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None)
@given(JSON)
def test_whatever_a_value_is_it_is_read_or_refused(value: Any) -> None:
    for read in (flag, text, texts, number, positive, count, duration, policy, ConfigReader.of):
        with contextlib.suppress(ConfigError):
            read(value, "x")
