"""Which calls end with which."""

from __future__ import annotations

import pytest

from clarion.propagation import Family, current_parent, detached


class Parent(Family):
    def __init__(self, left: float | None = None) -> None:
        self.left = left

    def time_left(self) -> float | None:
        return self.left

    def cut(self) -> None:
        self.cut_off = True
        self._cut_off_children()


class Child:
    def __init__(self) -> None:
        self.cuts = 0

    def parent_cut_off(self) -> None:
        self.cuts += 1


@pytest.mark.parametrize(
    ("left", "timeout", "result"),
    [(None, None, None), (None, 3, 3), (5, None, 5), (5, 3, 3), (5, 5, 5), (5, 9, 5), (-1, 9, -1)],
)
def test_the_shorter_time_counts(
    left: float | None, timeout: float | None, result: float | None
) -> None:
    assert Parent(left).shorten(timeout) == result


def test_a_family_must_know_its_time() -> None:
    with pytest.raises(NotImplementedError):
        Family().time_left()


def test_children_are_cut_off_once() -> None:
    parent, children = Parent(), [Child(), Child()]
    for child in children:
        parent.adopt(child)
    parent.cut()
    parent.cut()
    assert [child.cuts for child in children] == [1, 1]


def test_a_child_that_is_over_is_left_alone() -> None:
    parent, child, other = Parent(), Child(), Child()
    parent.release(child)
    parent.adopt(child)
    parent.adopt(other)
    parent.release(child)
    parent.release(child)
    parent.cut()
    assert (child.cuts, other.cuts) == (0, 1)


def test_a_late_child_is_cut_off_at_once() -> None:
    parent, child = Parent(), Child()
    parent.cut()
    parent.adopt(child)
    assert child.cuts == 1


def test_a_child_that_another_thread_takes() -> None:
    class Emptied(dict[Child, None]):
        def popitem(self) -> tuple[Child, None]:
            self.clear()
            return super().popitem()

    parent = Parent()
    parent._children = Emptied({Child(): None})
    parent.cut()
    assert not parent._children


def test_detached() -> None:
    parent = Parent()
    token = current_parent.set(parent)
    try:
        with detached():
            assert current_parent.get() is None
        assert current_parent.get() is parent
    finally:
        current_parent.reset(token)
