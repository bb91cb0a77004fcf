"""Metadata as a dictionary whose keys may have several values."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clarion.metadata import Metadata, Metadatum


@pytest.fixture
def metadata() -> Metadata:
    return Metadata(("a", "1"), ("b-bin", b"2"), ("a", "3"))


def test_a_metadatum_is_a_pair() -> None:
    assert Metadatum("a", "1") == ("a", "1")
    assert Metadatum("a", "1").key == "a"
    assert Metadatum("a", "1").value == "1"


def test_reading(metadata: Metadata) -> None:
    assert metadata["a"] == "1"
    assert metadata.get("a") == "1"
    assert metadata.get("c") is None
    assert metadata.get("c", "x") == "x"
    assert metadata.get_all("a") == ["1", "3"]
    assert metadata.get_all("c") == []
    assert "a" in metadata
    assert "c" not in metadata
    with pytest.raises(KeyError):
        metadata["c"]


def test_what_is_read_is_a_copy(metadata: Metadata) -> None:
    metadata.get_all("a").append("9")
    assert metadata.get_all("a") == ["1", "3"]


def test_iteration_gives_all_pairs(metadata: Metadata) -> None:
    pairs = [("a", "1"), ("a", "3"), ("b-bin", b"2")]
    assert list(metadata) == pairs
    assert list(metadata.items()) == pairs
    assert list(metadata.keys()) == ["a", "b-bin"]
    assert list(metadata.values()) == ["1", "3", b"2"]
    assert len(metadata) == 3
    assert isinstance(metadata, Mapping)


def test_assigning_replaces_the_first(metadata: Metadata) -> None:
    metadata["a"] = "9"
    metadata["c"] = "new"
    assert metadata.get_all("a") == ["9", "3"]
    assert metadata.get_all("c") == ["new"]


def test_set_all(metadata: Metadata) -> None:
    values: list[str | bytes] = ["7", "8"]
    metadata.set_all("a", values)
    values.append("9")
    assert metadata.get_all("a") == ["7", "8"]


def test_deleting_removes_the_first(metadata: Metadata) -> None:
    del metadata["a"]
    assert metadata.get_all("a") == ["3"]
    del metadata["a"]
    assert "a" not in metadata
    with pytest.raises(KeyError):
        del metadata["a"]


def test_delete_all(metadata: Metadata) -> None:
    metadata.delete_all("a")
    assert list(metadata) == [("b-bin", b"2")]
    with pytest.raises(KeyError):
        metadata.delete_all("a")


def test_from_tuple() -> None:
    assert list(Metadata.from_tuple((("a", "1"),))) == [("a", "1")]
    assert list(Metadata.from_tuple(None)) == []
    assert list(Metadata.from_tuple(())) == []


def test_equality(metadata: Metadata) -> None:
    assert metadata == Metadata(*metadata)
    assert metadata == tuple(metadata)
    assert metadata != Metadata()
    assert metadata != (("a", "1"),)
    assert metadata != 1


def test_adding(metadata: Metadata) -> None:
    both = metadata + Metadata(("a", "4"))
    assert both.get_all("a") == ["1", "3", "4"]
    assert metadata.__add__((("c", "5"),))["c"] == "5"
    assert metadata.get_all("a") == ["1", "3"]


def test_it_says_what_is_in_it() -> None:
    assert repr(Metadata(("a", "1"))) == "Metadata((('a', '1'),))"


def test_it_is_not_hashable(metadata: Metadata) -> None:
    with pytest.raises(TypeError):
        hash(metadata)
