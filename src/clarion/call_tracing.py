"""Call tracers: objects that hear what happens to each call, for metrics, traces and logs of calls.

A program gives channels and servers a *tracing* (`ClientTracing`, `ServerTracing`): by a channel argument, or for the
whole process by `install`. It is asked for a tracer for each call, and for each attempt of a call, which then hear of
what happens (gRFCs A66 and A72 describe the same for other implementations).

Rules it keeps:

- Without a tracing nothing here is paid for: channels and servers choose classes of calls that know of tracers when
  they are made.
- Tracers hear in the order in which it happens, never two things of one attempt at a time; but from any thread, and
  often with a connection's lock held. So they must not block, nor use the call.
- A tracer that raises is logged, once for each kind, and hears no more of that call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from clarion.protocol.outcome import Metadata, Outcome
from clarion.status import StatusCode

__all__ = [
    "CLIENT_TRACING",
    "SERVER_TRACING",
    "AttemptStart",
    "AttemptTracer",
    "CallTracer",
    "ClientMeasure",
    "ClientMethodTracing",
    "ClientTracing",
    "Installed",
    "MethodMeasure",
    "PolicyMetrics",
    "ServerCallStart",
    "ServerCallTracer",
    "ServerMeasure",
    "ServerTracing",
    "Stream",
    "client_tracing",
    "client_tracings",
    "failed",
    "install",
    "policy_metrics",
    "server_tracing",
    "server_tracings",
]

_LOG = logging.getLogger(__name__)

CLIENT_TRACING = "clarion.call_tracing"
"""The channel argument whose value is a `ClientTracing` of the channel's calls."""

SERVER_TRACING = "clarion.server_call_tracing"
"""The argument of servers whose value is a `ServerTracing` of their calls."""

Fields = tuple[tuple[bytes, bytes], ...]


class Stream(Protocol):
    """Where a message came from."""

    def unpack(self, message: bytes) -> bytes:
        """The message itself: what came, decompressed if need be.

        Raises:
            UnpackFailed: it is damaged or too large.
        """


# The client's side


class AttemptStart(NamedTuple):
    """What is known of an attempt when it goes onto a stream.

    Attributes:
        previous_attempts: how many there were that a server may have acted on; what `grpc-previous-rpc-attempts` says.
        transparent: it stands for one that certainly no server acted on (gRFC A6, "transparent retries").
        hedged: it is one of several that may be in progress at the same time.
        peer: the server's address, such as `ipv4:127.0.0.1:50051`.
        delayed_pick: it had to wait for a connection after the name was resolved.
        fields: its header fields, without those that tracers add, `grpc-timeout` and load-balancing metadata.
        timeout: seconds that it may take, or None.
    """

    previous_attempts: int
    transparent: bool
    hedged: bool
    peer: str
    delayed_pick: bool
    fields: Fields
    timeout: float | None


class AttemptTracer:
    """Hears what happens to one attempt of a call. All methods may be left as they are.

    Attributes:
        fields: header fields that the attempt sends for the tracer; read once, when the attempt starts.
    """

    __slots__ = ()

    fields: Fields = ()

    def headers_sent(self) -> None:
        """The request headers were handed to the connection."""

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        """A request was handed to the connection.

        Args:
            payload: the serialized message.
            wire: as it is sent, without gRPC's prefix of 5 bytes; it is `payload` itself, unless compressed.
        """

    def half_closed(self) -> None:
        """No more requests follow."""

    def headers_received(self, metadata: Metadata) -> None:
        """Initial metadata came. Not heard for a Trailers-Only response."""

    def message_received(self, wire: bytes, stream: Stream) -> None:
        """A whole response came.

        Args:
            wire: as it came, without the prefix.
            stream: gives the message itself, by `unpack(wire)`.
        """

    def ended(self, outcome: Outcome, *, by_server: bool, trailers_only: bool, here: bool) -> None:
        """The attempt is over.

        Args:
            outcome: how.
            by_server: the status came from the server, in trailers.
            trailers_only: and these were its only headers.
            here: this side gave it up: cancelled, out of time, or another attempt was faster.
        """


class CallTracer:
    """Hears what happens to one call of a client. All methods may be left as they are."""

    __slots__ = ()

    @property
    def marks(self) -> tuple[tuple[float, str], ...]:
        """What an error of the call should tell about it (`RpcError.timeline`): when, in seconds since 1970, and what."""
        return ()

    def name_resolved(self) -> None:
        """The call had to wait for the name to be resolved, and that is done now."""

    def attempt(self, start: AttemptStart) -> AttemptTracer | None:
        """An attempt begins. Returns who hears what becomes of it, or None."""
        return None

    def never_placed(self, outcome: Outcome, *, hedged: bool) -> None:
        """An attempt is over that never got a connection, though the name was resolved; `attempt` was not asked for it.

        Args:
            outcome: how.
            hedged: see `AttemptStart`.
        """

    def retry_in(self, delay: float) -> None:
        """There will be another attempt in `delay` seconds."""

    def ended(self, outcome: Outcome) -> None:
        """The call is over."""


