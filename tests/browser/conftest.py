"""The page of examples/browser, built, and a headless Chromium on it.

What it takes is Chromium, Node and npm, and the packages of the example, which `npm ci` gets from the registry where they are
not there yet. Without, the tests skip and say why; with `CLARION_BROWSER=required` (`make browser`) they fail instead.
`CLARION_BROWSER_SHOTS` is a folder for screenshots.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.credentials import CERTIFICATES
from support.libraries import LIMIT
from support.processes import LineProcess, python_environment

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "browser"
SERVERS = {"sync": EXAMPLE / "server.py", "aio": Path(__file__).with_name("aio_server.py")}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REQUIRED = os.environ.get("CLARION_BROWSER") == "required"
SHOTS = os.environ.get("CLARION_BROWSER_SHOTS")
_INSTALL_SECONDS = 100
_TLS = [
    "--key",
    str(CERTIFICATES / "server.key"),
    "--certificate",
    str(CERTIFICATES / "server.pem"),
]


def _absent(reason: str) -> None:
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def _npm(npm: str, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [npm, *arguments],
        cwd=EXAMPLE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def _install(npm: str) -> None:
    installed = EXAMPLE / "node_modules" / ".package-lock.json"
    wanted = max((EXAMPLE / name).stat().st_mtime for name in ("package.json", "package-lock.json"))
    if installed.exists() and installed.stat().st_mtime >= wanted:
        return
    try:
        done = _npm(npm, "ci", "--fetch-retries=1", timeout=_INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        _absent(f"npm ci in examples/browser took more than {_INSTALL_SECONDS} s")
    else:
        if done.returncode:
            _absent(f"npm ci in examples/browser failed: {done.stdout.strip()[-300:]}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; the page is built."""
    if importlib.util.find_spec("h11") is None:
        _absent("h11 is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    npm = shutil.which("npm")
    if program is None:
        _absent(f"none of {', '.join(BROWSERS)} is on the PATH")
    if npm is None or shutil.which("node") is None:
        _absent("node and npm are not on the PATH")
    assert program is not None
    assert npm is not None
    # Runs on several Pythons must not install and build on top of each other.
    with (Path(tempfile.gettempdir()) / "clarion-browser-example.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(npm)
        built = _npm(npm, "run", "build", timeout=_INSTALL_SECONDS)
    assert built.returncode == 0, built.stdout
    return program


class Bar:
    """The example's server in a process of its own."""

    def __init__(self, front_end: str, *, tls: bool) -> None:
        command = [sys.executable, "-u", str(SERVERS[front_end]), "0", "--pace", "0.01"]
        self._process = subprocess.Popen(
            [*command, *(_TLS if tls else [])],
            cwd=EXAMPLE,
            env=python_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.expect("Server started")
            self.same_origin = self.expect("The page: ").split()[-1]
            self.other_origin = self.expect("The page from another origin: ").split()[-1]
        except BaseException:
            self._process.kill()
            self._end()
            raise

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))

    def expect(self, text: str) -> str:
        """The next line with `text`; waits for it."""
        while True:
            try:
                line = self._lines.get(timeout=LIMIT)
            except queue.Empty:
                raise AssertionError(f"nothing with {text!r} among {self._said}") from None
            self._said.append(line)
            if text in line:
                return line

    def _end(self) -> None:
        self._process.wait(LIMIT)
        self._reader.join(LIMIT)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self.expect("Server stopped")
        finally:
            self._process.kill()
            self._end()
        assert not any("Traceback" in line for line in self._said), "\n".join(self._said)


class Page:
    """The page in the browser; see driver.mjs."""

    def __init__(self, process: LineProcess) -> None:
        self._process = process

    def _do(self, what: str, **arguments: Any) -> Any:
        self._process.send(json.dumps({"do": what, **arguments}))
        answer = self._process.receive()
        assert "failure" not in answer, answer["failure"]
        return answer["value"]

    def open(self, url: str) -> None:
        self._do("open", url=url)

    def click(self, selector: str) -> None:
        self._do("click", selector=selector)

    def fill(self, selector: str, value: str) -> None:
        self._do("fill", selector=selector, value=value)

    def select(self, selector: str, value: str) -> None:
        self._do("select", selector=selector, value=value)

    def text(self, selector: str, pattern: str) -> str:
        """The text of an element, when it fits the pattern; waits for it."""
        text: str = self._do("text", selector=selector, pattern=pattern)
        return text

    def texts(self, selector: str) -> list[str]:
        texts: list[str] = self._do("texts", selector=selector)
        return texts

    def seen(self) -> dict[str, list[dict[str, Any]]]:
        """What the browser's network and console had to say since the page was opened."""
        seen: dict[str, list[dict[str, Any]]] = self._do("seen")
        return seen

    def screenshot(self, name: str) -> None:
        """Leaves a picture in the folder for them, if there is one."""
        if SHOTS:
            self._do("screenshot", path=str(ROOT / SHOTS / f"{name}.png"))

    def close(self) -> None:
        """Leaves the page, as users do by closing the tab."""
        self._do("close")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Page]:
    driver = Path(__file__).with_name("driver.mjs")
    process = LineProcess(["node", str(driver), str(EXAMPLE), chromium])
    yield Page(process)
    assert process.close() == 0


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def bars(chromium: str) -> Iterator[dict[Sequence[str], Bar]]:
    """Servers that tests have started, by front end and `plain` or `tls`."""
    bars: dict[Sequence[str], Bar] = {}
    yield bars
    for bar in bars.values():
        bar.close()


@pytest.fixture
def bar(request: pytest.FixtureRequest, bars: dict[Sequence[str], Bar]) -> Bar:
    front_end, security = request.param
    if request.param not in bars:
        bars[request.param] = Bar(front_end, tls=security == "tls")
    return bars[request.param]
