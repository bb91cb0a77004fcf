"""Calls without a channel of one's own, their cache of channels, and the small helpers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
from clarion import experimental
from clarion.client_core import ChannelOptions
from clarion.experimental import warning
from clarion.experimental.channel_cache import ChannelCache, number_from_environment
from clarion.experimental.gevent import init_gevent
from clarion.experimental.session_cache import SSLSessionCache, ssl_session_cache_lru
from clarion.sync import runtime as runtime_module

pytestmark = pytest.mark.filterwarnings("ignore::clarion.experimental.ExperimentalApiWarning")


@pytest.fixture
def target() -> Iterator[str]:
    """A server of one method of each pattern, which answers with what it gets."""

    def metadata(context: Any) -> bytes:
        return dict(context.invocation_metadata()).get("key", "").encode()

    handlers = {
        "UU": clarion.unary_unary_rpc_method_handler(lambda r, c: r + metadata(c)),
        "US": clarion.unary_stream_rpc_method_handler(lambda r, c: iter((r, r))),
        "SU": clarion.stream_unary_rpc_method_handler(lambda i, c: b"".join(i)),
        "SS": clarion.stream_stream_rpc_method_handler(lambda i, c: i),
    }
    server = clarion.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((clarion.method_handlers_generic_handler("t.T", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    assert server.stop(None).wait(20)


# Stubs


def test_the_four_patterns(target: str) -> None:
    unary: dict[str, Any] = {"target": target, "insecure": True, "timeout": 20}
    assert experimental.unary_unary(b"a", method="/t.T/UU", **unary) == b"a"
    assert list(experimental.unary_stream(b"a", method="/t.T/US", **unary)) == [b"a", b"a"]
    assert experimental.stream_unary(iter((b"a", b"b")), method="/t.T/SU", **unary) == b"ab"
    assert list(experimental.stream_stream(iter((b"a", b"b")), method="/t.T/SS", **unary)) == [
        b"a",
        b"b",
    ]


def test_all_arguments_arrive(target: str) -> None:
    response = experimental.unary_unary(
        "a",
        target,
        "/t.T/UU",
        request_serializer=str.encode,
        response_deserializer=bytes.decode,
        options=[("grpc.primary_user_agent", "me")],
        channel_credentials=experimental.insecure_channel_credentials(),
        call_credentials=None,
        compression=clarion.Compression.Gzip,
        wait_for_ready=False,
        timeout=20,
        metadata=(("key", "value"),),
    )
    assert response == "avalue"


def test_no_wait_for_ready_fails_where_nobody_listens() -> None:
    with pytest.raises(clarion.RpcError) as caught:
        experimental.unary_unary(
            b"", "127.0.0.1:1", "/t.T/UU", insecure=True, wait_for_ready=False, timeout=20
        )
    assert caught.value.code() is clarion.StatusCode.UNAVAILABLE


def test_waiting_for_ready_is_the_default() -> None:
    with pytest.raises(clarion.RpcError) as caught:
        experimental.unary_unary(b"", "127.0.0.1:1", "/t.T/UU", insecure=True, timeout=0.3)
    assert caught.value.code() is clarion.StatusCode.DEADLINE_EXCEEDED


def test_insecure_and_credentials_exclude_each_other() -> None:
    credentials = experimental.insecure_channel_credentials()
    assert credentials is experimental.insecure_channel_credentials()
    with pytest.raises(ValueError, match="exclude each other"):
        experimental.unary_unary(
            b"", "x", "/t.T/UU", insecure=True, channel_credentials=credentials
        )


# The cache


class Watched:
    """Channels that say when they are closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[str] = []
        self.closed: list[str] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.time = 0.0
        monkeypatch.setattr(runtime_module, "runtime", lambda: self)

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self.timers.append((self.time + delay, callback))

    def advance(self, seconds: float) -> None:
        self.time += seconds
        due = [callback for when, callback in self.timers if when <= self.time]
        self.timers = [timer for timer in self.timers if timer[0] > self.time]
        for callback in due:
            callback()

    def make(self, name: str) -> Any:
        watched = self

        class Channel:
            def __init__(self) -> None:
                watched.made.append(name)

            def close(self) -> None:
                watched.closed.append(name)

        return Channel

    def now(self) -> float:
        return self.time


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def test_a_channel_is_used_again(watched: Watched) -> None:
    cache = ChannelCache(10, 5, watched.now)
    first = cache.get("a", watched.make("a"))
    assert cache.get("a", watched.make("a")) is first
    assert cache.get("b", watched.make("b")) is not first
    assert watched.made == ["a", "b"]
    assert len(watched.timers) == 1


def test_what_nobody_asked_for_is_closed(watched: Watched) -> None:
    cache = ChannelCache(10, 5, watched.now)
    cache.get("a", watched.make("a"))
    watched.advance(4)
    cache.get("b", watched.make("b"))
    watched.advance(4)
    cache.get("a", watched.make("a"))
    watched.advance(2)
    assert watched.closed == []
    watched.advance(4)
    assert watched.closed == ["b"]
    watched.advance(4)
    assert watched.closed == ["b", "a"]
    assert len(cache) == 0
    assert watched.timers == []


