"""Watching and closing a channel, and odd moments of both."""

from __future__ import annotations

import gc
import weakref

import pytest

from clarion.client_core import ChannelCore
from clarion.connectivity import ChannelConnectivity
from clarion.http2 import Abort
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from support.channels import (
    BOTH,
    CONNECTING,
    FAILED,
    IDLE,
    ONE,
    READY,
    SHUTDOWN,
    TWO,
    answer,
    serve,
)
from support.http2 import goaway, settings
from support.wire import Call, Network, RawFar, begin

# Watching


def test_watching_ends(network: Network) -> None:
    serve(network)
    core = network.channel()
    seen: list[ChannelConnectivity] = []
    core.watch(seen.append)
    core.unwatch(seen.append)
    core.unwatch(seen.append)
    core.connect()
    network.run()
    assert seen == []


# Closing


def closed_in(network: Network, state: str) -> tuple[ChannelCore, list[Call]]:
    """A channel that is closed while in `state`, and the calls on it."""
    options = [("grpc.min_reconnect_backoff_ms", 5000)]
    target = "host:5" if state in ("resolving", "name unknown") else BOTH
    core = network.channel(target, options)
    calls: list[Call] = []
    if state == "shaking hands":
        serve(network, ONE, b"")
    elif state in ("backing off", "between addresses"):
        network.answers[ONE] = "Connection refused"
        if state == "backing off":
            network.answers[TWO] = "Connection refused"
    elif state in ("ready", "full", "draining"):
        fars = serve(network, ONE, settings({3: 1}) if state == "full" else settings())
    elif state == "name unknown":
        network.names["host"] = "unknown"
    if state != "idle":
        calls = [begin(network, core, wait_for_ready=True) for _ in range(2)]
    if state != "between addresses":
        network.run()
    if state == "draining":
        fars[0].send(goaway(3))
        network.run()
    core.close()
    core.close()
    return core, calls


STATES = [
    "idle",
    "resolving",
    "name unknown",
    "connecting",
    "between addresses",
    "shaking hands",
    "backing off",
    "ready",
    "full",
    "draining",
]


@pytest.mark.parametrize("state", STATES)
def test_close_in_every_state(network: Network, state: str) -> None:
    core, calls = closed_in(network, state)
    assert core.state is SHUTDOWN
    attempts = len(network.attempts)
    network.run()
    assert network.timers == []
    for call in calls:
        assert (call.code, call.details) == (StatusCode.CANCELLED, "Channel closed!")
    for late in network.late:
        try:
            late([ONE], "")
        except TypeError:
            late(RawFar(settings()))
    network.advance(100)
    assert core.state is SHUTDOWN
    assert len(network.attempts) == attempts
    assert all(link.connection.closed for link in network.links)
    assert core.links == set()
    assert core.link is None
    call = begin(network, core)
    assert (call.code, call.details) == (StatusCode.CANCELLED, "Channel closed!")
    assert network.timers == []


@pytest.mark.parametrize("state", STATES)
def test_a_closed_channel_leaves_nothing_behind(network: Network, state: str) -> None:
    core, calls = closed_in(network, state)
    core.watch(lambda state: None)
    network.run()
    network.late.clear()
    network.links.clear()
    network.answers.clear()
    network._timers.clear()
    calls.clear()
    ghost = weakref.ref(core)
    del core
    gc.collect()
    assert ghost() is None


def test_close_with_an_outcome_of_ones_own(network: Network) -> None:
    core = network.channel()
    call = begin(network, core)
    outcome = Outcome(StatusCode.UNAVAILABLE, "forked")
    core.close(outcome)
    assert call.outcome is outcome


@pytest.mark.parametrize("state", [CONNECTING, READY, IDLE, FAILED])
def test_a_watcher_may_close_the_channel(network: Network, state: ChannelConnectivity) -> None:
    fars = serve(network)
    core = network.channel()

    def watcher(new: ChannelConnectivity) -> None:
        if new is state:
            core.close()

    if state is FAILED:
        network.answers[ONE] = "Connection refused"
    core.watch(watcher)
    waiting = begin(network, core, wait_for_ready=True)
    failing = begin(network, core)
    network.run()
    if state is IDLE:
        fars[0].close()
        network.run()
    network.advance(100)
    assert core.state is SHUTDOWN
    assert network.timers == []
    assert all(link.connection.closed for link in network.links)
    assert waiting.outcome is not None
    assert failing.outcome is not None
    assert len(network.attempts) == (0 if state is CONNECTING else 1)


