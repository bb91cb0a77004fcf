"""What docs/load-balancing.md shows works."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from clarion.load_balancing import Picked, PickInfo
from clarion.load_balancing import registry as module
from clarion.load_balancing.registry import find_policy, parse_policy_list
from support.load_balancing import FakeHelper

PAGE = (Path(__file__).parents[2] / "docs" / "load-balancing.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_configs_are_right(text: str) -> None:
    config = json.loads(text)
    parse_policy_list(config["loadBalancingConfig"], "loadBalancingConfig")


def test_the_error_is_what_it_says() -> None:
    policy = {"targets": {"here": {"weight": 0}}}
    with pytest.raises(module.ConfigError) as caught:
        parse_policy_list([{"weighted_target_experimental": policy}], "loadBalancingConfig")
    assert f"`{caught.value}`" in PAGE


def test_the_policy_works(helper: FakeHelper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_registered", {})
    [code] = re.findall(r"^```python\n(import.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    exec(code, names)
    policy = find_policy("by_session")
    assert policy is names["BySession"]
    helper.start(policy, "a b")
    helper["a"].accept()
    helper["b"].accept()
    chosen = set()
    for session in (b"1", b"2", b"3", b"4"):
        call = PickInfo("/s/m", ((b"session", session),), False)
        answer = helper.picker.pick(call)
        assert isinstance(answer, Picked)
        assert helper.picker.pick(call) is answer
        chosen.add(answer.subchannel)
    assert chosen == set(helper.made)
