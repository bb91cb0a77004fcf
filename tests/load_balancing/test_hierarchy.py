"""Which endpoints are which child's."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.load_balancing.hierarchy import PATH, by_child
from support.load_balancing import endpoint


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("a",), {"a": ()}),
        (("b", "x"), {"b": ("x",)}),
        (("b", "x", "y"), {"b": ("x", "y")}),
        (["a", "x"], {"a": ("x",)}),
        (("nobody",), {}),
        ((), {"a": (), "b": ()}),
        (None, {"a": None, "b": None}),
    ],
)
def test_the_first_name_is_the_childs(path: Any, expected: dict[str, Any]) -> None:
    server = endpoint("s", zone="z", **({} if path is None else {PATH: path}))
    shares = by_child([server], ["a", "b"])
    assert {
        name: each.attributes.get(PATH) for name, share in shares.items() for each in share
    } == expected
    assert all(
        (each.addresses, each.attributes["zone"]) == (server.addresses, "z")
        for share in shares.values()
        for each in share
    )


def test_the_order_stays_and_children_without_endpoints_have_none() -> None:
    servers = [endpoint(name, path=("a",)) for name in "zyx"]
    assert by_child(servers, ["a", "b"]) == {"a": servers, "b": []}
