"""gRPC without sockets, threads or time: calls and channels over connections that tests carry by hand.

`Network` is the client's `Runtime`: its clock moves when a test says so, its names and addresses answer what the
test wrote down, and `run` carries bytes between the two ends of every link until all are silent.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import hpack

from clarion.client_core import (
    ChannelCore,
    ChannelOptions,
    ClientCall,
    Link,
    LinkOwner,
    Pending,
    Start,
    cancel_calls,
)
from clarion.client_core.invocation import Method
from clarion.http2 import Abort, Config, Connection
from clarion.method import RpcMethodHandler, method_handlers_generic_handler
from clarion.protocol.client_stream import ClientStream
from clarion.protocol.outcome import Metadata, Outcome
from clarion.protocol.server_stream import ServerStream
from clarion.resolver.registry import target_of
from clarion.resolver.target import Address, HostPort
from clarion.server_core import ServerCall, ServerCore, ServerOptions
from clarion.status import StatusCode
from support.http2 import (
    ACK,
    DATA,
    GOAWAY,
    HEADERS,
    PREFACE,
    REQUEST,
    RST,
    SETTINGS,
    Clock,
    Fields,
    Frame,
    Observer,
    frame,
    parse,
    settings,
)

PATH = "/test.Test/Method"


def message(payload: bytes, flag: int = 0) -> bytes:
    """A length-prefixed message."""
    return bytes([flag]) + len(payload).to_bytes(4, "big") + payload


def request_fields(*extra: tuple[bytes, bytes], drop: bytes = b"") -> Fields:
    """A request's header list, with more or less in it."""
    return tuple(field for field in REQUEST if field[0] != drop) + extra


class Heads:
    """Decodes header blocks with another implementation."""

    def __init__(self) -> None:
        self._decoder = hpack.Decoder()

    def read(self, block: bytes) -> dict[str, str]:
        return {str(name): str(value) for name, value in self._decoder.decode(block)}


# One stream on one connection, the other end of which is raw frames.


class ServedStream(ServerStream):
    """A server's stream that keeps what it hears."""

    def __init__(self, side: ServerSide, connection: Connection, stream_id: int) -> None:
        ServerStream.__init__(self, connection, stream_id, side.max_receive, side.max_metadata)
        self.events: list[Any] = []
        self.abort: Abort | None = None

    def call_started(self) -> None:
        self.events.append("started")

    def message_received(self, message: bytes) -> None:
        self.put(message)

    def messages_ended(self) -> None:
        self.events.append("ended")

    def messages_failed(self, code: StatusCode, details: str) -> None:
        self.events.append((code, details))
        self.send_status(code, details)

    def call_aborted(self, reason: Abort) -> None:
        assert self.abort is None
        self.abort = reason
        self.events.append("aborted")

    def writable(self) -> None:
        self.events.append("writable")


class CalledStream(ClientStream):
    """A client's stream that keeps what it hears."""

    def __init__(self, connection: Connection, max_receive: int, max_metadata: int) -> None:
        ClientStream.__init__(self, connection, max_receive, max_metadata)
        self.initial: Metadata | None = None
        self.ends = 0

    def initial_metadata_received(self, metadata: Metadata) -> None:
        assert self.initial is None
        self.initial = metadata

    def message_received(self, message: bytes) -> None:
        self.put(message)

    def ended(self, outcome: Outcome) -> None:
        assert outcome is self.outcome
        self.ends += 1
        assert self.ends == 1

    def writable(self) -> None: ...


class _Side:
    """One end of a connection after the handshake."""

    def __init__(self, connection: Connection, *, bytewise: bool) -> None:
        self.connection = connection
        self.bytewise = bytewise
        self.heads = Heads()

    def feed(self, *pieces: bytes) -> None:
        received = b"".join(pieces)
        size = 1 if self.bytewise else max(len(received), 1)
        for at in range(0, len(received), size):
            self.connection.receive_data(received[at : at + size])

    def frames(self) -> list[Frame]:
        connection = self.connection
        output = b"".join(connection.take_output())
        while connection.output_sent():
            output += b"".join(connection.take_output())
        return parse(output)

    def exchange(self, *pieces: bytes) -> list[Frame]:
        self.feed(*pieces)
        return self.frames()


