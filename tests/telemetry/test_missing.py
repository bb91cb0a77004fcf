"""Without OpenTelemetry, the error says what to install."""

from __future__ import annotations

import sys

import pytest


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("clarion.telemetry"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError, match=r"pip install 'clarion-rpc\[otel\]'"):
        import clarion.telemetry  # noqa: F401
