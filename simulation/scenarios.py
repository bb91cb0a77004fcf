"""What is simulated. Each scenario takes its size, so that tests run small ones, and returns figures."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from clarion.client_core import ChannelCore
from clarion.status import StatusCode
from simulation.backends import Backend
from simulation.clients import Call, Load, channel, cluster
from simulation.world import World

__all__ = [
    "POLICIES",
    "Balance",
    "Ejection",
    "Herd",
    "Rebalancing",
    "Storm",
    "balance",
    "eject",
    "herd",
    "rebalance",
    "remap",
    "storm",
]

KEY = "user"

POLICIES: dict[str, Any] = {
    "pick_first": {"pick_first": {"shuffleAddressList": True}},
    "round_robin": {"round_robin": {}},
    "weighted_round_robin": {
        "weighted_round_robin": {"blackoutPeriod": "0s", "weightUpdatePeriod": "1s"}
    },
    "least_request": {"least_request_experimental": {"choiceCount": 2}},
    "ring_hash": {"ring_hash_experimental": {"requestHashHeader": KEY}},
    "random_subsetting": {
        "random_subsetting_experimental": {
            "subsetSize": 20,
            "childPolicy": [{"round_robin": {}}],
        }
    },
    "weighted_target": {
        "weighted_target_experimental": {
            "targets": {"all": {"weight": 1, "childPolicy": [{"round_robin": {}}]}}
        }
    },
    "priority": {
        "priority_experimental": {
            "children": {"all": {"config": [{"round_robin": {}}]}},
            "priorities": ["all"],
        }
    },
    "outlier_detection": {"outlier_detection_experimental": {"childPolicy": [{"round_robin": {}}]}},
}


def _config(policy: str, **more: Any) -> dict[str, Any]:
    return {"loadBalancingConfig": [POLICIES[policy]], **more}


def _connected(world: World, cores: Sequence[ChannelCore], seconds: float = 0.5) -> None:
    for core in cores:
        core.connect()
    world.run(world.now() + seconds)


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


@dataclass(frozen=True)
class Balance:
    """How a policy shared out calls.

    Attributes:
        calls: by backend.
        ratio: the most calls that a backend got, by the mean.
        busiest: the 99th percentile of what backends had to do by what they can, 1 is all of it.
        median, tail: half of the calls, and 99 of 100, took so many seconds at most.
        failed: how many calls failed.
    """

    calls: tuple[int, ...]
    ratio: float
    busiest: float
    median: float
    tail: float
    failed: int


def balance(
    policy: str,
    *,
    backends: int = 2000,
    channels: int = 2,
    seconds: float = 12.0,
    warm: float = 6.0,
    load: float = 0.6,
    seed: int = 1,
) -> Balance:
    """Some channels, many backends, a fifth of which take three times as long; 60 % of all that they can do."""
    world = World(seed)
    services = [0.6 if number % 5 == 0 else 0.2 for number in range(backends)]
    reports = 3 if policy == "weighted_round_robin" else 0
    servers = cluster(world, services, reports=reports)
    cores = [channel(world, _config(policy)) for _ in range(channels)]
    _connected(world, cores)
    codes: Counter[StatusCode] = Counter()

    def over(call: Call) -> None:
        assert call.outcome is not None
        codes[call.outcome.code] += 1

    rate = load * sum(1 / service for service in services)
    Load(world, cores, rate, over, (KEY, 20 * backends))
    world.run(world.now() + warm)
    before = [server.served for server in servers]
    for server in servers:
        server.measured = True
    world.run(world.now() + seconds - warm)
    calls = [server.served - start for server, start in zip(servers, before, strict=True)]
    waits = list(itertools.chain.from_iterable(server.waits for server in servers))
    used = [
        count * server.service / (seconds - warm)
        for count, server in zip(calls, servers, strict=True)
    ]
    return Balance(
        calls=tuple(calls),
        ratio=max(calls) / statistics.fmean(calls),
        busiest=_quantile(used, 0.99),
        median=_quantile(waits, 0.5),
        tail=_quantile(waits, 0.99),
        failed=sum(codes.values()) - codes[StatusCode.OK],
    )


@dataclass(frozen=True)
class Rebalancing:
    """What happened while backends died and came back.

    Attributes:
        times: the ends of equal periods.
        failed: the share of calls that failed in each.
        share: how many calls those backends got in each, by how many the others did, each on average.
        settled: seconds from their return until they get 90 % of what the others do; None if never.
    """

    times: tuple[float, ...]
    failed: tuple[float, ...]
    share: tuple[float, ...]
    settled: float | None


def rebalance(
    policy: str,
    *,
    backends: int = 500,
    channels: int = 4,
    rate: float = 4000.0,
    down: float = 4.0,
    up: float = 9.0,
    end: float = 16.0,
    period: float = 0.5,
    seed: int = 2,
) -> Rebalancing:
    """A fifth of the backends dies, and is back five seconds later."""
    world = World(seed)
    servers = cluster(world, [backends / rate / 2] * backends)
    cores = [channel(world, _config(policy)) for _ in range(channels)]
    _connected(world, cores, 1.0)
    outcomes = [0, 0]

    def over(call: Call) -> None:
        assert call.outcome is not None
        outcomes[call.outcome.code is not StatusCode.OK] += 1

    Load(world, cores, rate, over, (KEY, 20 * backends))
    mortal = [server for number, server in enumerate(servers) if number % 5 == 0]
    others = [server for number, server in enumerate(servers) if number % 5]
    began = world.now()
    for at, act in ((down, Backend.stop), (up, Backend.start)):
        world.call_later(at, lambda act=act: [act(server) for server in mortal])  # type: ignore[misc]
    times, failed, share = [], [], []
    settled = None
    at = 0.0
    while at < end:
        at += period
        ok, bad = outcomes
        then = [sum(each.served for each in group) for group in (mortal, others)]
        world.run(began + at)
        times.append(at)
        done = outcomes[0] - ok + outcomes[1] - bad
        failed.append((outcomes[1] - bad) / done if done else 0.0)
        theirs, rest = (
            (sum(each.served for each in group) - start) / len(group)
            for group, start in zip((mortal, others), then, strict=True)
        )
        share.append(theirs / rest if rest else 0.0)
        if settled is None and at > up and share[-1] >= 0.9:
            settled = at - up
    return Rebalancing(tuple(times), tuple(failed), tuple(share), settled)


def remap(*, backends: int = 1000, keys: int = 4000, lost: int = 10, seed: int = 3) -> float:
    """The share of keys that ring_hash leads elsewhere when backends are gone, of those whose own is still there."""
    homes = []
    gone: set[str] = set()
    for step in range(2):
        world = World(seed)
        servers = cluster(world, [0.001] * backends)
        if step:
            # Not those at the end of the list, so that the others' places in it change too.
            for address in list(world.backends)[:: backends // lost][:lost]:
                gone.add(world.backends.pop(address).name)
        core = channel(world, _config("ring_hash"))
        found: dict[str, str] = {}

        def over(call: Call, found: dict[str, str] = found) -> None:
            assert call.attempt is not None
            found[dict(call.start.fields)[KEY.encode()].decode()] = call.attempt.link.peer_name()

        load = Load(world, [core], keys * 10.0, over, (KEY, keys))
        world.run(0.6)
        load.stop()
        world.run(60.0)
        homes.append(found)
        assert len(servers) == backends
    both = homes[0].keys() & homes[1].keys()
    stay = [key for key in both if homes[0][key] not in gone]
    return sum(homes[0][key] != homes[1][key] for key in stay) / len(stay)


@dataclass(frozen=True)
class Ejection:
    """The share of calls that failed.

    Attributes:
        times: the ends of equal periods.
        without, detected: round_robin alone, and within outlier_detection.
    """

    times: tuple[float, ...]
    without: tuple[float, ...]
    detected: tuple[float, ...]


def eject(
    *,
    backends: int = 500,
    channels: int = 4,
    rate: float = 4000.0,
    end: float = 15.0,
    period: float = 0.5,
    seed: int = 4,
) -> Ejection:
    """Every twentieth backend fails nine calls of ten from the third second on."""
    detection = {
        "outlier_detection_experimental": {
            "interval": "2s",
            "baseEjectionTime": "30s",
            "maxEjectionPercent": 20,
            "failurePercentageEjection": {"threshold": 50, "requestVolume": 2},
            "childPolicy": [{"round_robin": {}}],
        }
    }
    times: list[float] = []
    results = []
    for policy in (POLICIES["round_robin"], detection):
        world = World(seed)
        servers = cluster(world, [backends / rate / 2] * backends)
        cores = [channel(world, {"loadBalancingConfig": [policy]}) for _ in range(channels)]
        _connected(world, cores, 1.0)
        outcomes = [0, 0]

        def over(call: Call, outcomes: list[int] = outcomes) -> None:
            assert call.outcome is not None
            outcomes[call.outcome.code is not StatusCode.OK] += 1

        Load(world, cores, rate, over)
        began = world.now()

        def sicken(servers: list[Backend] = servers) -> None:
            for server in servers[::20]:
                server.failing = 0.9

        world.call_later(3.0, sicken)
        times, failed = [], []
        while not times or times[-1] < end:
            ok, bad = outcomes
            times.append((times[-1] if times else 0.0) + period)
            world.run(began + times[-1])
            done = outcomes[0] - ok + outcomes[1] - bad
            failed.append((outcomes[1] - bad) / done if done else 0.0)
        results.append(tuple(failed))
    return Ejection(tuple(times), *results)


@dataclass(frozen=True)
class Storm:
    """What retries did to a service that was short of capacity for a while.

    Attributes:
        times: the ends of equal periods.
        attempts: how many came in each, by the calls begun in it.
        good: the share of calls that went well, of those that ended in each.
        amplification: attempts by calls, while capacity was short.
        recovered: seconds from the end of that until 95 % of calls go well; None if never.
    """

    times: tuple[float, ...]
    attempts: tuple[float, ...]
    good: tuple[float, ...]
    amplification: float
    recovered: float | None


RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.2s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
THROTTLING = {"maxTokens": 10, "tokenRatio": 0.1}


def storm(
    *,
    retries: bool,
    throttling: bool,
    clients: int = 10_000,
    every: float = 4.0,
    down: float = 5.0,
    up: float = 15.0,
    end: float = 30.0,
    period: float = 1.0,
    seed: int = 5,
) -> Storm:
    """Each client calls every few seconds. The service has a third more capacity than that, and for a while 30 % of it."""
    world = World(seed)
    rate = clients / every
    service = 1 / (rate * 4 / 3)
    [server] = cluster(world, [service], patience=0.5, room=1.0)
    config: dict[str, Any] = {}
    if retries:
        config["methodConfig"] = [{"name": [{}], "retryPolicy": RETRY}]
    if throttling:
        config["retryThrottling"] = THROTTLING
    cores = [channel(world, config) for _ in range(clients)]
    _connected(world, cores)
    outcomes = [0, 0]

    def over(call: Call) -> None:
        assert call.outcome is not None
        outcomes[call.outcome.code is not StatusCode.OK] += 1

    load = Load(world, cores, rate, over)
    began = world.now()

    def pace(factor: float) -> Callable[[], None]:
        def change() -> None:
            server.service = service / factor

        return change

    world.call_later(down, pace(0.3))
    world.call_later(up, pace(1.0))
    times, attempts, good = [], [], []
    short = [0, 0]
    recovered = None
    at = 0.0
    while at < end:
        at += period
        then = server.served, load.begun, *outcomes
        world.run(began + at)
        came, calls, ok, bad = (
            new - old for new, old in zip((server.served, load.begun, *outcomes), then, strict=True)
        )
        times.append(at)
        attempts.append(came / calls)
        good.append(ok / (ok + bad) if ok + bad else 0.0)
        if down < at <= up:
            short[0] += came
            short[1] += calls
        if recovered is None and at > up and good[-1] >= 0.95:
            recovered = at - up
    return Storm(tuple(times), tuple(attempts), tuple(good), short[0] / short[1], recovered)


@dataclass(frozen=True)
class Herd:
    """How clients came back to a server that was away.

    Attributes:
        times: the ends of equal periods, from the server's end on.
        attempts: how many attempts to connect fell into each.
        peak: the most of them in one period, after those right at the server's end.
        back: seconds from its return until 99 % of the clients are connected.
    """

    times: tuple[float, ...]
    attempts: tuple[int, ...]
    peak: int
    back: float


def herd(
    *,
    jitter: bool,
    clients: int = 10_000,
    away: float = 15.0,
    end: float = 40.0,
    period: float = 0.1,
    seed: int = 6,
) -> Herd:
    """All clients lose their connection at once, and the server is away for a while."""
    world = World(seed)
    [server] = cluster(world, [0.001])
    cores = [channel(world, _config("round_robin")) for _ in range(clients)]
    _connected(world, cores)
    if not jitter:
        world.random = lambda: 0.5  # type: ignore[method-assign]
        for core in cores:
            for subchannel in core._subchannels:
                subchannel._backoff._random = world.random
    began = world.now()
    world.connects.clear()
    server.stop()
    world.call_later(away, server.start)
    back = end - away
    at = 0.0
    while at < end:
        at += period
        world.run(began + at)
        if at > away and len(server.links) >= 0.99 * clients:
            back = min(back, at - away)
    counts = Counter(int((time - began) / period) for time in world.connects)
    series = tuple(counts[number] for number in range(round(end / period)))
    first = round(0.5 / period)
    times = tuple((number + 1) * period for number in range(len(series)))
    return Herd(times, series, max(series[first:]), back)