class ClientMethodTracing(Protocol):
    """Makes the tracers of one method's calls."""

    def __call__(self, deadline: float | None, metadata: Fields) -> CallTracer | None:
        """A call begins: on the thread and in the context (`contextvars`) of who makes it, before its request is serialized.

        Args:
            deadline: when it must be over, on the monotonic clock, or None.
            metadata: all of its header fields.

        Returns:
            Who hears what becomes of it, or None.
        """


class ClientMeasure:
    """Measures the calls of one method, at a fraction of what a tracer costs.

    Where `ClientTracing.method` returns one, and nobody else traces the channel's calls, it hears what the methods below say.
    Otherwise it is called, as any `ClientMethodTracing`, for tracers that measure the same. It must not raise.

    Attributes:
        now: its clock, in seconds.
        attempt_started: an attempt went onto a stream; or it is over, and never got a connection.
    """

    now: Callable[[], float]
    attempt_started: Callable[[], object]

    def __call__(self, deadline: float | None, metadata: Fields) -> CallTracer | None:
        """See `ClientMethodTracing`."""
        raise NotImplementedError

    def ended_with_attempt(
        self, code: StatusCode, attempt_took: float, sent: int, received: int, took: float
    ) -> None:
        """A call is over, and its last attempt, too: `attempt_ended` and `ended` in one."""
        raise NotImplementedError

    def attempt_ended(self, code: StatusCode, took: float, sent: int, received: int) -> None:
        """An attempt is over, with messages of so many bytes as they were on the wire, without their prefixes."""
        raise NotImplementedError

    def ended(self, code: StatusCode, took: float, never_tried: bool) -> None:
        """A call is over; if `never_tried`, it never was on a stream."""
        raise NotImplementedError


PolicyMetrics = Callable[[Any, float, Mapping[str, str]], object]
"""Records what load-balancing policies tell of themselves: a `PolicyMetric`, a value, labels."""


class _Argument:
    """Something that can be the value of a channel argument: these have to be numbers or texts."""

    __slots__ = ()

    def __int__(self) -> int:
        return id(self)


class ClientTracing(_Argument):
    """Says which calls of a channel are traced, and how."""

    def method(self, target: str, method: str, registered: bool) -> ClientMethodTracing | None:
        """Who makes the tracers of a method's calls on one channel; asked once for each callable.

        Args:
            target: the channel's target in its canonical form, such as `dns:///localhost:50051`.
            method: `/package.Service/Method`.
            registered: generated code named it, so that there are only so many of them.

        Returns:
            None if its calls are not traced.
        """
        raise NotImplementedError

    def policy_metrics(self, target: str) -> PolicyMetrics | None:
        """Who records what the load-balancing policies of a channel tell of themselves (gRFC A79).

        Args:
            target: the channel's, in its canonical form.

        Returns:
            None if nobody does. What is returned is called from any thread, often with a lock held, and must not block.
        """
        return None


# The server's side


class ServerCallStart(NamedTuple):
    """What is known of a call when its headers came.

    Attributes:
        method: `/package.Service/Method`.
        registered: the server's tables have it; else a rule of the application may serve it, or nothing does.
        peer: the client's address.
        authority: the name that the client called.
        metadata: the client's.
        timeout: seconds that the client gives the call, or None.
        fields: all header fields as they came.
    """

    method: str
    registered: bool
    peer: str
    authority: str
    metadata: Metadata
    timeout: float | None
    fields: Fields = ()


class ServerCallTracer:
    """Hears what happens to one call of a server. All methods may be left as they are."""

    __slots__ = ()

    def handler_starts(self) -> None:
        """The handler, or the first interceptor, is about to run: on its thread or in its task.

        Context variables (`contextvars`) that are set here are the handler's.
        """

    def message_received(self, wire: bytes, stream: Stream) -> None:
        """A whole request came; see `AttemptTracer`."""

    def half_closed(self) -> None:
        """No more requests follow."""

    def headers_sent(self, fields: Fields) -> None:
        """Initial metadata was handed to the connection. `fields` is the application's, as it is sent."""

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        """A response was handed to the connection; see `AttemptTracer`."""

    def ended(
        self, code: StatusCode, details: str, fields: Fields, *, sent: bool, trailers_only: bool
    ) -> None:
        """The call is over.

        Args:
            code, details: the status.
            fields: trailing metadata, as it is sent.
            sent: it was handed to the connection. Otherwise the call was cut off, and `code` says by what: CANCELLED
                by the client, DEADLINE_EXCEEDED, or UNAVAILABLE where the connection was lost.
            trailers_only: without initial metadata before.
        """


