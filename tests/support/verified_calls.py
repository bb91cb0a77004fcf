"""Calls that prove themselves: what one call does, how it may end, and who makes many of them.

A `Plan` says all of a call beforehand, so that its end can be judged: OK only with every message there and right,
DEADLINE_EXCEEDED not before its time, CANCELLED only if it was cancelled here, UNAVAILABLE only where the connection may be
lost. Every other status is wrong. A call's done callback must run exactly once.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import clarion
from clarion import aio
from support.verified import PATTERNS, SERVICE, Corrupt, body, digest, download, pack, unpack

__all__ = ["AioCaller", "Ledger", "Plan", "Planner", "SyncCaller"]

# What clocks and rounding may make a deadline early, in seconds.
_EARLY = 0.05
_numbers = itertools.count(1)


@dataclass
class Plan:
    """One call.

    Attributes:
        cancel_after: responses after which it is cancelled; None: it is not.
        at_once: of one request and response: blocking or awaited right away, and not a future.
    """

    pattern: str
    number: int
    messages: int
    size: int
    timeout: float
    wait_for_ready: bool
    cancel_after: int | None
    at_once: bool

    @property
    def path(self) -> str:
        return f"/{SERVICE}/{self.pattern}"

    @property
    def options(self) -> dict[str, Any]:
        return {"timeout": self.timeout, "wait_for_ready": self.wait_for_ready}

    def request(self) -> bytes:
        """The request of a pattern that has one."""
        if self.pattern == "unary_stream":
            return pack(self.number, 0, 1, download(self.messages, self.size))
        return pack(self.number, 0, 1, body(self.number, 0, self.size))

    def requests(self) -> Iterator[bytes]:
        for number in range(self.messages):
            yield pack(self.number, number, self.messages, body(self.number, number, self.size))

    def check_only(self, response: bytes) -> None:
        """The response of a pattern that has one. Raises `Corrupt`."""
        content = unpack(response, 0, self.number)[2]
        if self.pattern == "unary_unary":
            expected = body(self.number, 0, self.size)[::-1]
        else:
            checksum = 0
            for number in range(self.messages):
                checksum = zlib.crc32(body(self.number, number, self.size), checksum)
            expected = digest(self.messages, checksum)
        if content != expected:
            raise Corrupt(f"call {self.number}: the response has other content")

    def check(self, response: bytes, number: int) -> None:
        """Response `number` of a stream. Raises `Corrupt`."""
        _, of, content = unpack(response, number, self.number)
        if of != self.messages or content != body(self.number, number, self.size):
            raise Corrupt(f"call {self.number}: response {number} has other content")

    def check_count(self, received: int) -> None:
        """A stream of responses ended with OK. Raises `Corrupt`."""
        if received != self.messages:
            raise Corrupt(f"call {self.number}: OK with {received} of {self.messages} responses")


@dataclass
class Planner:
    """Draws plans.

    Attributes:
        timeouts, sizes: what to choose from.
        most_messages: of a stream.
        cancels: the share of calls that are cancelled.
        waits: the share of calls that wait for ready.
    """

    timeouts: Sequence[float] = (0.05, 0.5, 3.0, 6.0)
    sizes: Sequence[int] = (0, 10, 1_000, 20_000, 100_000)
    most_messages: int = 20
    cancels: float = 0.1
    waits: float = 0.3

    @staticmethod
    def patient(pattern: str, timeout: float) -> Plan:
        """A call that has to succeed."""
        return Plan(pattern, next(_numbers), 5, 10_000, timeout, True, None, True)

    def draw(self, rng: random.Random) -> Plan:
        pattern = rng.choice(PATTERNS)
        # A stream has one request at least, so that its handler knows whose call it is.
        messages = rng.randint(1, self.most_messages)
        return Plan(
            pattern,
            next(_numbers),
            messages,
            rng.choice(self.sizes),
            rng.choice(self.timeouts),
            rng.random() < self.waits,
            rng.randint(0, 3) if rng.random() < self.cancels else None,
            rng.random() < 0.5,
        )


class Ledger:
    """What became of all calls. For any thread.

    Args:
        unavailable: whether connections may be lost, so that calls may end with UNAVAILABLE.
        each: whether to remember each call. Without it only numbers are kept, which do not grow.

    Attributes:
        codes: calls by status.
        wrong: what was not right, as words.
        fine: the numbers of the calls that ended with OK.
    """

    def __init__(self, *, unavailable: bool = True, each: bool = True) -> None:
        self.codes: Counter[str] = Counter()
        self.patterns: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.fine: set[int] = set()
        self.progress = threading.Semaphore(0)
        self._unavailable = unavailable
        self._each = each
        self._balance = 0
        self._called: Counter[int] = Counter()
        self._expected: set[int] = set()
        self._lock = threading.Lock()

    def expect_callback(self, plan: Plan) -> Callable[[Any], None]:
        """What to add as the call's done callback."""
        with self._lock:
            self._balance += 1
            if self._each:
                self._expected.add(plan.number)

        def done(call: Any) -> None:
            with self._lock:
                self._balance -= 1
                if self._each:
                    self._called[plan.number] += 1

        return done

    def ended(self, plan: Plan, code: str, details: str, elapsed: float, cancelled: bool) -> None:
        right = (
            code == "OK"
            or (code == "DEADLINE_EXCEEDED" and elapsed >= plan.timeout - _EARLY)
            or (code == "CANCELLED" and cancelled)
            or (code == "UNAVAILABLE" and self._unavailable)
        )
        with self._lock:
            self.codes[code] += 1
            self.patterns[plan.pattern] += 1
            if code == "OK" and self._each:
                self.fine.add(plan.number)
            if not right:
                self.wrong.append(f"{code} ({details}) after {elapsed:.3f} s of {plan}")
        self.progress.release()

    def failed(self, plan: Plan, error: BaseException) -> None:
        with self._lock:
            self.wrong.append(f"{type(error).__name__}: {error} in {plan}")

    def callbacks_missing(self) -> str:
        """Whose done callback ran not once; empty if there are none. Callbacks run on other threads, so it may take."""
        give_up = time.monotonic() + 10
        while True:
            with self._lock:
                if any(count > 1 for count in self._called.values()):
                    return f"more than once: {self._called.most_common(3)}"
                missing = self._expected - self._called.keys()
                balance = self._balance
            if not missing and not balance:
                return ""
            if time.monotonic() > give_up:
                if balance and not missing:
                    return f"{balance} more calls than callbacks"
                return f"never: {sorted(missing)[:5]} and {len(missing)} in all"
            time.sleep(0.01)

    @property
    def total(self) -> int:
        return sum(self.codes.values())


