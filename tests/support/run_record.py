"""A pytest plugin: what became of each test, written to a file at once.

`tools/run_tests.py` names the file in `CLARION_RUN_RECORD` and reads it while the run goes on, so a test that does not
end is noticed and named, and what the tests before it came to is not lost. Each line is a JSON object:

- `{"begun": id, "limit": seconds}`: the limit is that of pytest-timeout.
- `{"test": id, "outcome": "passed" | "failed" | "skipped", "text": why}`
- `{"complete": true}`, the last one of a run that came to its end.

A run that is given a record of an earlier one leaves out the tests in it and goes on behind them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

__all__: list[str] = []

_RANKS = {"passed": 0, "skipped": 1, "failed": 2}


def pytest_configure(config: pytest.Config) -> None:
    # Not for processes that tests start.
    path = os.environ.pop("CLARION_RUN_RECORD", "")
    # Workers of pytest-xdist are under their controller's eyes.
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Record(Path(path)), "clarion-run-record")


class _Record:
    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        self._earlier = set(_names(text))
        self._file = path.open("a", encoding="utf-8")
        if text and not text.endswith("\n"):
            # The process before was ended while it wrote.
            self._file.write("\n")
        self._outcome = ("passed", "")
        self._complete = False

    def _write(self, **line: Any) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        if left_out := [item for item in items if item.nodeid in self._earlier]:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item.nodeid not in self._earlier]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed and report.nodeid not in self._earlier:
            text = report.longreprtext
            self._write(test=report.nodeid, outcome=report.outcome, text=text)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._outcome = ("passed", "")
        self._write(begun=item.nodeid, limit=_limit(item))
        result = yield
        outcome, text = self._outcome
        self._write(test=item.nodeid, outcome=outcome, text=text)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if _RANKS[report.outcome] > _RANKS[self._outcome[0]]:
            self._outcome = (report.outcome, report.longreprtext)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        # Not an interrupted session, nor one that an error of pytest itself ended.
        self._complete = exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        )

    def pytest_unconfigure(self) -> None:
        if self._complete:
            self._write(complete=True)
        self._file.close()


def _names(text: str) -> Iterator[str]:
    for each in text.splitlines():
        try:
            line = json.loads(each)
        except ValueError:
            continue
        if name := line.get("test") or line.get("begun"):
            yield name


def _limit(item: pytest.Item) -> float:
    if marker := item.get_closest_marker("timeout"):
        return float(marker.args[0] if marker.args else marker.kwargs["timeout"])
    given = item.config.getoption("timeout", None)
    return float(given if given is not None else item.config.getini("timeout") or 0)
