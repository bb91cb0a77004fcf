"""What is said where protovalidate is not installed, and what is not imported before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.processes import python_environment

# A child may take a minute, and what became of it is still to be shown.
pytestmark = pytest.mark.timeout(180)

WITHOUT = """
import sys
import clarion.validation
assert "protovalidate" not in sys.modules and "google.protobuf" not in sys.modules
sys.modules["protovalidate"] = None
for make in (clarion.validation.interceptor, clarion.validation.aio_interceptor,
             clarion.validation.client_interceptor, clarion.validation.aio_client_interceptors):
    try:
        make()
    except ImportError as error:
        assert "pip install 'clarion-rpc[validation]'" in str(error)
    else:
        raise AssertionError
"""


def test_without_protovalidate() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=python_environment(),
    )
    assert done.returncode == 0, done.stderr
