"""The library as a citizen of its process: import, fork and exit. Each in an interpreter of its own."""

from __future__ import annotations

import pytest

from support.front_end import FrontEnd
from support.processes import run_script
from support.simple import ECHOES, Hang

# Children get the library's name and the server's target as arguments.
PROLOGUE = """
import importlib, sys
library, target = sys.argv[1:]
grpc = importlib.import_module(library)
aio = importlib.import_module(library + ".aio")
"""

SYNC_IN_FLIGHT = """
channel = grpc.insecure_channel(target)
assert channel.unary_unary("/test.Service/UnaryUnary")(b"x") == b"x"
futures = [channel.stream_unary("/test.Service/StreamUnary").future(iter([b"x"]))]
calls = [channel.stream_stream("/test.Service/StreamStream")(iter([b"x"])) for _ in range(3)]
"""

AIO_IN_FLIGHT = """
import asyncio
async def main():
    channel = aio.insecure_channel(target)
    assert await channel.unary_unary("/test.Service/UnaryUnary")(b"x") == b"x"
    calls = [channel.stream_stream("/test.Service/StreamStream")() for _ in range(3)]
    for call in calls:
        await call.write(b"x")
    reads = [asyncio.ensure_future(call.read()) for call in calls]
    await asyncio.wait(reads, timeout=0.01)
asyncio.run(main())
"""

SYNC_SERVER = """
from concurrent import futures
server = grpc.server(futures.ThreadPoolExecutor(2))
handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("s", {"M": handler})])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
assert channel.unary_unary("/s/M")(b"x") == b"x"
"""

AIO_SERVER = """
import asyncio
async def handle(request, context):
    return request
async def main():
    server = aio.server()
    handler = grpc.unary_unary_rpc_method_handler(handle)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("s", {"M": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert await channel.unary_unary("/s/M")(b"x") == b"x"
asyncio.run(main())
"""


def _expect_silence(front: FrontEnd, source: str, target: str = "") -> None:
    done = run_script(PROLOGUE + source, front.library.name, target)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_nothing_starts_at_import(sync: FrontEnd) -> None:
    sync.clarion_only("the reference opens descriptors when it is imported")
    _expect_silence(
        sync,
        """
import os, threading
assert threading.active_count() == 1, threading.enumerate()
opened = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
          if os.path.lexists(f"/proc/self/fd/{fd}")]
assert not [name for name in opened if name.startswith(("socket:", "anon_inode:"))], opened
unwanted = {"grpc", "uvloop", "h2", "hpack", "google.protobuf"} & set(sys.modules)
assert not unwanted, unwanted
""",
    )


@pytest.mark.parametrize("source", [SYNC_IN_FLIGHT, AIO_IN_FLIGHT], ids=["sync", "aio"])
def test_a_client_exits_with_calls_in_flight(sync: FrontEnd, source: str) -> None:
    if source is SYNC_IN_FLIGHT:
        sync.clarion_only("grpcio locks itself up in a destructor")
    hang = Hang()
    server = sync.serve({**ECHOES, "stream_unary": hang, "stream_stream": hang})
    _expect_silence(sync, source, server.target)


@pytest.mark.parametrize("source", [SYNC_SERVER, AIO_SERVER], ids=["sync", "aio"])
def test_a_program_exits_without_stopping_its_server(sync: FrontEnd, source: str) -> None:
    _expect_silence(sync, source)


def test_a_channel_is_dropped_without_being_closed(sync: FrontEnd) -> None:
    server = sync.serve(ECHOES)
    _expect_silence(
        sync,
        """
import gc
for _ in range(5):
    channel = grpc.insecure_channel(target)
    assert channel.unary_unary("/test.Service/UnaryUnary")(b"x") == b"x"
    del channel
    gc.collect()
""",
        server.target,
    )


FORK = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Forking with threads is the point.
channel = grpc.insecure_channel(target)
unary = channel.unary_unary("/test.Service/UnaryUnary")
stream = channel.stream_stream("/test.Service/StreamStream")
def work(name):
    for turn in range(20):
        message = b"%s %d" % (name, turn)
        assert unary(message, timeout=10) == message
        assert list(stream(iter([message, message]), timeout=10)) == [message, message]
