"""`grpc_testing`, once Clarion stands in grpcio's place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# A child may take a minute, and what became of it is still to be shown.
pytestmark = pytest.mark.timeout(180)

SOURCE = Path(__file__).resolve().parents[2] / "src"
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import clarion
clarion.install_as_grpc()
import grpc, grpc_testing
from clarion.testing import scripted
assert grpc_testing.channel is scripted.channel
assert set(grpc_testing.__all__) == set(scripted.__all__)
channel = grpc_testing.channel([], grpc_testing.strict_fake_time(0))
assert isinstance(channel, grpc.Channel)
assert isinstance(channel.unary_stream("/S/M"), grpc.UnaryStreamMultiCallable)
assert issubclass(type(grpc_testing.strict_real_time()), grpc_testing.Time)
"""


def test_it_is_the_scripted_channels_and_servers() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(SOURCE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