class SyncCaller:
    """Makes planned calls one after another on one thread."""

    def __init__(self, channel: clarion.Channel, ledger: Ledger) -> None:
        self._methods: dict[str, Any] = {
            pattern: getattr(channel, pattern)(f"/{SERVICE}/{pattern}") for pattern in PATTERNS
        }
        self._ledger = ledger

    def run(self, plan: Plan) -> str:
        """Make a call; return its status."""
        started = time.monotonic()
        cancelled = plan.cancel_after is not None
        try:
            code, details = getattr(self, f"_{plan.pattern}")(plan)
        except clarion.RpcError as error:
            call: Any = error
            code, details = call.code().name, call.details()
        except clarion.FutureCancelledError:
            code, details = "CANCELLED", ""
        except BaseException as error:
            self._ledger.failed(plan, error)
            return "wrong"
        self._ledger.ended(plan, code, details, time.monotonic() - started, cancelled)
        return str(code)

    def _one_response(self, plan: Plan, argument: Any) -> tuple[str, str]:
        method = self._methods[plan.pattern]
        if plan.at_once and plan.cancel_after is None:
            response, call = method.with_call(argument, **plan.options)
        else:
            call = method.future(argument, **plan.options)
            call.add_done_callback(self._ledger.expect_callback(plan))
            if plan.cancel_after is not None:
                call.cancel()
            response = call.result()
        plan.check_only(response)
        return call.code().name, call.details()

    def _unary_unary(self, plan: Plan) -> tuple[str, str]:
        return self._one_response(plan, plan.request())

    def _stream_unary(self, plan: Plan) -> tuple[str, str]:
        return self._one_response(plan, plan.requests())

    def _responses(self, plan: Plan, argument: Any) -> tuple[str, str]:
        call = self._methods[plan.pattern](argument, **plan.options)
        call.add_done_callback(self._ledger.expect_callback(plan))
        received = 0
        if plan.cancel_after == 0:
            call.cancel()
        for response in call:
            plan.check(response, received)
            received += 1
            if received == plan.cancel_after:
                call.cancel()
        if call.code() is clarion.StatusCode.OK:
            plan.check_count(received)
        return call.code().name, call.details()

    def _unary_stream(self, plan: Plan) -> tuple[str, str]:
        return self._responses(plan, plan.request())

    def _stream_stream(self, plan: Plan) -> tuple[str, str]:
        return self._responses(plan, plan.requests())


