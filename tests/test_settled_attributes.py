"""Calls keep their attributes within themselves, however the first calls of a process come."""

from __future__ import annotations

import sys

import pytest

from clarion.settled_attributes import SettledAttributes
from support.processes import run_script


def test_names_of_all_bases_are_settled() -> None:
    settled: list[str] = []

    class Base(SettledAttributes):
        _set_later = ("first",)

        def __setattr__(self, name: str, value: object) -> None:
            raise AssertionError("classes may guard their instances")

    class Other:
        def __init_subclass__(cls) -> None:
            settled.append(cls.__name__)

    class Both(Base, Other):
        _set_later = ("second",)

    assert settled == ["Both"]
    assert vars(Both()) == {}


def test_properties_are_left_alone() -> None:
    class Base(SettledAttributes):
        _set_later = ("name",)
        name = "plain"

    class Guarded(Base):
        @property
        def name(self) -> str:  # type: ignore[override]
            return self._name

        @name.setter
        def name(self, value: str) -> None:
            self._name = value.upper()

    guarded = Guarded()
    guarded.name = "given"
    assert guarded.name == "GIVEN"


# Fifty calls that are all begun before the first one ends, and then one more.
BURST = """
import asyncio, sys, threading
from concurrent.futures import ThreadPoolExecutor

from _testinternalcapi import has_inline_values

import clarion, clarion.aio
from clarion.client_core.call import Attempt, ClientCall
from clarion.server_core.call import ServerCall

made = {}
for watched in (Attempt, ClientCall, ServerCall):
    def init(self, *args, _init=watched.__init__, _kind=watched, **named):
        _init(self, *args, **named)
        made[_kind] = self
    watched.__init__ = init

everybody = threading.Barrier(50)
burst = True

def wait(request, context):
    if burst:
        everybody.wait(30)
    return request

def sync():
    global burst
    handler = clarion.unary_unary_rpc_method_handler(wait)
    pool = ThreadPoolExecutor(50)
    server = clarion.server(pool, [clarion.method_handlers_generic_handler("a.B", {"C": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with clarion.insecure_channel(f"127.0.0.1:{port}") as channel, ThreadPoolExecutor(50) as callers:
        call = channel.unary_unary("/a.B/C")
        assert list(callers.map(lambda _: call(b"x", timeout=50), range(50))) == [b"x"] * 50
        burst = False
        assert call(b"x", timeout=50) == b"x"
    server.stop(None).wait(20)
    pool.shutdown()

async def aio():
    arrived, everybody = 0, asyncio.Event()
    async def wait(request, context):
        nonlocal arrived
        arrived += 1
        if arrived == 50:
            everybody.set()
        await everybody.wait()
        return request
    handler = clarion.unary_unary_rpc_method_handler(wait)
    server = clarion.aio.server()
    server.add_generic_rpc_handlers([clarion.method_handlers_generic_handler("a.B", {"C": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with clarion.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/a.B/C")
        await asyncio.gather(*(call(b"x", timeout=50) for _ in range(50)))
        assert await call(b"x", timeout=50) == b"x"
    await server.stop(None)

if sys.argv[1] == "sync":
    sync()
else:
    asyncio.run(aio())
print(len(made), all(map(has_inline_values, made.values())))
"""


@pytest.mark.parametrize("front_end", ["sync", "aio"])
def test_a_burst_of_first_calls_leaves_later_ones_fast(front_end: str) -> None:
    if sys.version_info < (3, 13):
        pytest.skip("this Python does not tell how instances keep their attributes")
    pytest.importorskip("_testinternalcapi", reason="this Python comes without its test modules")
    done = run_script(BURST, front_end)
    assert (done.stdout.split(), done.stderr) == (["3", "True"], "")
