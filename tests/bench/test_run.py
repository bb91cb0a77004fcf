"""What is chosen is run in turn, failures stay with their row, and every figure has a scenario."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hpack import Decoder

from bench import run
from bench.harness import toolchains
from bench.harness.implementations import Implementation, candidates, neutral, select
from bench.harness.metrics import METRICS
from bench.harness.processes import Invalid
from bench.harness.ratios import rows
from bench.harness.raw_http2 import frame, header_block
from bench.scenarios import SCENARIOS
from bench.scenarios.base import Context, Figures, Scenario
from bench.scenarios.footprint import tree_size

NOTHING_NEUTRAL = Context(seconds=0.0, neutral_server=None, neutral_client=None)


def test_every_metric_has_one_scenario() -> None:
    assert Counter(key for s in SCENARIOS for key in s.metrics) == Counter(list(METRICS))


def test_the_readme_explains_every_scenario_and_option() -> None:
    readme = (Path(run.__file__).parent / "README.md").read_text()
    for scenario in SCENARIOS:
        assert f"`{scenario.name}`" in readme
    for word in ("--quick", "--only", "--impl"):
        assert word in readme


def test_rounds_take_the_implementations_in_turn(tmp_path: Path) -> None:
    order = []

    def measure(implementation: Implementation, context: Context) -> Figures:
        order.append(implementation.name)
        if implementation.name == "grpclib":
            raise Invalid("it broke")
        return {"payload-1": 4.0 if implementation.library == "clarion" else 2.0}

    chosen, _ = select(candidates(), ["grpcio-sync", "clarion-sync", "grpclib"])
    scenario = Scenario("fake", ("payload-1",), lambda one: one.loop == "asyncio", measure)
    samples = run.run([scenario], chosen, NOTHING_NEUTRAL, 2)
    assert Counter(order) == {"grpcio-sync": 2, "clarion-sync": 2, "grpclib": 2}
    assert order[:3] != order[3:]
    assert samples.failures == {"payload-1": {"grpclib": "it broke"}}

    table = rows(["payload-1"], chosen, samples)
    run.write(tmp_path, table, samples, {}, quick=True)
    written = json.loads((tmp_path / "latest.json").read_text())
    assert written["rows"][0]["ratio"] == 2.0
    assert written["units"] == {"payload-1": "MB/s"}
    assert "2x" in (tmp_path / "latest.md").read_text()
    assert (tmp_path / "latest.svg").read_text().startswith("<svg")


@pytest.mark.parametrize("arguments", [["--only", "nosuch"], ["--impl", "grpcio,nosuch"]])
def test_unknown_names_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(arguments) == 2
    assert "nosuch" in capsys.readouterr().err


def test_neutral_end_prefers_what_stands_least_in_the_way() -> None:
    def name(side: str, *wanted: str) -> str | None:
        found = neutral(select(candidates(), wanted)[0], side)
        return found.name if found else None

    assert name("server") == "grpc-go"
    assert name("server", "grpcio", "grpc-js") == "grpc-js"
    assert name("client", "grpcio", "grpc-js") == "grpcio-aio"
    assert name("client", "grpclib") is None


@pytest.mark.parametrize("build", [toolchains.build_go, toolchains.install_node])
def test_an_absent_toolchain_is_a_reason(
    build: Callable[[], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(toolchains.Missing, match="not on the path"):
        build()


def test_raw_frames_are_http2() -> None:
    block = header_block([(":path", "/hello.Bench/Talk"), ("te", "trailers")])
    decoded = [tuple(field) for field in Decoder().decode(block, raw=True)]
    assert decoded == [(b":path", b"/hello.Bench/Talk"), (b"te", b"trailers")]
    assert frame(1, 4, 3, block)[:9] == len(block).to_bytes(3, "big") + b"\1\4\0\0\0\3"


def test_tree_size_leaves_out_byte_code_and_caches(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.py").write_bytes(b"12345")
    (tmp_path / "deep" / "a.pyc").write_bytes(b"123")
    (tmp_path / "deep" / "py.typed").write_bytes(b"1")
    (tmp_path / ".cache" / "deep").mkdir(parents=True)
    (tmp_path / ".cache" / "deep" / "entry").write_bytes(b"123")
    assert tree_size(tmp_path) == 6
