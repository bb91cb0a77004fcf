"""Other people's programs, from PyPI and unmodified, on Clarion in grpcio's place.

Each is a script that knows nothing of Clarion: it imports `grpc` and the library, and would run on grpcio as well. The
environment has no grpcio, and `run.py` proves at the end that every module named `grpc` was Clarion's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAMS = {
    "grpcio-tools-1.59": ("generated_code.py", "grpcio_tools_1_59"),
    "grpcio-tools-1.85": ("generated_code.py", "grpcio_tools_1_85"),
    "grpc-interceptor": ("interceptor.py",),
    "grpcio-health-checking": ("health_checking.py",),
    "grpcio-reflection": ("reflection.py",),
    "grpcio-status": ("status.py",),
    "py-grpc-prometheus": ("prometheus.py",),
    "opentelemetry-instrumentation-grpc": ("opentelemetry_instrumentation.py",),
    "opentelemetry-exporter-otlp": ("otlp_exporter.py",),
    "google-cloud-pubsub": ("google_pubsub.py",),
    "etcd-sdk-python": ("etcd.py",),
    "qdrant-client": ("qdrant.py",),
    "pymilvus": ("milvus.py",),
}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_program(run: Run, program: tuple[str, ...]) -> None:
    script, *arguments = program
    done = run("-m", "clarion.as_grpc", HERE / "run.py", HERE / "scripts" / script, *arguments)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "ran on Clarion alone"


def test_grpcio_is_not_there(run: Run) -> None:
    done = run("-c", "import grpc")
    assert done.returncode == 1
    assert "No module named 'grpc'" in done.stdout
