"""Which of the choices in a TXT record is a client's (gRFC A2)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.resolver.dns_config import choose_config

A: dict[str, Any] = {"a": 1}
B: dict[str, Any] = {"b": 2}


def choose(*choices: Any, percentage: float = 50.0) -> Any:
    return choose_config(["grpc_config=" + json.dumps(choices)], percentage, "here")


@pytest.mark.parametrize(
    ("member", "value", "fits"),
    [
        ("clientLanguage", ["go", "Python"], True),
        ("clientLanguage", ["go", "java"], False),
        ("clientLanguage", [], True),
        ("clientHostname", ["there", "here"], True),
        ("clientHostname", ["HERE"], False),
        ("percentage", 51, True),
        ("percentage", 50, False),
        ("percentage", 0, False),
        ("percentage", 100, True),
        ("percentage", None, True),
    ],
)
def test_criteria(member: str, value: Any, fits: bool) -> None:
    found, error = choose({member: value, "serviceConfig": A}, {"serviceConfig": B})
    assert (found, error) == (A if fits else B, "")


def test_all_criteria_have_to_fit() -> None:
    assert choose({"clientLanguage": ["python"], "percentage": 10, "serviceConfig": A}) == (
        None,
        "",
    )


@pytest.mark.parametrize("texts", [[], ["other=[]"], ["grpc_config=[]"]])
def test_no_choice(texts: list[str]) -> None:
    assert choose_config(texts, 0.0, "here") == (None, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "must be a list of choices"),
        ("[1]", r"\[0\]: must be an object"),
        ('[{"serviceConfig": {}}, {}]', r"\[1\].serviceConfig: must be an object"),
        ('[{"serviceConfig": {}, "other": 1}]', r"\[0\].other: not a member"),
        ('[{"serviceConfig": {}, "percentage": 101}]', r"\[0\].percentage: must be"),
        ('[{"serviceConfig": {}, "percentage": true}]', r"\[0\].percentage: must be"),
        ('[{"serviceConfig": {}, "clientLanguage": "go"}]', r"\[0\].clientLanguage: must be"),
        ('[{"serviceConfig": {}, "clientHostname": [1]}]', r"\[0\].clientHostname: must be"),
    ],
)
def test_malformed_choices(text: str, problem: str) -> None:
    found, error = choose_config(["grpc_config=" + text], 0.0, "here")
    assert found is None
    assert error.startswith("TXT record of the service config: ")
    assert re.search(problem, error)


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_anything_is_a_choice_or_an_error(text: str) -> None:
    found, error = choose_config(["grpc_config=" + text], 0.0, "here")
    assert found is None or error == ""