"""
WAIT = """
work(b"parent")
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
"""


@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
def test_a_sync_channel_works_after_fork_in_parent_and_child(sync: FrontEnd, used: bool) -> None:
    sync.clarion_only("grpcio needs GRPC_ENABLE_FORK_SUPPORT and hangs at times")
    server = sync.serve(ECHOES)
    before = 'work(b"before")' if used else ""
    child = """
child = os.fork()
if child == 0:
    try:
        work(b"child")
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
"""
    _expect_silence(sync, FORK + before + child + WAIT, server.target)


def test_a_fork_amid_a_call_leaves_it_to_the_parent(sync: FrontEnd) -> None:
    sync.clarion_only("grpcio needs GRPC_ENABLE_FORK_SUPPORT and hangs at times")
    server = sync.serve(ECHOES)
    source = """
import queue
requests = queue.SimpleQueue()
call = stream(iter(requests.get, None))
requests.put(b"before")
assert next(call) == b"before"
child = os.fork()
if child == 0:
    try:
        work(b"child")
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
requests.put(b"after")
assert next(call) == b"after"
requests.put(None)
assert list(call) == []
"""
    _expect_silence(sync, FORK + source + WAIT, server.target)


def test_locks_that_threads_of_the_parent_have(sync: FrontEnd) -> None:
    """Calls are in progress, and threads are in the middle of picks, notices and beginnings."""
    sync.clarion_only("it is about Clarion's own locks")
    server = sync.serve(ECHOES)
    source = """
import json
import queue
import threading

def channel_with(**policy):
    config = {
        "loadBalancingConfig": [{"least_request_experimental": {}}],
        "methodConfig": [{"name": [{}], **policy}],
    }
    options = [("grpc.service_config", json.dumps(config))]
    channel = grpc.insecure_channel(target, options)
    requests = queue.SimpleQueue()
    call = channel.stream_stream("/test.Service/StreamStream")(iter(requests.get, None))
    requests.put(b"before")
    assert next(call) == b"before"
    return channel, requests, call

retry = {"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 1}
held = [
    channel_with(),
    channel_with(retryPolicy={**retry, "retryableStatusCodes": ["UNAVAILABLE"]}),
    channel_with(hedgingPolicy={"maxAttempts": 2, "hedgingDelay": "0s"}),
]
locks = []
for each, _, call in held:
    call._call._opened = call._call._opened or threading.Event()
    locks += [each._lock, each.core.pick_lock, call._call._opened._cond]
for lock in locks:
    lock.acquire()
child = os.fork()
if child == 0:
    try:
        for each, _, call in held:
            assert call.code() is grpc.StatusCode.UNAVAILABLE, call
            again = each.unary_unary("/test.Service/UnaryUnary")
            assert again(b"child", timeout=10) == b"child"
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
for lock in locks:
    lock.release()
for _, requests, call in held:
    requests.put(b"after")
    assert next(call) == b"after"
    requests.put(None)
    assert list(call) == []
"""
    _expect_silence(sync, FORK + source + WAIT, server.target)


def test_a_child_of_multiprocessing_makes_its_own_channel(sync: FrontEnd) -> None:
    sync.clarion_only("grpcio needs GRPC_ENABLE_FORK_SUPPORT and hangs at times")
    server = sync.serve(ECHOES)
    source = """
import multiprocessing
work(b"before")
def main():
    with grpc.insecure_channel(target) as mine:
        assert mine.unary_unary("/test.Service/UnaryUnary")(b"x", timeout=10) == b"x"
    work(b"child")
children = [multiprocessing.get_context("fork").Process(target=main) for _ in range(3)]
for child in children:
    child.start()
work(b"parent")
for child in children:
    child.join(15)
    assert child.exitcode == 0, child.exitcode
"""
    _expect_silence(sync, FORK + source, server.target)
