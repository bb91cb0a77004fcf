"""least_request: of a few, the one with the fewest calls."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from clarion.load_balancing import ConfigError, Picked
from clarion.load_balancing.least_request import LeastRequest, LeastRequestConfig
from clarion.load_balancing.registry import find_policy
from support.load_balancing import CALL, FAILED, READY, FakeHelper


def begin(helper: FakeHelper, *chances: float) -> Picked:
    """Pick, with these choices."""
    helper.chances.extend(chances)
    answer = helper.picker.pick(CALL)
    assert isinstance(answer, Picked)
    assert not helper.chances
    return answer


def end(answer: Picked) -> None:
    assert answer.done is not None
    answer.done(None)


def ready(helper: FakeHelper, names: str, config: Any = None) -> None:
    """All these servers are READY, in this order."""
    helper.start(LeastRequest, names, config)
    for name in names.split():
        helper[name].accept()


@pytest.mark.parametrize(
    ("config", "choices"),
    [({}, 2), ({"choiceCount": 2}, 2), ({"choice_count": 5}, 5), ({"choiceCount": 11}, 10)],
)
def test_config(config: dict[str, Any], choices: int) -> None:
    assert find_policy("least_request_experimental") is LeastRequest
    assert LeastRequest.parse_config(config) == LeastRequestConfig(choices)


@pytest.mark.parametrize("count", [0, 1])
def test_a_single_choice_is_refused(count: int) -> None:
    with pytest.raises(ConfigError, match="choiceCount: must be 2 or more"):
        LeastRequest.parse_config({"choiceCount": count})


def test_the_one_with_fewer_calls_is_taken(helper: FakeHelper) -> None:
    ready(helper, "a b")
    a, b = 0.0, 0.5
    assert str(begin(helper, a, a).subchannel.address) == "a:1"
    assert str(begin(helper, a, b).subchannel.address) == "b:1"
    # Of two alike the first.
    first = begin(helper, b, a)
    assert str(first.subchannel.address) == "b:1"
    assert str(begin(helper, b, a).subchannel.address) == "a:1"
    end(first)
    assert str(begin(helper, a, b).subchannel.address) == "b:1"
    assert helper.picker.only is None
    helper.close()


def test_as_many_choices_as_the_config_says(helper: FakeHelper) -> None:
    ready(helper, "a b c d", {"choiceCount": 3})
    for chance in (0.0, 0.0, 0.25):
        begin(helper, chance, chance, chance)
    assert str(begin(helper, 0.0, 0.25, 0.75).subchannel.address) == "d:1"


def test_counts_outlive_pickers_and_connections(helper: FakeHelper) -> None:
    ready(helper, "a b c")
    call = begin(helper, 0.0, 0.0)
    helper["c"].lose()
    assert str(begin(helper, 0.0, 0.5).subchannel.address) == "b:1"
    end(call)
    helper["c"].accept()
    assert str(begin(helper, 0.4, 0.0).subchannel.address) == "a:1"


def test_calls_spread(helper: FakeHelper) -> None:
    ready(helper, "a b c d")
    import random

    generator = random.Random(1)
    helper.random = generator.random  # type: ignore[method-assign]
    helper.update("a b c d")
    seen = Counter(helper.picks(400))
    assert max(seen.values()) - min(seen.values()) <= 4


def test_states_are_round_robins(helper: FakeHelper) -> None:
    helper.start(LeastRequest, "a b")
    helper["a"].refuse()
    helper["b"].refuse()
    assert helper.state is FAILED
    helper["b"].back_off()
    helper["b"].accept()
    assert helper.state is READY