class ServerTracing(_Argument):
    """Says which calls of a server are traced, and how."""

    def call(self, start: ServerCallStart) -> ServerCallTracer | None:
        """A call begins. Returns who hears what becomes of it, or None."""
        raise NotImplementedError


class MethodMeasure:
    """Measures the calls to one method of a server. It must not raise.

    Attributes:
        now: its clock, in seconds.
        started: a call's headers came.
    """

    now: Callable[[], float]
    started: Callable[[], object]

    def ended(self, code: StatusCode, took: float, sent: int, received: int) -> None:
        """A call is over, with messages of so many bytes as they were on the wire, without their prefixes."""
        raise NotImplementedError


class ServerMeasure(ServerTracing):
    """Measures the calls of a server, at a fraction of what a tracer costs; see `ClientMeasure`.

    Attributes:
        known: what measures methods that calls came for before, by path.
    """

    known: dict[str, MethodMeasure]

    def method(self, path: str, registered: bool) -> MethodMeasure:
        """What measures the calls of a method; may add it to `known`."""
        raise NotImplementedError


# For the whole process

_client_tracings: tuple[ClientTracing, ...] = ()
_server_tracings: tuple[ServerTracing, ...] = ()


class Installed:
    """What `install` did, to be undone by `remove`, or at the end of a `with` block."""

    def __init__(self, client: ClientTracing | None, server: ServerTracing | None) -> None:
        self._client = client
        self._server = server

    def remove(self) -> None:
        """Channels and servers that are made from now on have no more of it. Those that there are keep it."""
        global _client_tracings, _server_tracings
        _client_tracings = tuple(each for each in _client_tracings if each is not self._client)
        _server_tracings = tuple(each for each in _server_tracings if each is not self._server)

    def __enter__(self) -> Installed:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.remove()


def install(client: ClientTracing | None = None, server: ServerTracing | None = None) -> Installed:
    """Trace the calls of all channels and servers that are made from now on.

    Args:
        client: what traces channels' calls, or None.
        server: what traces servers' calls, or None.
    """
    global _client_tracings, _server_tracings
    if client is not None:
        _client_tracings += (client,)
    if server is not None:
        _server_tracings += (server,)
    return Installed(client, server)


def client_tracing(*given: Any) -> ClientTracing | None:
    """What traces the calls of a channel that is being made; None where nothing does.

    Args:
        given: the value of `CLIENT_TRACING` among its arguments, and more of that kind; others count as None.
    """
    tracings = _client_tracings
    for each in given:
        if isinstance(each, ClientTracing) and each not in tracings:
            tracings += (each,)
    return client_tracings(tracings)


def policy_metrics(tracing: ClientTracing | None, target: str) -> PolicyMetrics | None:
    """Who records what the policies of a channel tell, and never raises; see `ClientTracing.policy_metrics`."""
    found = [] if tracing is None else _ask([tracing], lambda each: each.policy_metrics(target))
    if not found:
        return None

    def record(metric: Any, value: float, labels: Mapping[str, str]) -> None:
        _ask(found, lambda each: each(metric, value, labels))

    return record


def server_tracing(given: Any) -> ServerTracing | None:
    """What traces the calls of a server that is being made; see `client_tracing`."""
    tracings = _server_tracings
    if isinstance(given, ServerTracing) and given not in tracings:
        tracings += (given,)
    return server_tracings(tracings)


def client_tracings(several: Iterable[ClientTracing]) -> ClientTracing | None:
    """One tracing that stands for several; None for none. What is there twice counts once."""
    tracings = tuple(dict.fromkeys(several))
    if len(tracings) < 2:
        return tracings[0] if tracings else None
    return _SeveralClientTracings(tracings)


def server_tracings(several: Iterable[ServerTracing]) -> ServerTracing | None:
    """One tracing that stands for several; None for none. What is there twice counts once."""
    tracings = tuple(dict.fromkeys(several))
    if len(tracings) < 2:
        return tracings[0] if tracings else None
    return _SeveralServerTracings(tracings)


_told_of: set[tuple[str, str]] = set()


def failed(tracer: object, error: Exception) -> None:
    """A tracer raised: say so once for each kind of tracer and error."""
    kind = (type(tracer).__qualname__, type(error).__qualname__)
    if kind not in _told_of:
        _told_of.add(kind)
        _LOG.error(
            "the call tracer %r raised; it hears no more of the call, and this is not said again",
            tracer,
            exc_info=error,
        )


