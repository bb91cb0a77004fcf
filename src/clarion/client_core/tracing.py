"""Calls that tell a tracer what happens to them (`clarion.call_tracing`).

A channel whose calls are traced makes them of classes that begin with `TracedCall`; all others know nothing of it.
What a tracer hears of an attempt it hears with the lock of the attempt's link.
"""

from __future__ import annotations

from clarion.call_tracing import (
    AttemptStart,
    AttemptTracer,
    CallTracer,
    ClientMethodTracing,
    failed,
)
from clarion.client_core.call import Attempt, ClientCall, HedgedAttempt
from clarion.client_core.call_history import with_history
from clarion.client_core.hedging import Try
from clarion.client_core.runtime import Link
from clarion.hpack import HeaderList
from clarion.http2 import Abort
from clarion.load_balancing.pick import Picked
from clarion.protocol.outcome import Metadata, Outcome
from clarion.status import StatusCode

__all__ = ["TracedCall"]

# They hear for whom nobody listens.
_NO_CALL = CallTracer()
_NO_ATTEMPT = AttemptTracer()

# Enumerations look their members up anew each time.
_OK = StatusCode.OK

# What a call waits for.
_NOTHING, _NAME, _CONNECTION = range(3)


class _Packed(tuple[bytes, bytes]):  # noqa: SLOT001 - tuples cannot have any
    """A compressed message as it goes on the wire, which remembers what it was before."""

    payload: bytes


def _payload(message: tuple[bytes, bytes]) -> bytes:
    return message.payload if type(message) is _Packed else message[1]


class _Traced(Attempt):
    """What the kinds of attempts share.

    Attributes:
        tracer: who hears of the attempt.
    """

    tracer: AttemptTracer = _NO_ATTEMPT
    _by_server = False
    _headed = False
    _aborted = False
    _half_close_told = False

    def drop_tracer(self, error: Exception) -> None:
        """Its tracer raised."""
        tracer, self.tracer = self.tracer, _NO_ATTEMPT
        failed(tracer, error)

    def tell_sent(self, message: tuple[bytes, bytes]) -> None:
        """A request is being sent."""
        try:
            self.tracer.message_sent(_payload(message), message[1])
        except Exception as error:
            self.drop_tracer(error)

    def tell_half_closed(self) -> None:
        """No more requests follow."""
        if self._half_close_told:
            return
        self._half_close_told = True
        try:
            self.tracer.half_closed()
        except Exception as error:
            self.drop_tracer(error)

    def tell_opened(self, message: tuple[bytes, bytes] | None) -> None:
        """The headers are sent, with the one request of a method that has one."""
        try:
            tracer = self.tracer
            tracer.headers_sent()
            if message is not None:
                wire = message[1]
                tracer.message_sent(wire if type(message) is tuple else _payload(message), wire)
                self._half_close_told = True
                tracer.half_closed()
        except Exception as error:
            self.drop_tracer(error)

    def headers_received(self, headers: HeaderList, end_stream: bool) -> None:
        self._by_server = end_stream
        Attempt.headers_received(self, headers, end_stream)

    def aborted(self, reason: Abort) -> None:
        self._by_server = False
        self._aborted = True
        Attempt.aborted(self, reason)

    def initial_metadata_received(self, metadata: Metadata) -> None:
        self._headed = True
        try:
            self.tracer.headers_received(metadata)
        except Exception as error:
            self.drop_tracer(error)
        super().initial_metadata_received(metadata)

    def message_received(self, message: bytes) -> None:
        try:
            self.tracer.message_received(message, self)
        except Exception as error:
            self.drop_tracer(error)
        super().message_received(message)

    def tell_ended(self, outcome: Outcome) -> None:
        """The attempt is over."""
        by_server = self._by_server
        try:
            self.tracer.ended(
                outcome,
                by_server=by_server,
                trailers_only=by_server and not self._headed,
                here=not (by_server or self._aborted),
            )
        except Exception as error:
            self.drop_tracer(error)


class _TracedAttempt(_Traced):
    """One try of a call, whether or not its picker wants to hear of its end."""

    def __init__(self, call: ClientCall, link: Link, picked: Picked | None) -> None:
        Attempt.__init__(self, call, link)
        self._picked = picked

    def ended(self, outcome: Outcome) -> None:
        self.tell_ended(outcome)
        picked = self._picked
        if picked is not None:
            self.call.core.attempt_done(picked, outcome)
        Attempt.ended(self, outcome)


class _TracedHedgedAttempt(_Traced, HedgedAttempt):
    """One of several tries of a call."""

    def send_request(self, message: tuple[bytes, bytes]) -> None:
        self.tell_sent(message)
        HedgedAttempt.send_request(self, message)

    def send_end(self) -> None:
        self.tell_half_closed()
        HedgedAttempt.send_end(self)

    def ended(self, outcome: Outcome) -> None:
        self.tell_ended(outcome)
        HedgedAttempt.ended(self, outcome)


