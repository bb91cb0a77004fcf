"""The example of services within an ASGI server prints what its page promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.demo import run_example

pytest.importorskip("google.protobuf")
pytest.importorskip("starlette", reason="starlette is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("h11", reason="h11 is not installed")


def test_example(tmp_path: Path) -> None:
    run_example("asgi", "asgi", tmp_path)