# Closing in good order


def finish_all(network: Network, fars: list[RawFar]) -> None:
    for _ in range(20):
        for far in fars:
            for sid in far.requests():
                answer(far, sid)
        network.run()


def test_nothing_is_in_progress(network: Network) -> None:
    core = network.channel()
    assert core.when_idle(pytest.fail) is False
    network.run()


def test_a_connection_without_calls(network: Network) -> None:
    serve(network)
    core = network.channel()
    core.connect()
    network.run()
    told: list[bool] = []
    busy = core.when_idle(lambda: told.append(True))
    network.run()
    assert busy is bool(told)
    assert core.links == set()


def test_calls_in_progress_may_finish(network: Network) -> None:
    fars, core = serve(network), network.channel()
    call = begin(network, core)
    network.run()
    told: list[bool] = []
    assert core.when_idle(lambda: told.append(True)) is True
    network.run()
    assert told == []
    finish_all(network, fars)
    assert call.code is StatusCode.OK
    assert told == [True]
    core.close()
    network.run()
    assert told == [True]


def test_calls_that_wait_may_finish(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel()
    calls = [begin(network, core) for _ in range(4)]
    told: list[bool] = []
    assert core.when_idle(lambda: told.append(True)) is True
    finish_all(network, fars)
    assert [call.code for call in calls] == [StatusCode.OK] * 4
    assert told == [True]
    assert core.links == set()


def test_calls_that_wait_for_a_stream_may_finish(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel()
    calls = [begin(network, core) for _ in range(3)]
    network.run()
    told: list[bool] = []
    assert core.when_idle(lambda: told.append(True)) is True
    finish_all(network, fars)
    assert [call.code for call in calls] == [StatusCode.OK] * 3
    assert told == [True]


@pytest.mark.parametrize("how", ["fails", "is cancelled", "is closed"])
def test_the_last_call_that_waited_is_gone(network: Network, how: str) -> None:
    core = network.channel()
    call = begin(network, core)
    network.run()
    told: list[bool] = []
    assert core.when_idle(lambda: told.append(True)) is True
    if how == "fails":
        network.advance(20)
        assert call.code is StatusCode.UNAVAILABLE
    elif how == "is cancelled":
        call.end(Outcome(StatusCode.CANCELLED))
    else:
        core.close()
    network.run()
    assert told == [True]


# Odd moments


def test_a_call_that_was_given_up_on_its_way_to_the_channel(network: Network) -> None:
    core = network.channel()
    call = begin(network, core, timeout=0)
    call.end(Outcome(StatusCode.CANCELLED))
    core.wait(call)
    core.close()
    network.run()
    fresh = network.channel()
    fresh.wait(call)
    assert fresh.state is IDLE


def test_news_of_links_that_were_given_up(network: Network) -> None:
    """They come while another attempt is on its way, and are nothing to it."""
    network.answers[ONE] = lambda: RawFar()
    core = network.channel("ipv4:1.1.1.1:1,2.2.2.2:2", [("grpc.min_reconnect_backoff_ms", 1000)])
    call = begin(network, core)
    network.advance(0.5)
    [old] = network.links
    subchannel = old._owner
    assert core.state is CONNECTING
    network.advance(0.6)
    subchannel.link_ready(old)
    subchannel.link_draining(old, 0, b"")
    assert core.state is CONNECTING
    network.late[0](RawFar(settings()))
    network.run()
    assert core.state is READY
    assert call.attempt is not None
    assert call.attempt.link is not old
    subchannel.link_ready(old)
    subchannel.link_draining(old, 0, b"")
    subchannel.link_closed(old, Abort(0, "gone"))
    assert core.state is READY
    assert core.link is call.attempt.link
