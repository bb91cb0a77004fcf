"""Every pattern, both front ends on both sides, through a network that does its worst.

Each client calls each server, each server behind a proxy of its own. A conductor changes what the proxies do, several times
a second. Right is a call that ends once, with a status from this list:

- OK: all messages came, each once, in order and with the bytes that were sent, in both directions;
- UNAVAILABLE: the connection was lost, or could not be made;
- DEADLINE_EXCEEDED: not before the deadline;
- CANCELLED: if the client cancelled it.

No handler sees a call twice, no handler takes a stream of requests that broke off for one that ended, calls succeed again
when the network is well, and nothing is left behind.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
from clarion import aio
from clarion.testing import ChaosProxy, Direction, Ending, Faults
from support.credentials import certificate, pair
from support.footprint import Footprint, settled
from support.loops import LoopThread
from support.servers import end_pool
from support.verified import PATTERNS, SERVICE, Witness, handlers
from support.verified_calls import Ledger, Planner
from support.verified_load import AioLoad, SyncLoad, loads_end

LIMIT = 40.0
CHANNELS = 3
CLIENT_OPTIONS = [
    ("grpc.keepalive_time_ms", 500),
    ("grpc.keepalive_timeout_ms", 500),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
    ("grpc.min_reconnect_backoff_ms", 1000),
]
SERVER_OPTIONS = [
    ("grpc.keepalive_time_ms", 500),
    ("grpc.keepalive_timeout_ms", 500),
    ("grpc.server_handshake_timeout_ms", 1000),
]
WEATHER = [
    Faults(latency=0.005, jitter=0.03),
    Faults(chunk=(1, 40)),
    Faults(chunk=(1, 5000), jitter=0.01, gather=0.005),
    Faults(rate=200_000),
    Faults(rate=2_000_000, only=Direction.TO_CLIENT),
    Faults(ending=Ending.TRUNCATE, ends_after=(0, 300_000)),
    Faults(ending=Ending.RESET, ends_after=(0, 300_000), chunk=(1, 2000)),
    Faults(ending=Ending.HALF_CLOSE, ends_after=(0, 300_000), only=Direction.TO_SERVER),
    Faults(ending=Ending.HALF_CLOSE, ends_after=(0, 300_000), only=Direction.TO_CLIENT),
    Faults(ending=Ending.STALL, ends_after=(0, 300_000), only=Direction.TO_SERVER),
    Faults(ending=Ending.STALL, ends_after=(0, 300_000), only=Direction.TO_CLIENT),
    Faults(ending=Ending.SWALLOW, ends_after=(0, 100_000)),
    Faults(ending=Ending.SWALLOW),
]


@contextlib.contextmanager
def sync_server(witness: Witness, secure: bool) -> Iterator[int]:
    pool = futures.ThreadPoolExecutor(32)
    server = clarion.server(pool, options=SERVER_OPTIONS)
    server.add_registered_method_handlers(SERVICE, handlers("sync", witness))
    port = _add_port(server, secure)
    server.start()
    try:
        yield port
    finally:
        assert server.stop(0).wait(LIMIT)
        end_pool(pool)


@contextlib.contextmanager
def aio_server(loop: LoopThread, witness: Witness, secure: bool) -> Iterator[int]:
    async def start() -> tuple[Any, int]:
        server = aio.server(options=SERVER_OPTIONS)
        server.add_registered_method_handlers(SERVICE, handlers("aio", witness))
        port = _add_port(server, secure)
        await server.start()
        return server, port

    server, port = loop.run(start)
    try:
        yield port
    finally:
        loop.run(server.stop, 0)


def _add_port(server: Any, secure: bool) -> int:
    if not secure:
        return int(server.add_insecure_port("127.0.0.1:0"))
    credentials = clarion.ssl_server_credentials([pair("server")])
    return int(server.add_secure_port("127.0.0.1:0", credentials))


class Conductor:
    """Does one thing after another to the proxies, all of them within each round."""

    def __init__(self, proxies: list[ChaosProxy], seed: int) -> None:
        self.rng = random.Random(seed)
        self.proxies = proxies
        acts: list[Callable[[ChaosProxy], object]] = [
            lambda proxy: proxy.set_faults(WEATHER),
            lambda proxy: proxy.set_faults(self.rng.sample(WEATHER, 3), now=True),
            lambda proxy: proxy.set_faults(Faults()),
            ChaosProxy.reset,
            ChaosProxy.truncate,
            self._pull_the_cable,
            self._refuse,
        ]
        self.acts = itertools.cycle(acts)
        self.done = 0

    def act(self) -> None:
        act = next(self.acts)
        proxies = self.proxies if self.rng.random() < 0.5 else [self.rng.choice(self.proxies)]
        for proxy in proxies:
            act(proxy)
        self.done += 1

    @staticmethod
    def _pull_the_cable(proxy: ChaosProxy) -> None:
        proxy.pause()
        time.sleep(0.1)
        proxy.resume()

    @staticmethod
    def _refuse(proxy: ChaosProxy) -> None:
        proxy.refuse()
        proxy.reset()
        time.sleep(0.1)
        proxy.accept()

    def good_weather(self) -> None:
        for proxy in self.proxies:
            proxy.set_faults(Faults())
            proxy.reset()


def load(
    target: str, loop: LoopThread, ledger: Ledger, seed: int, secure: bool, longest: float
) -> Iterator[SyncLoad | AioLoad]:
    """Some channels of each front end, with some callers each."""
    options = [*CLIENT_OPTIONS, ("grpc.ssl_target_name_override", "localhost")]
    credentials = clarion.ssl_channel_credentials(certificate("ca")) if secure else None
    planner = Planner(timeouts=(0.05, 0.5, longest / 2, longest))
    for number in range(CHANNELS):
        if secure:
            channel = clarion.secure_channel(target, credentials, options=options)
        else:
            channel = clarion.insecure_channel(target, options=options)
        name = f"{seed}/{number}"
        yield SyncLoad(channel, ledger, planner, name, 2)
        yield AioLoad(loop, target, options, credentials, ledger, planner, name, 4)


def test_patterns_in_bad_weather(seconds: float, capsys: pytest.CaptureFixture[str]) -> None:
    run(seconds, secure=False, capsys=capsys)


def test_patterns_in_bad_weather_with_tls(
    seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    run(seconds / 2, secure=True, capsys=capsys)


def run(seconds: float, secure: bool, capsys: pytest.CaptureFixture[str]) -> None:
    # What stays for the life of a process is there before.
    _weather(0, secure, seed=0)
    before = Footprint.now()
    ledger, words = _weather(seconds, secure, seed=1)
    if seconds >= 10:
        with capsys.disabled():
            print(f"\n  {'TLS' if secure else 'plain'}, {seconds:g} s: {words}")
    assert ledger.wrong == []
    assert ledger.callbacks_missing() == ""
    assert ledger.patterns.keys() == set(PATTERNS)
    assert ledger.codes["OK"] > ledger.total / 20
    assert ledger.codes["UNAVAILABLE"] > 0
    del ledger
    after = settled(before)
    assert after.more_than(before) == ""


def _weather(seconds: float, secure: bool, seed: int) -> tuple[Ledger, str]:
    ledger = Ledger()
    witnesses = [Witness(), Witness()]
    loads: list[SyncLoad | AioLoad] = []
    longest = 4.0 if seconds > 10 else 1.5
    with (
        contextlib.closing(LoopThread()) as servers_loop,
        contextlib.closing(LoopThread()) as clients_loop,
        sync_server(witnesses[0], secure) as one,
        aio_server(servers_loop, witnesses[1], secure) as other,
        ChaosProxy(one, seed=seed) as near,
        ChaosProxy(other, seed=seed + 1) as far,
        loads_end(),
    ):
        conductor = Conductor([near, far], seed)
        for number, proxy in enumerate((near, far)):
            loads += load(proxy.target, clients_loop, ledger, seed * 10 + number, secure, longest)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            conductor.act()
            time.sleep(conductor.rng.uniform(0.1, 0.4))
        conductor.good_weather()
        # Calls have deadlines, so they end by themselves; and then calls succeed again.
        hanging = [each for each in loads if not each.stop(LIMIT)]
        assert hanging == [], "a call hangs"
        for each in loads:
            for pattern in PATTERNS:
                assert each.call(Planner.patient(pattern, LIMIT)) == "OK", ledger.wrong
        for each in loads:
            each.close()
        counts = [near.counts, far.counts]
    for witness in witnesses:
        assert witness.faults == []
    assert witnesses[0].begun is not None
    assert witnesses[1].begun is not None
    begun = witnesses[0].begun + witnesses[1].begun
    assert [call for call, count in begun.items() if count > 1] == []
    assert ledger.fine - begun.keys() == set()
    endings = sum(sum(each.endings.values()) for each in counts)
    words = (
        f"{ledger.total} calls {dict(ledger.codes)}, {sum(each.accepted for each in counts)} connections,"
        f" {endings} of them ended by faults, {conductor.done} acts"
    )
    return ledger, words
