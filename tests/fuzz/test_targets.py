"""The fuzz targets, bounded: the corpus, then examples of Hypothesis, the same ones in every run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings

from fuzz.meter import count_calls
from fuzz.seeds import seeds
from fuzz.strategies import inputs
from fuzz.targets import NAMES, load
from support.limits import CHILD_SECONDS

ROOT = Path(__file__).resolve().parents[2]
NEEDS = {"hpack_differential": "hpack", "frames_differential": "hyperframe"}
# Calls of functions that an input may cost: for itself, and for each byte of it. Measured: up to a quarter of that.
CALLS, CALLS_PER_BYTE = 5_000, 60

Function = Callable[[bytes], None]


@pytest.fixture(params=NAMES)
def target(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    library = NEEDS.get(name)
    if library is not None and importlib.util.find_spec(library) is None:
        pytest.skip(f"the peer library `{library}` is not installed")
    return name


def test_every_target_has_a_corpus(target: str) -> None:
    assert len(seeds(target)) >= 4
    assert sum(map(len, seeds(target).values())) < 100_000


def test_the_corpus_passes_with_bounded_work(target: str) -> None:
    function = load(target)
    for name, data in seeds(target).items():
        calls = count_calls(function, data)
        assert calls <= CALLS + CALLS_PER_BYTE * len(data), (name, calls)


def test_examples_pass(target: str) -> None:
    function = load(target)

    @seed(20)
    @settings(
        max_examples=80,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(inputs(seeds(target).values()))
    def check(data: bytes) -> None:
        function(data)

    check()


@pytest.mark.parametrize(
    ("target", "place", "broken"),
    [
        ("timeout", "fuzz.targets.timeout.decode_timeout", lambda value: 1 / 0),
        ("percent", "fuzz.targets.percent.decode_message", lambda value: value.decode()),
        ("base64", "fuzz.targets.base64.decode_metadata", lambda fields: ()),
        ("framing", "fuzz.targets.framing.MessageReader.feed", lambda self, chunk: []),
        (
            "server_connection",
            "clarion.http2.connection.Connection._accept_stream",
            lambda self, sid: 1 / 0,
        ),
        (
            "client_call",
            "clarion.protocol.client_stream.ClientStream.end",
            lambda self, outcome: 1 / 0,
        ),
    ],
)
def test_a_defect_is_found(
    target: str, place: str, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The corpus alone meets what is broken on purpose."""
    function = load(target)
    monkeypatch.setattr(place, broken)
    found = 0
    for data in seeds(target).values():
        try:
            function(data)
        except Exception:
            found += 1
    assert found


def test_work_is_counted() -> None:
    once = count_calls(lambda data: sorted(data, key=lambda octet: -octet), bytes(10))  # type: ignore[arg-type,return-value]
    twice = count_calls(lambda data: sorted(data, key=lambda octet: -octet), bytes(20))  # type: ignore[arg-type,return-value]
    assert twice - once == 10


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "fuzz" / "run.py"), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=CHILD_SECONDS,
    )


def test_the_runner() -> None:
    done = run("--targets", "timeout", "--seconds", "0", "--engine", "hypothesis")
    assert done.returncode == 0, done.stdout + done.stderr
    first, *lines = done.stdout.splitlines()
    assert first.startswith("hypothesis, Python ")
    assert [line.partition(":")[0] for line in lines] == ["timeout"]
    assert all("nothing found" in line for line in lines)


def test_replaying_one_input() -> None:
    file = next((ROOT / "fuzz" / "corpus" / "timeout").iterdir())
    done = run("--targets", "timeout", "--replay", str(file))
    assert (done.returncode, done.stdout) == (0, f"{file}: passed\n")
