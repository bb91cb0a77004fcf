"""The example with a service and a site on one port prints what its page promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.demo import run_example

pytest.importorskip("google.protobuf")
pytest.importorskip("h11", reason="h11 is not installed")


def test_example(tmp_path: Path) -> None:
    run_example("one_port", "one-port", tmp_path)
