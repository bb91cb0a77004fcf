"""Metadata as a dictionary whose keys may have several values; the behaviour suite has the most of it."""

from __future__ import annotations

from clarion.metadata import Metadata, Metadatum


def test_a_metadatum_is_a_pair() -> None:
    assert Metadatum("a", "1") == ("a", "1")
    assert Metadatum("a", "1").key == "a"
    assert Metadatum("a", "1").value == "1"


def test_values_that_are_set_are_copied() -> None:
    metadata = Metadata()
    values: list[str | bytes] = ["7", "8"]
    metadata.set_all("a", values)
    values.append("9")
    assert metadata.get_all("a") == ["7", "8"]


def test_it_needs_no_list() -> None:
    metadata = Metadata()
    metadata.set_all("a", ("7", "8"))
    metadata.add("a", "9")
    assert metadata.get_all("a") == ["7", "8", "9"]