class AioCaller:
    """Makes planned calls, each in the task that asks for it."""

    def __init__(self, channel: aio.Channel, ledger: Ledger) -> None:
        self._methods: dict[str, Any] = {
            pattern: getattr(channel, pattern)(f"/{SERVICE}/{pattern}") for pattern in PATTERNS
        }
        self._ledger = ledger

    async def run(self, plan: Plan) -> str:
        """Make a call; return its status."""
        started = time.monotonic()
        cancelled = plan.cancel_after is not None
        try:
            code, details = await getattr(self, f"_{plan.pattern}")(plan)
        except aio.AioRpcError as error:
            code, details = error.code().name, error.details()
        except asyncio.CancelledError:
            if not cancelled:
                self._ledger.failed(plan, AssertionError("cancelled, by nobody"))
                return "wrong"
            code, details = "CANCELLED", ""
        except BaseException as error:
            self._ledger.failed(plan, error)
            return "wrong"
        self._ledger.ended(plan, code, details, time.monotonic() - started, cancelled)
        return str(code)

    def _begin(self, plan: Plan, *arguments: Any) -> Any:
        call = self._methods[plan.pattern](*arguments, **plan.options)
        call.add_done_callback(self._ledger.expect_callback(plan))
        if plan.cancel_after == 0:
            call.cancel()
        return call

    @staticmethod
    async def _requests(plan: Plan) -> AsyncIterator[bytes]:
        for request in plan.requests():
            yield request
            await asyncio.sleep(0)

    async def _unary_unary(self, plan: Plan) -> tuple[str, str]:
        call = self._begin(plan, plan.request())
        plan.check_only(await call)
        return (await call.code()).name, await call.details()

    async def _stream_unary(self, plan: Plan) -> tuple[str, str]:
        if plan.at_once:
            call = self._begin(plan, self._requests(plan))
        else:
            call = self._begin(plan)
            await self._write(call, plan)
        plan.check_only(await call)
        return (await call.code()).name, await call.details()

    @staticmethod
    async def _write(call: Any, plan: Plan) -> None:
        try:
            for request in plan.requests():
                await call.write(request)
            await call.done_writing()
        except (aio.AioRpcError, asyncio.InvalidStateError):
            # It ended meanwhile; how, its reader is told.
            pass

    async def _unary_stream(self, plan: Plan) -> tuple[str, str]:
        return await self._responses(self._begin(plan, plan.request()), plan)

    async def _responses(self, call: Any, plan: Plan) -> tuple[str, str]:
        received = 0
        async for response in call:
            plan.check(response, received)
            received += 1
            if received == plan.cancel_after:
                call.cancel()
        code = await call.code()
        if code is clarion.StatusCode.OK:
            plan.check_count(received)
        return code.name, await call.details()

    async def _stream_stream(self, plan: Plan) -> tuple[str, str]:
        if plan.at_once:
            return await self._responses(self._begin(plan, self._requests(plan)), plan)
        call = self._begin(plan)
        writing = asyncio.create_task(self._write(call, plan))
        try:
            received = 0
            while (response := await call.read()) is not aio.EOF:
                plan.check(response, received)
                received += 1
                if received == plan.cancel_after:
                    call.cancel()
            code = await call.code()
            if code is clarion.StatusCode.OK:
                plan.check_count(received)
            return code.name, await call.details()
        finally:
            await asyncio.gather(writing, return_exceptions=True)
