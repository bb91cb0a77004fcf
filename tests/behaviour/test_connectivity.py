"""The channel's connectivity: its states, waiting for them, and calls that wait for a server."""

from __future__ import annotations

import queue
import threading
from typing import Any

import pytest

from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.libraries import LIMIT
from support.processes import free_port
from support.simple import ECHOES

QUICK = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
]
UNARY = SERVICE + camel("unary_unary")


def test_a_new_channel_is_idle_until_asked(front: FrontEnd) -> None:
    client = front.connect(front.serve(ECHOES).target)
    watcher = front.watch(client, connect=False)
    assert watcher.next() == "IDLE"
    client.call(UNARY, "unary_unary", [b"x"])
    watcher.until("READY")
    assert watcher.seen in (["IDLE", "CONNECTING", "READY"], ["IDLE", "READY"])


def test_a_watcher_may_ask_for_the_connection(front: FrontEnd) -> None:
    client = front.connect(front.serve(ECHOES).target)
    watcher = front.watch(client, connect=True)
    assert watcher.until("READY") == "READY"


def test_nobody_listens(front: FrontEnd) -> None:
    client = front.connect(f"127.0.0.1:{free_port()}")
    watcher = front.watch(client, connect=True)
    assert watcher.until("TRANSIENT_FAILURE") == "TRANSIENT_FAILURE"
    assert "READY" not in watcher.seen


def test_a_lost_connection_and_its_return(front: FrontEnd) -> None:
    server = front.serve(ECHOES, addresses=[f"127.0.0.1:{free_port()}"])
    client = front.connect(server.target, options=QUICK)
    watcher = front.watch(client, connect=True)
    watcher.until("READY")
    server.stop(None)()
    watcher.until("IDLE", "TRANSIENT_FAILURE", "CONNECTING")
    front.serve(ECHOES, addresses=[server.target])
    outcome = client.call(UNARY, "unary_unary", [b"x"], wait_for_ready=True)
    assert outcome.code == "OK", outcome
    watcher.until("READY")


def test_waiting_until_ready(front: FrontEnd) -> None:
    client = front.connect(front.serve(ECHOES).target)
    front.wait_ready(client, 10)
    assert front.watch(client, connect=False).next() == "READY"
    front.wait_ready(client, 10)


def test_waiting_in_vain(front: FrontEnd) -> None:
    client = front.connect(f"127.0.0.1:{free_port()}")
    with pytest.raises(TimeoutError):
        front.wait_ready(client, 0.1)


@pytest.mark.parametrize("pattern", list(ECHOES))
def test_a_call_waits_for_a_server_that_starts_later(front: FrontEnd, pattern: str) -> None:
    port = free_port()
    client = front.connect(f"127.0.0.1:{port}", options=QUICK)
    watcher = front.watch(client, connect=True)
    call = client.open(SERVICE + camel(pattern), pattern, [b"x"], wait_for_ready=True)
    watcher.until("TRANSIENT_FAILURE")
    front.serve(ECHOES, addresses=[f"127.0.0.1:{port}"])
    outcome = call.finish()
    assert outcome.code == "OK", outcome
    assert set(outcome.responses) == {b"x"}


@pytest.mark.parametrize("pattern", list(ECHOES))
def test_a_waiting_call_has_its_deadline(front: FrontEnd, pattern: str) -> None:
    client = front.connect(f"127.0.0.1:{free_port()}")
    outcome = client.call(
        SERVICE + camel(pattern), pattern, [b"x"], wait_for_ready=True, timeout=0.1
    )
    assert outcome.code == "DEADLINE_EXCEEDED"


def test_a_waiting_call_can_be_cancelled(front: FrontEnd) -> None:
    client = front.connect(f"127.0.0.1:{free_port()}")
    call = client.open(UNARY, "unary_unary", [b"x"], wait_for_ready=True)
    call.cancel()
    assert call.finish().code == "CANCELLED"


