"""The runner of the tests: what hangs, dies or fails once costs itself and no other test."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Each one starts processes of pytest.
pytestmark = pytest.mark.timeout(240)
TESTS = Path(__file__).parent


@pytest.fixture
def recorded_runs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TESTS.parent / "tools"))
    import recorded_runs

    return recorded_runs


@pytest.fixture
def run(
    recorded_runs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Any]:
    """Run a program of tests."""
    # Caches go beside the environment of the interpreter.
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    program = tmp_path / "test_program.py"
    monkeypatch.setattr(recorded_runs, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("PYTEST_PLUGINS", "support.run_record")

    def run(source: str, other: str = "") -> Any:
        (tmp_path / "test_other.py").write_text(other)
        program.write_text("import os, pytest, signal, time\n" + textwrap.dedent(source))
        return recorded_runs.run_pytest(
            python, [program.name, "test_other.py"], coverage=False, live=False
        )

    return run


def test_tests_are_counted_once_whatever_phase_fails(run: Callable[[str], Any]) -> None:
    result = run(
        """
        @pytest.fixture
        def broken():
            yield
            raise ValueError("at the end")

        def test_good(): pass
        def test_bad(): assert 1 == 2
        def test_that_fails_late(broken): pass
        def test_that_is_skipped(): pytest.skip("no reason")
        @pytest.mark.xfail
        def test_known(): assert False
        """
    )
    assert (result.passed, result.failed, result.skipped, result.ok) == (1, 2, 2, False)
    assert "assert 1 == 2" in result.failures[0]
    assert "at the end" in result.failures[1]


def test_modules_that_cannot_be_imported(run: Callable[[str], Any]) -> None:
    result = run("import nothing_of_that_name")
    assert (result.passed, result.failed, result.ok) == (0, 1, False)
    assert "nothing_of_that_name" in result.failures[0]
    result = run("def test_good(): pass", "raise ValueError('not now')")
    assert (result.passed, result.failed) == (1, 1)
    result = run("pytest.skip('not here', allow_module_level=True)", "def test_good(): pass")
    assert (result.passed, result.failed, result.skipped, result.ok) == (1, 0, 1, True)


def test_a_run_without_tests_fails(run: Callable[[str], Any]) -> None:
    result = run("")
    assert (result.failed, result.ok, result.again) == (1, False, None)


HANGS = """
    def test_before(): pass
    @pytest.mark.timeout(1)
    def test_that_hangs():
        if {always} or not os.path.exists("hung"):
            open("hung", "w").close()
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            while True:
                time.sleep(60)
    def test_behind(): pass
    """


def test_a_hang_costs_one_test(
    run: Callable[[str], Any],
    recorded_runs: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(recorded_runs, "_GRACE", 0.5)
    result = run(HANGS.format(always=False))
    assert (result.passed, result.failed, result.ok) == (2, 1, False)
    assert "test_that_hangs" in result.failures[0]
    assert "did not end" in result.failures[0]
    assert "most recent call first" in result.failures[0]
    again = recorded_runs.run_again("here", result)
    assert (again.passed, again.failed, again.ok) == (3, 0, True)
    assert "unsteady" in capsys.readouterr().out


def test_a_hang_that_comes_again_fails_the_run(
    run: Callable[[str], Any],
    recorded_runs: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorded_runs, "_GRACE", 0.5)
    again = recorded_runs.run_again("here", run(HANGS.format(always=True)))
    assert (again.passed, again.failed, again.ok) == (2, 1, False)


def test_a_process_that_dies_fails_the_run(run: Callable[[str], Any], recorded_runs: Any) -> None:
    result = run(
        """
        def test_before(): pass
        def test_that_kills(): os._exit(3)
        def test_behind(): pass
        """
    )
    assert (result.passed, result.failed, result.ok) == (2, 1, False)
    assert "test_that_kills" in result.failures[0]
    assert "ended its process (3)" in result.failures[0]
    assert not recorded_runs.run_again("here", result).ok


def test_an_error_of_pytest_itself_costs_one_test(run: Callable[[str], Any]) -> None:
    result = run(
        """
        def test_before(): pass
        def test_that_breaks_it(request):
            class Broken:
                @pytest.hookimpl(tryfirst=True)
                def pytest_runtest_makereport(self): raise ValueError("no report")
            request.config.pluginmanager.register(Broken())
        def test_behind(): pass
        """
    )
    assert (result.passed, result.failed, result.ok) == (2, 1, False)
    assert "test_that_breaks_it" in result.failures[0]


def test_no_more_than_a_few_are_run_again(run: Callable[[str], Any], recorded_runs: Any) -> None:
    result = run(
        """
        @pytest.mark.parametrize("number", range(9))
        def test_bad(number): assert number < 0
        """
    )
    assert result.failed == 9
    assert recorded_runs.run_again("here", result) is result


def test_a_run_that_takes_too_long_fails(
    run: Callable[[str], Any], recorded_runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_runs, "_SUITE_SECONDS", 3.0)
    result = run("def test_slow(): time.sleep(50)")
    assert not result.ok
    assert result.again is None