class TracedCall(ClientCall):
    """A call that is traced; a front end's class of calls follows among the bases.

    Attributes:
        tracer: who hears of the call.
    """

    # So that `_configured_attempt` is asked for every attempt.
    configured = True
    tracer: CallTracer = _NO_CALL
    _awaited = _NOTHING
    # An attempt has begun, and waits for a connection.
    _placing = False
    _attempts_before = -1

    def begin_tracing(self, tracing: ClientMethodTracing) -> None:
        """The call is made."""
        try:
            self.tracer = tracing(self.start.deadline, self.start.fields) or _NO_CALL
        except Exception as error:
            failed(tracing, error)

    def _drop_tracer(self, error: Exception) -> None:
        tracer, self.tracer = self.tracer, _NO_CALL
        failed(tracer, error)

    def _trace(self, attempt: _Traced, before: int, delayed: bool, transparent: bool) -> None:
        start, link = self.start, attempt.link
        self._placing = False
        timeout = None
        if start.deadline is not None:
            timeout = start.deadline - link.connection.now()
        hedged = isinstance(attempt, HedgedAttempt)
        peer = link.peer_name()
        begun = AttemptStart(before, transparent, hedged, peer, delayed, start.fields, timeout)
        try:
            attempt.tracer = self.tracer.attempt(begun) or _NO_ATTEMPT
        except Exception as error:
            self._drop_tracer(error)

    def _picked_after_delay(self) -> bool:
        """Whether the attempt that begins had to wait for a connection."""
        awaited, self._awaited = self._awaited, _NOTHING
        if awaited == _NAME:
            self._tell_resolved()
        return awaited == _CONNECTION

    def _tell_resolved(self) -> None:
        try:
            self.tracer.name_resolved()
        except Exception as error:
            self._drop_tracer(error)

    # What `ClientCall` does

    def delayed(self, *, resolved: bool) -> None:
        self.note_delay()
        if not resolved:
            self._awaited = _NAME
            return
        if self._awaited == _NAME:
            self._tell_resolved()
        self._awaited = _CONNECTION
        self._placing = True

    def link_failed(self, outcome: Outcome) -> None:
        if self.outcome is None and self.hedging is None and self.core.name_known:
            self._tell_never_placed(outcome, hedged=False)
        super().link_failed(outcome)

    def failed(self, attempt: Attempt | None, outcome: Outcome) -> None:
        if attempt is None and self.hedging is not None and self.core.name_known:
            self._tell_never_placed(outcome, hedged=True)
        super().failed(attempt, outcome)

    def hedging_failed(self, attempt: Attempt | None, outcome: Outcome) -> None:
        if attempt is None and self.outcome is None and self.core.name_known:
            self._tell_never_placed(outcome, hedged=True)
        super().hedging_failed(attempt, outcome)

    def _tell_never_placed(self, outcome: Outcome, *, hedged: bool) -> None:
        self._placing = False
        try:
            self.tracer.never_placed(outcome, hedged=hedged)
        except Exception as error:
            self._drop_tracer(error)

    def pack(self, payload: bytes) -> tuple[bytes, bytes]:
        if self.start.compressor is None:
            return len(payload).to_bytes(5, "big"), payload
        packed = ClientCall.pack(self, payload)
        if packed[1] is payload:
            return packed
        known = _Packed(packed)
        known.payload = payload
        return known

    def _configured_attempt(self, link: Link) -> tuple[bytes, Attempt]:
        picked, self.picked = self.picked, None
        attempt = _TracedAttempt(self, link, picked)
        if self._max_receive is not None:
            attempt.max_receive = self._max_receive
        fields, retry = self.start.fields, self._retry
        before = 0
        if retry is not None:
            before = retry.failures
            fields += retry.fields
        transparent = before == self._attempts_before
        self._attempts_before = before
        delayed = self._awaited != _NOTHING and self._picked_after_delay()
        self._trace(attempt, before, delayed, transparent)
        fields += attempt.tracer.fields
        if picked is not None:
            fields += picked.metadata
        return link.connection.encoder.encode(fields), attempt

    def opened(self) -> None:
        attempt = self.attempt
        if type(attempt) is _TracedAttempt:
            attempt.tell_opened(self.message)
            if self.message is None:
                for message in self._retry.kept if self._retry is not None else ():
                    attempt.tell_sent(message)
                if self._half_closed:
                    attempt.tell_half_closed()
        super().opened()

    def _hedged_attempt(self, link: Link, this: Try, picked: Picked | None) -> HedgedAttempt:
        attempt = _TracedHedgedAttempt(self, link, this, picked)
        self._trace(attempt, this.number, self._picked_after_delay(), not this.again)
        attempt.extra_fields = attempt.tracer.fields
        return attempt

    def try_opened(self, attempt: Attempt) -> None:
        if isinstance(attempt, _Traced):
            attempt.tell_opened(self.message)
        super().try_opened(attempt)

    def send_now(self, message: tuple[bytes, bytes]) -> bool:
        attempt, limit = self.attempt, self._max_request
        if (
            isinstance(attempt, _Traced)
            and self.outcome is None
            and (limit is None or len(message[1]) <= limit)
        ):
            attempt.tell_sent(message)
        return ClientCall.send(self, message)

    def half_close_now(self) -> bool:
        attempt = self.attempt
        if isinstance(attempt, _Traced) and self.outcome is None:
            attempt.tell_half_closed()
        return ClientCall.half_close(self)

    def _retry_in(self, delay: float) -> None:
        try:
            self.tracer.retry_in(delay)
        except Exception as error:
            self._drop_tracer(error)
        super()._retry_in(delay)

    def tell_ended(self) -> None:
        """`outcome` is there."""
        if self._placing and self.outcome is not None:
            self._tell_never_placed(self.outcome, hedged=self.hedging is not None)
        # Once: nothing is heard after it.
        tracer, self.tracer = self.tracer, _NO_CALL
        assert self.outcome is not None
        try:
            if self.outcome.code is not _OK and tracer.marks:
                self.outcome = with_history(self, self.outcome, tracer.marks)
            tracer.ended(self.outcome)
        except Exception as error:
            failed(tracer, error)

    def finished(self) -> None:
        self.tell_ended()
        super().finished()