def test_a_call_in_doubt_fails_fast(front: FrontEnd) -> None:
    client = front.connect(f"127.0.0.1:{free_port()}")
    for _ in range(3):
        assert client.call(UNARY, "unary_unary", [b"x"]).code == "UNAVAILABLE"


def test_a_closed_channel_takes_no_calls(front: FrontEnd) -> None:
    client = front.rig(**ECHOES).client
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    client.close()
    expected = ValueError if front.name == "sync" else front.library.aio.UsageError
    with pytest.raises(expected, match=r"(?i)closed"):
        client.call(UNARY, "unary_unary", [b"x"])


def test_closing_a_channel_cancels_its_calls(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES)
    call = rig.open("stream_stream")
    call.write(b"x")
    assert call.read() == b"x"
    rig.client.close()
    assert call.finish().code == "CANCELLED"


# What only the sync front end has: callbacks, and the future of `channel_ready_future`


class Unhashable:
    """A callback that keeps the states it hears."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.states: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __call__(self, state: Any) -> None:
        self.states.put(state.name)

    def next(self) -> str:
        return self.states.get(timeout=LIMIT)

    def until(self, name: str) -> None:
        while self.next() != name:
            pass


def test_a_callback_need_not_be_hashable(sync: FrontEnd) -> None:
    client = sync.rig(**ECHOES).client
    callback = Unhashable()
    client.raw.subscribe(callback)
    assert callback.next() == "IDLE"
    client.raw.unsubscribe(callback)
    client.raw.unsubscribe(callback)
    client.raw.unsubscribe(print)


def test_a_callback_that_is_subscribed_twice_is_called_twice(sync: FrontEnd) -> None:
    client = sync.rig(**ECHOES).client
    callback, other = Unhashable(), Unhashable()
    for _ in range(2):
        client.raw.subscribe(callback)
        assert callback.next() == "IDLE"
    client.raw.unsubscribe(callback)
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    callback.until("READY")
    client.raw.unsubscribe(callback)
    client.raw.subscribe(other)
    other.until("READY")
    # Neither subscription is left to hear of the lost connection, which `other` does.
    while not callback.states.empty():
        callback.next()
    sync.close()
    assert callback.states.empty()


def test_subscribers_do_not_hear_that_the_channel_is_closed(sync: FrontEnd) -> None:
    rig = sync.rig(**ECHOES)
    callback = Unhashable()
    rig.client.raw.subscribe(callback, try_to_connect=True)
    callback.until("READY")
    rig.client.close()
    # Another channel's callbacks come after whatever the first channel had to say.
    other = Unhashable()
    sync.connect(rig.server.target).raw.subscribe(other, try_to_connect=True)
    other.until("READY")
    assert callback.states.empty()


def test_a_closed_channel_can_be_subscribed_to_in_vain(sync: FrontEnd) -> None:
    grpc = sync.library.root
    for used in (False, True):
        client = sync.connect(sync.serve(ECHOES).target)
        if used:
            assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
        client.close()
        callback = Unhashable()
        client.raw.subscribe(callback)
        ready = grpc.channel_ready_future(client.raw)
        with pytest.raises(grpc.FutureTimeoutError):
            ready.result(timeout=0.1)
        assert callback.states.empty()
        client.raw.unsubscribe(callback)


@pytest.mark.parametrize("cancel", [False, True])
def test_a_callback_that_raises_does_not_break_the_others(
    sync: FrontEnd, cancel: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def bad(future: Any) -> None:
        called.append(future)
        raise ValueError("on purpose")

    def good(future: Any) -> None:
        called.append(future)
        done.set()

    called: list[Any] = []
    done = threading.Event()
    port = free_port()
    client = sync.connect(f"127.0.0.1:{port}", options=QUICK)
    future = sync.library.root.channel_ready_future(client.raw)
    future.add_done_callback(bad)
    future.add_done_callback(good)
    if cancel:
        assert future.cancel() is True
    else:
        sync.serve(ECHOES, addresses=[f"127.0.0.1:{port}"])
        future.result(LIMIT)
    assert done.wait(LIMIT)
    assert called == [future, future]
    assert "on purpose" in caplog.text