class ServerSide(_Side):
    """A server whose client is raw frames."""

    def __init__(
        self,
        *,
        config: Config | None = None,
        max_receive: int = 4 << 20,
        max_metadata: int = 16_384,
        values: dict[int, int] | None = None,
        bytewise: bool = False,
        make: Callable[[Connection, int], ServerStream] | None = None,
    ) -> None:
        self.max_receive = max_receive
        self.max_metadata = max_metadata
        self.clock = Clock()
        self.observer = Observer()
        self.streams: dict[int, Any] = {}
        self._stream = make or (lambda connection, sid: ServedStream(self, connection, sid))
        config = config or Config(max_header_list_size=max_metadata)
        super().__init__(
            Connection(self.observer, self.clock, config, self._make), bytewise=bytewise
        )
        self.connection.start()
        self.exchange(PREFACE, settings(values), frame(SETTINGS, ACK))

    def _make(self, connection: Connection, sid: int) -> ServerStream:
        stream = self.streams[sid] = self._stream(connection, sid)
        return stream

    def answer(self, frames: list[Frame]) -> dict[str, str]:
        """Header fields of all HEADERS among `frames`, together."""
        fields: dict[str, str] = {}
        for each in frames:
            if each.kind == HEADERS:
                fields.update(self.heads.read(each.payload))
        return fields


class ClientSide(_Side):
    """A client whose server is raw frames; it has one stream."""

    def __init__(
        self,
        *,
        max_receive: int = 4 << 20,
        max_metadata: int = 16_384,
        values: dict[int, int] | None = None,
        bytewise: bool = False,
        half_closed: bool = True,
        config: Config | None = None,
    ) -> None:
        self.clock = Clock()
        self.observer = Observer()
        config = config or Config(max_header_list_size=max_metadata)
        super().__init__(Connection(self.observer, self.clock, config), bytewise=bytewise)
        self.connection.start()
        self.connection.take_output()
        self.exchange(settings(values), frame(SETTINGS, ACK))
        self.stream = CalledStream(self.connection, max_receive, max_metadata)
        block = self.connection.encoder.encode(REQUEST)
        self.connection.open_stream(self.stream, block, end_stream=half_closed)
        self.frames()

    @property
    def outcome(self) -> Outcome:
        assert self.stream.outcome is not None
        return self.stream.outcome


# Channels and servers.


