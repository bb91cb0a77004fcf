"""Inputs for Hypothesis: any bytes, and seeds with a few edits."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

__all__ = ["inputs"]

Edit = tuple[int, int, bytes]


def _edited(seed: bytes, edits: list[Edit]) -> bytes:
    """Each edit puts bytes in place of as many, of none, or of more than there are."""
    for place, removed, added in edits:
        at = place % (len(seed) + 1)
        seed = seed[:at] + added + seed[at + removed :]
    return seed


def inputs(seeds: Iterable[bytes]) -> st.SearchStrategy[bytes]:
    """What one target is fed."""
    edits = st.lists(
        st.tuples(st.integers(0, 4000), st.sampled_from([0, 1, 1, 4, 20]), st.binary(max_size=6)),
        max_size=4,
    )
    listed = st.builds(
        lambda cut, rest: bytes([1, cut]) + rest,
        st.sampled_from([0, 0, 1, 7]),
        st.binary(max_size=120),
    )
    edited = st.builds(_edited, st.sampled_from(sorted(seeds)), edits)
    return st.one_of(edited, edited, listed, st.binary(max_size=200))