def test_the_oldest_goes_when_there_are_too_many(watched: Watched) -> None:
    cache = ChannelCache(10, 2, watched.now)
    for name in ("a", "b", "a", "c"):
        cache.get(name, watched.make(name))
    assert watched.closed == ["b"]
    assert len(cache) == 2


def test_calls_in_progress_go_on(target: str) -> None:
    cache = ChannelCache(600, 1)
    channel = cache.get("a", lambda: clarion.insecure_channel(target))
    closed = threading.Event()
    # Subscribers hear nothing of an end; those below do.
    core = channel.open_core()
    channel.runtime.post(
        lambda: core.watch(lambda state: closed.set() if "SHUTDOWN" in str(state) else None)
    )
    go_on = threading.Event()

    def requests() -> Iterator[bytes]:
        yield b"a"
        go_on.wait(20)
        yield b"b"

    call = channel.stream_stream("/t.T/SS")(requests(), timeout=20)
    assert next(call) == b"a"
    other = cache.get("b", lambda: clarion.insecure_channel(target))
    go_on.set()
    assert list(call) == [b"b"]
    assert closed.wait(20)
    other.close()


def test_a_channel_that_was_never_used_is_just_closed() -> None:
    cache = ChannelCache(600, 1)
    channel = cache.get("a", lambda: clarion.insecure_channel("x:1"))
    other = cache.get("b", lambda: clarion.insecure_channel("x:1"))
    with pytest.raises(ValueError, match="closed channel"):
        channel.unary_unary("/a/b")(b"")
    other.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_after_a_fork(watched: Watched) -> None:
    cache = ChannelCache(10, 5, watched.now)
    cache.get("a", watched.make("a"))
    cache._lock.acquire()
    cache._process -= 1
    assert cache.get("a", watched.make("a"))


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert number_from_environment("CLARION_TEST_NUMBER", 7.0) == 7.0
    monkeypatch.setenv("CLARION_TEST_NUMBER", "1.5")
    assert number_from_environment("CLARION_TEST_NUMBER", 7.0) == 1.5
    monkeypatch.setenv("CLARION_TEST_NUMBER", "much")
    with pytest.raises(ValueError, match="CLARION_TEST_NUMBER is 'much'; it must be a number"):
        number_from_environment("CLARION_TEST_NUMBER", 7.0)


@pytest.mark.timeout(180)
def test_the_default_timeout_comes_from_the_environment() -> None:
    code = (
        "import inspect; from clarion import experimental as e;"
        "print(inspect.signature(e.stream_stream).parameters['timeout'].default)"
    )
    environment = {**os.environ, "GRPC_PYTHON_DEFAULT_TIMEOUT_SECONDS": "2.5"}
    output = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert output.stdout.strip() == "2.5"


# Helpers


def test_a_function_warns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warning, "_warned", set())

    @experimental.experimental_api
    def shaky(number: int) -> int:
        """Shakes."""
        return number

    assert shaky.__doc__ == "Shakes."
    with pytest.warns(experimental.ExperimentalApiWarning, match="'shaky' is experimental") as seen:
        assert shaky(5) == 5
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shaky(number=6) == 6


@pytest.mark.parametrize(
    "pattern", ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]
)
def test_handlers_are_wrapped(pattern: str) -> None:
    make = getattr(clarion, f"{pattern}_rpc_method_handler")
    handler = make(lambda request, context: 1, str.encode, bytes.decode)
    wrapped = experimental.wrap_server_method_handler(
        lambda behaviour: lambda request, context: behaviour(request, context) + 1, handler
    )
    assert getattr(wrapped, pattern)(None, None) == 2
    assert getattr(handler, pattern)(None, None) == 1
    assert wrapped.request_deserializer is handler.request_deserializer
    assert (wrapped.request_streaming, wrapped.response_streaming) == (
        handler.request_streaming,
        handler.response_streaming,
    )


def test_no_handler_is_none() -> None:
    assert experimental.wrap_server_method_handler(lambda behaviour: behaviour, None) is None


def test_constants() -> None:
    name = experimental.ChannelOptions.SingleThreadedUnaryStream
    assert name == "SingleThreadedUnaryStream"
    clarion.insecure_channel("x:1", options=[(name, 1)]).close()
    assert issubclass(experimental.UsageError, Exception)
    init_gevent()


def test_a_session_cache_is_a_channel_argument() -> None:
    cache = ssl_session_cache_lru(5)
    assert isinstance(cache, SSLSessionCache)
    assert isinstance(int(cache), int)
    options = ChannelOptions.read([("grpc.ssl_session_cache", cache)])
    assert options.session_cache is cache


def test_tls_is_the_default(target: str) -> None:
    with pytest.raises(clarion.RpcError) as caught:
        experimental.unary_unary(b"", target, "/t.T/UU", wait_for_ready=False, timeout=20)
    assert caught.value.code() is clarion.StatusCode.UNAVAILABLE