class Timer:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class RawFar:
    """A server's end of a link, of raw frames.

    Attributes:
        received: the frames that came and were not looked at, without SETTINGS, PING and WINDOW_UPDATE.
    """

    def __init__(self, *greeting: bytes) -> None:
        self.received: list[Frame] = []
        self.closed = False
        self.heads = Heads()
        self._out = b"".join(greeting)
        self._in = b""
        self._preface = len(PREFACE)

    def send(self, *pieces: bytes) -> None:
        self._out += b"".join(pieces)

    def close(self) -> None:
        """Close the transport when all is sent."""
        self.closed = True

    def take(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def feed(self, data: bytes) -> None:
        cut = min(len(data), self._preface)
        self._preface -= cut
        self.received += [
            each for each in parse(data[cut:]) if each.kind in (DATA, HEADERS, RST, GOAWAY)
        ]

    def lost(self) -> None:
        self.closed = True

    def requests(self) -> list[int]:
        """The streams that were opened since the last look, by identifier."""
        opened = [each.sid for each in self.received if each.kind == HEADERS]
        self.received = [each for each in self.received if each.kind != HEADERS]
        return opened


class ServerFar:
    """A server's end of a link, of `ServerCore`."""

    def __init__(self, server: Server, now: Callable[[], float]) -> None:
        self.observer = Observer()
        self.connection = Connection(
            self.observer, now, server.core.options.http2, server.make_call
        )
        self.connection.start()

    @property
    def closed(self) -> bool:
        return self.connection.closed

    def take(self) -> bytes:
        out = b"".join(self.connection.take_output())
        self.connection.output_sent()
        return out

    def feed(self, data: bytes) -> None:
        self.connection.receive_data(data)

    def lost(self) -> None:
        self.connection.connection_lost("the peer closed the connection")


class WireLink:
    """The client's end of a link. `posts` says whether the owner hears of events later (as a thread does)."""

    def __init__(self, network: Network, config: Config, owner: LinkOwner, far: Any) -> None:
        self.connection = Connection(self, network.now, config)
        self.pending: deque[Pending] = deque()
        self.far = far
        self.lock = nullcontext()
        self.flushes = 0
        self.unattended = 0
        self._network = network
        self._owner = owner
        self.connection.start()

    def peer_name(self) -> str:
        return "ipv4:1.1.1.1:1"

    def flush_soon(self) -> None:
        self.flushes += 1

    def close(self, message: str) -> None:
        cancel_calls(self.connection, message)
        self.connection.close(message)

    def drain(self) -> None:
        self.connection.drain()

    def leave_unattended(self) -> None:
        self.unattended += 1

    def attended(self) -> None:
        self.unattended -= 1

    def carry(self) -> bool:
        """Move bytes both ways; return whether anything happened."""
        connection = self.connection
        there = b"".join(connection.take_output())
        connection.output_sent()
        if there and not self.far.closed:
            self.far.feed(there)
        if connection.closed and not connection.outbox:
            self.far.lost()
        back = self.far.take()
        if back:
            connection.receive_data(back)
        lost = self.far.closed and not connection.closed
        if lost:
            connection.connection_lost("the peer closed the connection")
        return bool(there or back or lost)

    # ConnectionObserver

    def _tell(self, callback: Callable[[], None]) -> None:
        if self._network.posts:
            self._network.post(callback)
        else:
            callback()

    def ready(self) -> None:
        self._tell(lambda: self._owner.link_ready(self))

    def streams_available(self) -> None:
        self._tell(self._serve_pending)

    def _serve_pending(self) -> None:
        while self.pending and self.connection.can_open:
            self.pending.popleft().link_available(self)
        if self.pending:
            self.connection.want_stream()

    def goaway_received(self, code: int, debug: bytes) -> None:
        self._tell(lambda: self._owner.link_draining(self, code, debug))

    def ping_acknowledged(self, data: bytes) -> None: ...

    def finished(self, reason: Abort) -> None:
        self._tell(lambda: self._owner.link_closed(self, reason))


class Network:
    """Time, names and connections for channels.

    Attributes:
        answers: by address, how connecting goes: a text is the reason why it fails; a callable makes the far
            end; an address that is not here does not answer.
        names: by host, what it resolves to: a text is the reason why it does not; a host that is not here
            does not answer.
        attempts: every address tried, with the time.
        lookups: every name looked up, with the time.
        jitter: what `random` gives; 0.5 makes backoff exact.
        posts: whether links tell their owner later instead of at once.
        early: whether bytes flow before the owner knows its new link, as they may on an event loop.
    """

    def __init__(self) -> None:
        self.time = 1000.0
        self.answers: dict[Address, str | Callable[[], Any]] = {}
        self.names: dict[str, str | list[Address]] = {}
        self.attempts: list[tuple[Address, float]] = []
        self.lookups: list[tuple[str, float]] = []
        self.late: list[Callable[..., None]] = []
        self.jitter = 0.5
        self.posts = False
        self.early = False
        self.links: list[WireLink] = []
        self._posted: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Timer]] = []

    # Runtime

    def now(self) -> float:
        return self.time

    def random(self) -> float:
        return self.jitter

    def post_from_thread(self, callback: Callable[[], None]) -> None:
        self.post(callback)

    def apart(self, work: Callable[[], None]) -> None:
        self.post(work)

    def lock(self) -> AbstractContextManager[object]:
        return nullcontext()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        assert delay >= 0
        timer = Timer(self.time + delay, callback)
        heapq.heappush(self._timers, (timer.when, id(timer), timer))
        return timer

    def post(self, callback: Callable[[], None]) -> None:
        self._posted.append(callback)

    def resolve(self, name: HostPort, done: Callable[[list[Address] | None, str], None]) -> None:
        self.lookups.append((name.host, self.time))
        answer = self.names.get(name.host)
        if answer is None:
            self.late.append(done)
        elif isinstance(answer, str):
            self.post(lambda: done(None, answer))
        else:
            self.post(lambda: done(list(answer), ""))

    def connect(
        self,
        address: Address,
        config: Config,
        owner: LinkOwner,
        done: Callable[[Link | None, str], None],
    ) -> None:
        self.attempts.append((address, self.time))
        answer = self.answers.get(address)
        if answer is None:
            self.late.append(
                lambda far: (
                    done(None, far)
                    if isinstance(far, str)
                    else done(self._link(config, owner, far), "")
                )
            )
        elif isinstance(answer, str):
            done(None, answer)
        else:
            done(self._link(config, owner, answer()), "")

    def _link(self, config: Config, owner: LinkOwner, far: Any) -> WireLink:
        link = WireLink(self, config, owner, far)
        self.links.append(link)
        while self.early and link.carry():
            pass
        return link

    # The test

    @property
    def timers(self) -> list[float]:
        """How long until each timer that is set."""
        return sorted(
            timer.when - self.time for _, _, timer in self._timers if timer.callback is not None
        )

    def run(self) -> None:
        """Carry and call until all is silent."""
        for _ in range(10_000):
            busy = False
            while self._posted:
                busy = True
                self._posted.popleft()()
            for link in list(self.links):
                if link.carry():
                    busy = True
            if not busy and not self._posted:
                return
        raise AssertionError("the network does not come to rest")

    def advance(self, seconds: float) -> None:
        """Move the clock, calling every timer at its time."""
        end = self.time + seconds
        self.run()
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            if timer.callback is None:
                continue
            self.time = max(self.time, when)
            callback, timer.callback = timer.callback, None
            callback()
            self.run()
        self.time = end

    def channel(
        self, target: str = "ipv4:1.1.1.1:1", options: Iterable[tuple[str, Any]] = ()
    ) -> ChannelCore:
        return ChannelCore(self, target_of(target), ChannelOptions.read(options))