# Several at a time


class _Several:
    """Tells several tracers, each of which may fail."""

    __slots__ = ("_tracers",)

    def __init__(self, tracers: list[Any]) -> None:
        self._tracers = tracers

    def _tell(self, event: str, *values: Any, **named: Any) -> None:
        for tracer in list(self._tracers):
            try:
                getattr(tracer, event)(*values, **named)
            except Exception as error:
                failed(tracer, error)
                self._tracers.remove(tracer)


def _ask(askers: Iterable[Any], ask: Callable[[Any], Any]) -> list[Any]:
    answers = []
    for asker in askers:
        try:
            answer = ask(asker)
        except Exception as error:
            failed(asker, error)
        else:
            if answer is not None:
                answers.append(answer)
    return answers


class _SeveralClientTracings(ClientTracing):
    def __init__(self, tracings: tuple[ClientTracing, ...]) -> None:
        self._tracings = tracings

    def method(self, target: str, method: str, registered: bool) -> ClientMethodTracing | None:
        methods = _ask(self._tracings, lambda each: each.method(target, method, registered))
        if len(methods) < 2:
            return methods[0] if methods else None

        def begin(deadline: float | None, metadata: Fields) -> CallTracer | None:
            tracers = _ask(methods, lambda each: each(deadline, metadata))
            return _SeveralCallTracers(tracers) if tracers else None

        return begin

    def policy_metrics(self, target: str) -> PolicyMetrics | None:
        several = _ask(self._tracings, lambda each: each.policy_metrics(target))

        def record(metric: Any, value: float, labels: Mapping[str, str]) -> None:
            _ask(several, lambda each: each(metric, value, labels))

        return record if several else None


class _SeveralCallTracers(_Several, CallTracer):
    __slots__ = ()

    @property
    def marks(self) -> tuple[tuple[float, str], ...]:
        """Those of one of them: the others saw the same."""
        return max((tracer.marks for tracer in self._tracers), key=len, default=())

    def name_resolved(self) -> None:
        self._tell("name_resolved")

    def attempt(self, start: AttemptStart) -> AttemptTracer | None:
        tracers = _ask(self._tracers, lambda each: each.attempt(start))
        return _SeveralAttemptTracers(tracers) if tracers else None

    def never_placed(self, outcome: Outcome, *, hedged: bool) -> None:
        self._tell("never_placed", outcome, hedged=hedged)

    def retry_in(self, delay: float) -> None:
        self._tell("retry_in", delay)

    def ended(self, outcome: Outcome) -> None:
        self._tell("ended", outcome)


class _SeveralAttemptTracers(_Several, AttemptTracer):
    __slots__ = ("fields",)

    def __init__(self, tracers: list[Any]) -> None:
        _Several.__init__(self, tracers)
        self.fields = tuple(field for tracer in tracers for field in tracer.fields)

    def headers_sent(self) -> None:
        self._tell("headers_sent")

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        self._tell("message_sent", payload, wire)

    def half_closed(self) -> None:
        self._tell("half_closed")

    def headers_received(self, metadata: Metadata) -> None:
        self._tell("headers_received", metadata)

    def message_received(self, wire: bytes, stream: Stream) -> None:
        self._tell("message_received", wire, stream)

    def ended(self, outcome: Outcome, *, by_server: bool, trailers_only: bool, here: bool) -> None:
        self._tell("ended", outcome, by_server=by_server, trailers_only=trailers_only, here=here)


class _SeveralServerTracings(ServerTracing):
    def __init__(self, tracings: tuple[ServerTracing, ...]) -> None:
        self._tracings = tracings

    def call(self, start: ServerCallStart) -> ServerCallTracer | None:
        tracers = _ask(self._tracings, lambda each: each.call(start))
        return _SeveralServerCallTracers(tracers) if tracers else None


class _SeveralServerCallTracers(_Several, ServerCallTracer):
    __slots__ = ()

    def handler_starts(self) -> None:
        self._tell("handler_starts")

    def message_received(self, wire: bytes, stream: Stream) -> None:
        self._tell("message_received", wire, stream)

    def half_closed(self) -> None:
        self._tell("half_closed")

    def headers_sent(self, fields: Fields) -> None:
        self._tell("headers_sent", fields)

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        self._tell("message_sent", payload, wire)

    def ended(
        self, code: StatusCode, details: str, fields: Fields, *, sent: bool, trailers_only: bool
    ) -> None:
        self._tell("ended", code, details, fields, sent=sent, trailers_only=trailers_only)
