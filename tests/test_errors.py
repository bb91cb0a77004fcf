"""The two kinds of failure are told apart."""

from __future__ import annotations

from clarion.errors import LocalError, RemoteError


def test_neither_is_the_other() -> None:
    assert not issubclass(LocalError, RemoteError)
    assert not issubclass(RemoteError, LocalError)
    assert str(RemoteError("why")) == "why"