class Call(ClientCall):
    """A call that keeps what it hears. It times itself, as a front end does."""

    def __init__(
        self, core: ChannelCore, network: Network, start: Start, *, response_streaming: bool
    ) -> None:
        ClientCall.__init__(self, core, start, response_streaming=response_streaming)
        self.events: list[str] = []
        self.timer: Timer | None = None
        if start.deadline is not None:
            self.timer = network.call_later(
                max(start.deadline - network.time, 0), self.deadline_passed
            )

    def opened(self) -> None:
        super().opened()
        self.events.append("opened")

    def head_received(self) -> None:
        self.events.append("head")

    def deadline_set(self) -> None:
        self.events.append("deadline")

    def response_received(self) -> None:
        self.events.append("response")

    def writable(self) -> None:
        self.events.append("writable")

    def finished(self) -> None:
        assert "finished" not in self.events
        self.events.append("finished")
        if self.timer is not None:
            self.timer.cancel()

    def detached(self, attempt: Any) -> None:
        super().detached(attempt)
        self.events.append("detached")

    @property
    def code(self) -> StatusCode:
        assert self.outcome is not None
        return self.outcome.code

    @property
    def details(self) -> str:
        assert self.outcome is not None
        return self.outcome.details


def begin(
    network: Network,
    core: ChannelCore,
    payload: bytes | None = b"request",
    *,
    path: str = PATH,
    response_streaming: bool = False,
    timeout: float | None = None,
    metadata: Any = None,
    wait_for_ready: bool | None = False,
    compression: Any = None,
) -> Call:
    """Begin a call; `payload` None makes it one with a stream of requests."""
    method = Method(path, core.target, core.options, None, None, None)
    start = method.start(network.now(), timeout, metadata, wait_for_ready, compression)
    call = Call(core, network, start, response_streaming=response_streaming)
    call.begin(None if payload is None else call.pack(payload))
    return call


class HandledCall(ServerCall):
    """A server's call that keeps what it hears; the test is its handler."""

    def __init__(self, server: Server, connection: Connection, stream_id: int) -> None:
        ServerCall.__init__(self, server.core, connection, stream_id)
        self.server = server
        self.ran = False
        self.interruptions = 0
        self.late_ends = 0
        self.changes = 0

    def run(self) -> None:
        assert not self.ran
        self.ran = True
        self.server.ran.append(self)

    def inbox_changed(self) -> None:
        self.changes += 1

    def interrupted(self) -> None:
        assert self.interruptions == 0
        self.interruptions += 1

    def ended_late(self) -> None:
        assert self.over
        self.late_ends += 1

    def handler_failed_lookup(self, error: Exception) -> None:
        self.server.failures.append(error)

    def writable(self) -> None: ...


class Server:
    """A server whose handlers are the test.

    Attributes:
        calls: every call that came.
        ran: calls whose handler would run, in order.
        failures: what generic handlers raised.
    """

    def __init__(
        self,
        handlers: Mapping[str, RpcMethodHandler],
        *,
        options: Iterable[tuple[str, Any]] = (),
        max_concurrent: int | None = None,
        compression: Any = None,
        generic: Iterable[Any] = (),
    ) -> None:
        self.core = ServerCore(
            [method_handlers_generic_handler("test.Test", handlers), *generic],
            ServerOptions.read(options),
            max_concurrent,
            compression,
        )
        self.calls: list[HandledCall] = []
        self.ran: list[HandledCall] = []
        self.failures: list[Exception] = []

    def make_call(self, connection: Connection, stream_id: int) -> HandledCall:
        call = HandledCall(self, connection, stream_id)
        self.calls.append(call)
        return call

    def far(self, network: Network) -> Callable[[], ServerFar]:
        """Makes far ends of links to this server."""
        return lambda: ServerFar(self, network.now)


__all__ = [
    "PATH",
    "Call",
    "CalledStream",
    "ClientSide",
    "HandledCall",
    "Heads",
    "Network",
    "RawFar",
    "ServedStream",
    "Server",
    "ServerFar",
    "ServerSide",
    "Timer",
    "WireLink",
    "begin",
    "message",
    "request_fields",
]
