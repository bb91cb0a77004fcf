"""The pytest plugin, in a run of pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# A child may take a minute, and what became of it is still to be shown.
pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "clarion.testing.pytest_plugin"

# What pytest-asyncio and anyio do, in short: neither is needed here.
CONFTEST = """
import asyncio, inspect, sys
import pytest
import clarion

lazy = ("clarion.sync", "clarion.aio", "clarion.testing.clock", "clarion.testing.fixtures")
loaded = [name for name in lazy if name in sys.modules]

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        names = inspect.signature(pyfuncitem.obj).parameters
        asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        return True

def echo(request, context):
    return request * 2

@pytest.fixture
def grpc_servicers():
    handlers = {"Echo": clarion.unary_unary_rpc_method_handler(echo)}
    return [clarion.method_handlers_generic_handler("S", handlers)]
"""

TESTS = """
import asyncio, os
import pytest
import clarion
from clarion.testing import Fault, SessionError
import conftest

async def test_coroutines(grpc_aio_server, grpc_aio_channel):
    assert await grpc_aio_channel.unary_unary("/S/Echo")(b"a") == b"aa"

async def test_coroutines_on_a_clock(grpc_clock, grpc_faults, grpc_aio_channel):
    grpc_faults.set([Fault(delay=3600)])
    call = grpc_aio_channel.unary_unary("/S/Echo")(b"a", timeout=5)
    while not call.done():
        await grpc_clock.advance_aio(1)
    assert await call.code() is clarion.StatusCode.DEADLINE_EXCEEDED

async def test_an_asyncio_channel_to_the_sync_server(grpc_server):
    channel = grpc_server.aio_channel()
    assert await channel.unary_unary("/S/Echo")(b"a") == b"aa"

def test_a_sync_channel_to_the_asyncio_server(grpc_aio_server):
    assert grpc_aio_server.channel().unary_unary("/S/Echo")(b"a", timeout=30) == b"aa"

def test_a_port_where_one_is_needed(grpc_aio_server, grpc_server, grpc_chaos):
    proxy = grpc_chaos(grpc_server.port)
    for target in (grpc_aio_server.target, grpc_server.target, proxy.target):
        with clarion.insecure_channel(target) as channel:
            assert channel.unary_unary("/S/Echo")(b"a", timeout=30) == b"aa"

def test_more_is_served(grpc_server, grpc_channel):
    handlers = {"No": clarion.unary_unary_rpc_method_handler(lambda request, context: b"")}
    grpc_server.add(lambda server: server.add_registered_method_handlers("S", handlers))
    grpc_server.add(lambda servicer, server: None, object())
    assert grpc_channel.unary_unary("/S/No")(b"a", timeout=30) == b""

def test_a_session(grpc_session, grpc_server):
    channel = grpc_session("echo", grpc_server.channel, mask=["x"])
    assert channel.unary_unary("/S/Echo")(b"a", timeout=30) == b"aa"

async def test_a_session_of_coroutines(grpc_session, grpc_server):
    async with grpc_session.aio("echo_aio", grpc_server.channel) as channel:
        assert await channel.unary_unary("/S/Echo")(b"a", timeout=30) == b"aa"

def test_a_session_that_is_not_there(grpc_session, request):
    if not request.config.getoption("--grpc-record"):
        with pytest.raises(SessionError, match="pytest --grpc-record"):
            grpc_session("nothing", None)

def test_what_is_not_used_is_not_loaded():
    assert conftest.loaded == []
"""


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            f"--rootdir={folder}",
            "-c",
            os.devnull,
            "-p",
            PLUGIN,
            "-p",
            "no:cacheprovider",
            "-W",
            "error::ResourceWarning",
            "-W",
            "error::pytest.PytestUnraisableExceptionWarning",
            *arguments,
            ".",
        ],
        cwd=folder,
        # Not by its entry point, which is there only where Clarion is installed.
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=55,
    )


def test_its_fixtures(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_fixtures.py").write_text(TESTS)
    recorded = _run(tmp_path, "--grpc-record", "-k", "session")
    assert recorded.returncode == 0, recorded.stdout
    assert len(list((tmp_path / "sessions").iterdir())) == 2
    replayed = _run(tmp_path)
    assert replayed.returncode == 0, replayed.stdout
    assert "10 passed" in replayed.stdout
