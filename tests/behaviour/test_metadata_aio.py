"""`grpc.aio.Metadata`: pairs in order, with dictionary access."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from support.front_end import FrontEnd


@pytest.fixture
def kind(aio: FrontEnd) -> Any:
    return aio.library.aio.Metadata


@pytest.fixture
def metadata(kind: Any) -> Any:
    return kind(("a", "1"), ("b-bin", b"2"), ("a", "3"))


def test_its_kind(metadata: Any) -> None:
    assert isinstance(metadata, Collection)
    assert not isinstance(metadata, Mapping)


def test_reading(metadata: Any) -> None:
    assert metadata["a"] == "1"
    assert metadata.get("a") == "1"
    assert metadata.get("c") is None
    assert metadata.get("c", "x") == "x"
    assert metadata.get_all("a") == ["1", "3"]
    assert metadata.get_all("c") == []
    with pytest.raises(KeyError):
        metadata["c"]


def test_membership(metadata: Any) -> None:
    assert "a" in metadata
    assert "c" not in metadata
    assert 1 not in metadata
    assert [] not in metadata
    assert ("a", "1") not in metadata


def test_iteration_gives_all_pairs(metadata: Any) -> None:
    assert list(metadata) == [("a", "1"), ("a", "3"), ("b-bin", b"2")]
    assert len(metadata) == 3


def test_views_are_of_lists(metadata: Any) -> None:
    assert list(metadata.keys()) == ["a", "b-bin"]
    assert list(metadata.values()) == [["1", "3"], [b"2"]]
    assert list(metadata.items()) == [("a", ["1", "3"]), ("b-bin", [b"2"])]


def test_as_a_dictionary(metadata: Any) -> None:
    assert dict(metadata) == {"a": "1", "b-bin": b"2"}
    assert {**metadata} == {"a": "1", "b-bin": b"2"}


def test_truth(kind: Any, metadata: Any) -> None:
    assert metadata
    assert not kind()


def test_adding_values(metadata: Any) -> None:
    metadata.add("a", "4")
    metadata.add("c", "5")
    assert metadata.get_all("a") == ["1", "3", "4"]
    assert metadata["c"] == "5"


def test_the_list_of_values_is_the_metadata_s_own(metadata: Any) -> None:
    metadata.get_all("a").append("4")
    assert metadata.get_all("a") == ["1", "3", "4"]


def test_assigning_replaces_the_first(metadata: Any) -> None:
    metadata["a"] = "9"
    metadata["c"] = "new"
    assert metadata.get_all("a") == ["9", "3"]
    assert metadata.get_all("c") == ["new"]


def test_deleting(metadata: Any) -> None:
    del metadata["a"]
    assert metadata.get_all("a") == ["3"]
    del metadata["a"]
    assert "a" not in metadata
    with pytest.raises(KeyError):
        del metadata["a"]
    metadata.delete_all("b-bin")
    assert list(metadata) == []
    with pytest.raises(KeyError):
        metadata.delete_all("b-bin")


def test_set_all(metadata: Any) -> None:
    metadata.set_all("a", ["7", "8"])
    assert metadata.get_all("a") == ["7", "8"]
    metadata.set_all("a", [])
    assert metadata.get("a", "none") == "none"
    assert "a" in metadata
    with pytest.raises(KeyError):
        metadata["a"]
    with pytest.raises(KeyError):
        del metadata["a"]
    metadata["a"] = "1"
    assert metadata.get_all("a") == ["1"]


def test_from_tuple(kind: Any) -> None:
    assert list(kind.from_tuple((("a", "1"),))) == [("a", "1")]
    assert list(kind.from_tuple(iter([("a", "1")]))) == [("a", "1")]
    assert list(kind.from_tuple(None)) == []
    assert list(kind.from_tuple(())) == []
    with pytest.raises(ValueError):
        kind(("a",))


def test_equality(kind: Any, metadata: Any) -> None:
    assert metadata == kind(*metadata)
    assert metadata != kind(("b-bin", b"2"), ("a", "1"), ("a", "3"))
    assert metadata == tuple(metadata)
    assert metadata != list(metadata)
    assert metadata != kind()
    assert metadata != 1
    with pytest.raises(TypeError):
        hash(metadata)


def test_sums(kind: Any, metadata: Any) -> None:
    assert (metadata + kind(("a", "4"))).get_all("a") == ["1", "3", "4"]
    more = (("c", "5"),)
    assert (metadata + more)["c"] == "5"
    assert metadata.get_all("a") == ["1", "3"]
    for wrong in ([("c", "5")], None, {"c": "5"}):
        with pytest.raises(TypeError):
            metadata + wrong


def test_it_says_what_is_in_it(kind: Any) -> None:
    assert repr(kind(("a", "1"))) == "Metadata((('a', '1'),))"
    assert repr(kind()) == "Metadata(())"


def test_it_is_taken_as_metadata(aio: FrontEnd, metadata: Any) -> None:
    seen: list[Any] = []

    async def handler(call: Any) -> bytes:
        seen.extend(pair for pair in call.metadata if pair[0] in ("a", "b-bin"))
        return b""

    rig = aio.rig(unary_unary=handler)
    assert rig.call("unary_unary", [b""], metadata=metadata).code == "OK"
    assert seen == [("a", "1"), ("a", "3"), ("b-bin", b"2")]
