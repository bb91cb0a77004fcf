"""Clarion's clients as the suite drives them: calls come on stdin (`ClientCompatRequest`), what came of them goes to stdout.

    python conformance/connect/connect_client.py sync|aio

A few calls run at a time. Channels are kept, and used again by calls that want the same of them.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from concurrent import futures
from typing import Any

import aio_calls
import delimited
import sync_calls
from channels import Channels
from connectrpc.conformance.v1 import client_compat_pb2

import clarion
import clarion.aio

__all__ = ["main"]

_AT_A_TIME = 8
_INPUT = client_compat_pb2.ClientCompatRequest


def _answer(wanted: Any, result: Any) -> None:
    answer = client_compat_pb2.ClientCompatResponse(test_name=wanted.test_name)
    if isinstance(result, BaseException):
        # The program, and not the call, went wrong.
        answer.error.message = "".join(traceback.format_exception(result))
    else:
        answer.response.CopyFrom(result)
    delimited.write(sys.stdout.buffer, answer)


def _run_sync() -> None:
    writing = threading.Lock()
    channels = Channels(clarion)

    def work(wanted: Any) -> None:
        result: Any
        try:
            result = sync_calls.call(channels.stub(wanted), wanted)
        except Exception as error:
            result = error
        with writing:
            _answer(wanted, result)

    with futures.ThreadPoolExecutor(_AT_A_TIME) as pool:
        while (wanted := delimited.read(sys.stdin.buffer, _INPUT)) is not None:
            pool.submit(work, wanted)
    for channel in channels.opened:
        channel.close()


async def _run_aio() -> None:
    room = asyncio.Semaphore(_AT_A_TIME)
    channels = Channels(clarion.aio)

    async def work(wanted: Any) -> None:
        result: Any
        try:
            result = await aio_calls.call(channels.stub(wanted), wanted)
        except Exception as error:
            result = error
        finally:
            room.release()
        _answer(wanted, result)

    async with asyncio.TaskGroup() as tasks:
        while True:
            wanted = await asyncio.to_thread(delimited.read, sys.stdin.buffer, _INPUT)
            if wanted is None:
                break
            await room.acquire()
            tasks.create_task(work(wanted))
    for channel in channels.opened:
        await channel.close()


def main() -> int:
    """Run the command line; return the exit status."""
    if sys.argv[1:] == ["aio"]:
        asyncio.run(_run_aio())
    else:
        _run_sync()
    return 0


if __name__ == "__main__":
    sys.exit(main())
