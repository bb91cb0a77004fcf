"""Forks and exits while a process is busy with calls."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

LIMIT = 60.0
# There is much to do, and more than one wait, for a machine that is slow and busy.
pytestmark = pytest.mark.timeout(4 * LIMIT)

_COMMON = """
import os, random, sys, threading, time
from concurrent import futures
import clarion

def down(request, context):
    for _ in range(20):
        yield request

def never(request, context):
    over = threading.Event()
    if context.add_callback(over.set):
        over.wait(60)
    return b""

def serve():
    server = clarion.server(futures.ThreadPoolExecutor(40))
    server.add_registered_method_handlers("s.S", {
        "Unary": clarion.unary_unary_rpc_method_handler(lambda request, context: request),
        "Down": clarion.unary_stream_rpc_method_handler(down),
        "Talk": clarion.stream_stream_rpc_method_handler(lambda requests, context: requests),
        "Never": clarion.unary_unary_rpc_method_handler(never),
    })
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"

def act(channel, rng):
    which = rng.randrange(4)
    if which == 0:
        assert channel.unary_unary("/s.S/Unary")(b"x") == b"x"
    elif which == 1:
        assert len(list(channel.unary_stream("/s.S/Down")(b"x"))) == 20
    elif which == 2:
        assert list(channel.stream_stream("/s.S/Talk")(iter([b"a"] * 5))) == [b"a"] * 5
    else:
        channel.unary_unary("/s.S/Never").future(b"").cancel()
"""


def run(program: str) -> None:
    """Run a program that must end by itself, with status 0 and without a word on standard error."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", _COMMON + textwrap.dedent(program)],
        capture_output=True,
        timeout=LIMIT,
        text=True,
        # An asyncio program that leaves its channel open gets asyncio's own warning for that, if it asks for it.
        env={**os.environ, "PYTHONWARNINGS": "ignore::DeprecationWarning,ignore::ResourceWarning"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forks_while_threads_call() -> None:
    run(
        """
        server, target = serve()
        channel = clarion.insecure_channel(target)
        stop = threading.Event()
        errors = []

        def work(seed):
            rng = random.Random(seed)
            try:
                while not stop.is_set():
                    act(channel, rng)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(16)]
        for thread in threads:
            thread.start()
        rng = random.Random(99)
        for turn in range(8):
            act(channel, rng)
            child = os.fork()
            if not child:
                status = 1
                try:
                    # The channel is the child's too. Its server is in the parent.
                    for _ in range(3):
                        act(channel, random.Random(turn))
                    inside = []
                    for seed in range(4):
                        inside.append(threading.Thread(target=act, args=(channel, random.Random(seed))))
                        inside[-1].start()
                    for thread in inside:
                        thread.join(30)
                        assert not thread.is_alive()
                    channel.close()
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert not errors, errors
        channel.close()
        server.stop(None).wait()
        """
    )


@pytest.mark.parametrize("daemon", [False, True], ids=["threads", "daemons"])
@pytest.mark.parametrize("after", [0, 30])
def test_exit_while_threads_call(daemon: bool, after: int) -> None:
    run(
        f"""
        server, target = serve()
        channel = clarion.insecure_channel(target)
        acts = threading.Semaphore(0)
        leaving = threading.Event()

        def work(seed):
            rng = random.Random(seed)
            try:
                while {daemon} or not leaving.is_set():
                    act(channel, rng)
                    acts.release()
            except (clarion.RpcError, ValueError, RuntimeError, AssertionError):
                # The interpreter is going: calls end, and no thread can be started.
                return

        threads = [threading.Thread(target=work, args=(seed,), daemon={daemon}) for seed in range(8)]
        for thread in threads:
            thread.start()
        futures_left = [channel.unary_unary("/s.S/Never").future(b"") for _ in range(5)]
        streams_left = [iter(channel.unary_stream("/s.S/Down")(b"x")) for _ in range(5)]
        for _ in range({after}):
            acts.acquire()
        leaving.set()
        """
    )


@pytest.mark.parametrize("after", [0, 50])
def test_exit_while_tasks_call(after: int) -> None:
    run(
        f"""
        import asyncio
        from clarion import aio

        server, target = serve()

        async def main():
            channel = aio.insecure_channel(target)
            done = 0
            async def work(seed):
                nonlocal done
                rng = random.Random(seed)
                while True:
                    if rng.randrange(2):
                        assert await channel.unary_unary("/s.S/Unary")(b"x") == b"x"
                    else:
                        async for _ in channel.unary_stream("/s.S/Down")(b"x"):
                            pass
                    done += 1
            left = [channel.unary_unary("/s.S/Never")(b"") for _ in range(5)]
            tasks = [asyncio.create_task(work(seed)) for seed in range(20)]
            while done < {after}:
                await asyncio.sleep(0)

        asyncio.run(main())
        """
    )
