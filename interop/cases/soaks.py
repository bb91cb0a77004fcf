"""Many calls: in a row, each on its own channel, at the same time, and far apart."""

from __future__ import annotations

import argparse
import functools
import time

from interop.cases.registry import TEST, case, check
from interop.cases.unary import call_large
from interop.program.messages import payload, testing
from interop.program.session import Failure, Session

__all__ = ["soak"]


async def soak(session: Session, flags: argparse.Namespace, *, new_channels: bool) -> None:
    """As the descriptions have it: a bound on each call's time, and on how many may break it."""
    deadline = time.monotonic() + flags.soak_overall_timeout_seconds
    request = testing.SimpleRequest(
        response_size=flags.soak_response_size, payload=payload(flags.soak_request_size)
    )
    failures: list[str] = []
    made: list[None] = []

    async def worker(count: int) -> None:
        for _ in range(count):
            if time.monotonic() > deadline:
                return
            if new_channels:
                await session.reconnect()
            begun = time.monotonic()
            response, outcome = await session.unary(TEST["UnaryCall"], request)
            taken = time.monotonic() - begun
            made.append(None)
            if response is None:
                failures.append(f"{outcome.code}: {outcome.details}")
            elif len(response.message.payload.body) != flags.soak_response_size:
                failures.append(f"a response of {len(response.message.payload.body)} octets")
            elif taken * 1000 > flags.soak_per_iteration_max_acceptable_latency_ms:
                failures.append(f"a call took {taken * 1000:.0f} ms")
            pause = flags.soak_min_time_ms_between_rpcs / 1000 - taken
            if pause > 0:
                await session.sleep(pause)

    workers = flags.soak_num_threads
    shares = [flags.soak_iterations // workers] * workers
    shares[0] += flags.soak_iterations % workers
    await session.gather([functools.partial(worker, share) for share in shares], workers)
    if len(made) < flags.soak_iterations:
        raise Failure(f"{len(made)} of {flags.soak_iterations} calls were made in time")
    if len(failures) > flags.soak_max_failures:
        raise Failure(f"{len(failures)} calls failed; the first: {failures[0]}")


@case()
async def rpc_soak(session: Session, flags: argparse.Namespace) -> None:
    await soak(session, flags, new_channels=False)


@case()
async def channel_soak(session: Session, flags: argparse.Namespace) -> None:
    if flags.soak_num_threads != 1:
        raise Failure("channel_soak takes one thread: its calls replace the channel")
    await soak(session, flags, new_channels=True)


@case()
async def concurrent_large_unary(session: Session, flags: argparse.Namespace) -> None:
    calls = flags.concurrent_calls
    # Threads for the sync front end; for asyncio, a bound on the memory that the payloads take.
    await session.gather([functools.partial(call_large, session)] * calls, min(calls, 100))


@case()
async def long_lived_channel(session: Session, flags: argparse.Namespace) -> None:
    for count in range(flags.long_lived_calls):
        if count:
            await session.sleep(flags.long_lived_interval_ms / 1000)
        response, _ = await session.ok(
            TEST["UnaryCall"],
            testing.SimpleRequest(
                response_size=flags.soak_response_size, payload=payload(flags.soak_request_size)
            ),
        )
        check("size", len(response.message.payload.body), flags.soak_response_size)
