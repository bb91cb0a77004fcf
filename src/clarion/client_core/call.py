"""A call from the client's side, without threads or tasks.

`ClientCall` is what the application holds; `Attempt` is one try of it on one stream. They are apart so that a
call can outlive a try: a request that the server certainly did not act on (RFC 9113 §8.7: above GOAWAY's last
stream, or refused) is tried once more without anybody noticing ("transparent retry", gRFC A6).
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from clarion.client_core.call_history import with_history
from clarion.client_core.channel import ChannelCore, Pending
from clarion.client_core.hedging import Hedging, Try
from clarion.client_core.retry import Retry
from clarion.client_core.runtime import Link
from clarion.client_core.selector import Plan, Selector
from clarion.hpack import encode_literal
from clarion.load_balancing.pick import Pick, Picked
from clarion.propagation import Family
from clarion.protocol.client_stream import ClientStream
from clarion.protocol.compression import Compressor
from clarion.protocol.framing import prefix
from clarion.protocol.messages import Uncompressed
from clarion.protocol.outcome import Metadata, Outcome
from clarion.protocol.timeout import encode_timeout
from clarion.rpc_error import FailedAttempt
from clarion.service_config import MethodConfig
from clarion.settled_attributes import SettledAttributes
from clarion.status import StatusCode

__all__ = ["PARENT_CUT_OFF", "Attempt", "ClientCall", "Start"]

Fields = tuple[tuple[bytes, bytes], ...]

PARENT_CUT_OFF = Outcome(
    StatusCode.CANCELLED,
    "the call that this one was made for was cut off",
    debug="the handler's call was cancelled, out of time or lost its connection; "
    "clarion.detached() makes calls that go on",
)
"""How calls end that were made for another (`clarion.propagation`)."""

# Enumerations look their members up anew each time.
_OK = StatusCode.OK

_TIMEOUT_NAME = encode_literal(b"grpc-timeout", b"")[:-1]


class Start(NamedTuple):
    """What a call begins with.

    Attributes:
        fields: request headers, without the timeout.
        deadline: when the call must be over, on the connection's clock, or None.
        wait_for_ready: wait through failures to connect; None if the application does not say.
        compressor: how requests are compressed; None for identity.
        size: of `fields`, as header list sizes count.
    """

    fields: Fields
    deadline: float | None
    wait_for_ready: bool | None
    compressor: Compressor | None
    size: int = 0


class Attempt(ClientStream):
    """One try of a call."""

    def __init__(self, call: ClientCall, link: Link) -> None:
        # The constructors of all layers in one: this is on the path of every call.
        options = call.core.options
        connection = link.connection
        self.connection = connection
        self.stream_id = 0
        self.send_window = connection.peer_initial_window
        self.recv_window = connection.recv_stream_window
        self.max_receive = options.max_receive
        self._max_metadata = options.max_metadata
        self.call = call
        self.link = link

    def initial_metadata_received(self, metadata: Metadata) -> None:
        self.call.head_metadata = metadata
        self.call.head_received()

    def message_received(self, message: bytes) -> None:
        call = self.call
        if call.response_streaming:
            self.put(message)
            call.response_received()
        elif call.response is None:
            call.response = message
        else:
            self.end(
                Outcome(
                    StatusCode.UNIMPLEMENTED,
                    "the server sent more than one response; the method has one",
                )
            )

    def ended(self, outcome: Outcome) -> None:
        self.call.attempt_ended(self, outcome)

    def writable(self) -> None:
        self.call.writable()


class PickedAttempt(Attempt):
    """A try whose picker wants to hear of its end."""

    def __init__(self, call: ClientCall, link: Link, picked: Picked) -> None:
        Attempt.__init__(self, call, link)
        self._picked = picked

    def ended(self, outcome: Outcome) -> None:
        self.call.core.attempt_done(self._picked, outcome)
        Attempt.ended(self, outcome)


class HedgedAttempt(Attempt):
    """A try among others, one of which will be the call's.

    Attributes:
        extra_fields: further request headers that it sends.
    """

    extra_fields: Fields = ()

    def __init__(self, call: ClientCall, link: Link, this: Try, picked: Picked | None) -> None:
        Attempt.__init__(self, call, link)
        self._try = this
        self._picked = picked

    def initial_metadata_received(self, metadata: Metadata) -> None:
        if self.call.attempt is self or self._try.head_received():
            Attempt.initial_metadata_received(self, metadata)

    def message_received(self, message: bytes) -> None:
        if self.call.attempt is self:
            Attempt.message_received(self, message)

    def writable(self) -> None:
        if self.call.attempt is self:
            Attempt.writable(self)

    def send_request(self, message: tuple[bytes, bytes]) -> None:
        """Send a request of a stream of them."""
        self.connection.send_message(self, *message)

    def send_end(self) -> None:
        """No more requests follow."""
        self.connection.send_end(self)

    def ended(self, outcome: Outcome) -> None:
        call, picked = self.call, self._picked
        if picked is not None:
            call.core.attempt_done(picked, outcome)
        call.try_over(self)
        if call.attempt is self:
            if call.outcome is None:
                self._try.won_ended(outcome)
            Attempt.ended(self, outcome)
        else:
            self._try.ended(outcome)
            if call.attempt is not self and outcome.code is not _OK:
                self.connection.calls_failed += 1


class ClientCall(SettledAttributes):
    """One call.

    Args:
        core: the channel.
        start: what the call begins with.
        response_streaming: whether the method has a stream of responses.

    Attributes:
        attempt: the try in progress, or the last one.
        head_metadata: the metadata before the response, once it came.
        response: the response of a method that has one, as it came.
        outcome: how the call ended, once it did.
        message: the one request, of a method that has one.
        parent: the call that is served where this one was made, if this one ends with it.
        plan: the method, and what the service config says of it, once that was applied to the call.
        configured: the service config or the picker has a say in the call's attempts.
        answer: why the picker gave it no connection just now, and who asked.
        picked: what the picker said of the next attempt, if it wants more than a connection.
        crowded: the connection that had no free stream for it, if there was one.
        delayed_at: when the call first had to wait for a connection, on the runtime's clock.
        hedging: the tries, if the call is hedged and none of them is its attempt yet.
    """

    only_asks = False

    # What most calls never change stays on the class: making a call is its most frequent act.
    attempt: Attempt | None = None
    head_metadata: Metadata | None = None
    response: bytes | None = None
    outcome: Outcome | None = None
    parent: Family | None = None
    configured = False
    answer: tuple[Selector, Pick] | None = None
    picked: Picked | None = None
    crowded: Link | None = None
    hedging: Hedging | None = None
    delayed_at: float | None = None
    _retry: Retry | None = None
    _failed: tuple[FailedAttempt, ...] = ()
    _max_receive: int | None = None
    _max_request: int | None = None
    message: tuple[bytes, bytes] | None = None
    _half_closed = False
    _sent_messages = False
    _retried = False
    _committed = False

    _set_later: ClassVar[tuple[str, ...]] = (
        "attempt",
        "message",
        "_half_closed",
        "head_metadata",
        "response",
        "outcome",
    )

    def __init__(self, core: ChannelCore, start: Start, *, response_streaming: bool) -> None:
        self.core = core
        core.calls += 1
        self.start = start
        self.wait_for_ready = bool(start.wait_for_ready)
        self.response_streaming = response_streaming
        # Here all the same: instances of which only some have an attribute are slow ones.
        self.plan: Plan | None = None

    # What the front end hears

    def opened(self) -> None:
        """The call is on a stream; requests can be sent."""

    def head_received(self) -> None:
        """`head_metadata` is there."""
        raise NotImplementedError

    def response_received(self) -> None:
        """A response was added to the attempt's inbox."""
        raise NotImplementedError

    def writable(self) -> None:
        """Flow control has taken what was sent."""
        raise NotImplementedError

    def finished(self) -> None:
        """`outcome` is there."""
        raise NotImplementedError

    def detached(self, attempt: Attempt) -> None:
        """`attempt`, still the call's, came to nothing; there will be another."""

    def try_opened(self, attempt: Attempt) -> None:
        """A hedged call has another try, which nobody waits for in particular."""

    def try_over(self, attempt: Attempt) -> None:
        """That try ended, or is the call's attempt now."""

    def delayed(self, *, resolved: bool) -> None:
        """The call has to wait for a connection; or for the name, if that is not `resolved` yet."""
        self.note_delay()

    def note_delay(self) -> None:
        """Note when the call first had to wait, for its timeline."""
        if self.delayed_at is None:
            self.delayed_at = self.core.runtime.now()

    def deadline_set(self) -> None:
        """The service config gave the call a deadline, or one that is sooner."""
        raise NotImplementedError

    # What the front end does

    def pack(self, payload: bytes) -> tuple[bytes, bytes]:
        """A request as it goes on the wire: the prefix, and the payload, compressed if so agreed."""
        compressor = self.start.compressor
        if compressor is None or type(payload) is Uncompressed:
            return len(payload).to_bytes(5, "big"), payload
        payload = compressor.compress(payload)
        return prefix(len(payload), True), payload

    def begin(self, message: tuple[bytes, bytes] | None) -> None:
        """Start the call; with its one request, if the method has one."""
        self.message = message
        self._half_closed = message is not None
        core = self.core
        link = core.link or core.find_link(self)
        if link is None:
            core.wait(self)
        else:
            self.link_available(link)

    def send(self, message: tuple[bytes, bytes]) -> bool:
        """Send a request of a stream of requests.

        Returns:
            False if the call is not on a stream now (see `opened`) and the message is still to be sent.
        """
        if self.outcome is not None or self._refuse(message):
            return True
        attempt = self.attempt
        if attempt is None:
            return self._offer(message)
        self._sent_messages = True
        retry = self._retry
        if retry is not None:
            if self.head_metadata is not None:
                # It will not be sent again.
                retry.kept.clear()
            elif not retry.keep(message):
                self.commit()
        attempt.connection.send_message(attempt, *message)
        attempt.link.flush_soon()
        return True

    # By this name front ends that have a `send` of their own call it, so that calls which are traced hear of it.
    send_now = send

    def _refuse(self, message: tuple[bytes, bytes]) -> bool:
        """End the call if `message` is larger than the service config allows; return whether it is."""
        if self._max_request is None or len(message[1]) <= self._max_request:
            return False
        self.end(too_large(len(message[1]), self._max_request))
        return True

    def _offer(self, message: tuple[bytes, bytes]) -> bool:
        """Give `message` to the tries of a hedged call."""
        hedging = self.hedging
        return hedging is not None and hedging.offer(message)

    def half_close(self) -> bool:
        """No more requests follow. Where the call is not on a stream now, the next one begins half-closed.

        Returns:
            False if that is still to be said; see `send`.
        """
        attempt = self.attempt
        if attempt is None and self.hedging is not None and not self.hedging.half_close():
            return False
        self._half_closed = True
        if attempt is not None and self.outcome is None and not attempt.local_closed:
            attempt.connection.send_end(attempt)
            attempt.link.flush_soon()
        return True

    half_close_now = half_close

    def end(self, outcome: Outcome) -> None:
        """End the call from this side: cancelled, or out of time."""
        if self.outcome is not None:
            return
        attempt = self.attempt
        if attempt is None:
            hedging = self.hedging
            # `hedging_won` changes the two in the other order.
            won = self.attempt is not None if hedging is None else not hedging.stop()
            if won:
                # Another thread says which attempt is the call's.
                self.core.runtime.post_from_thread(lambda: self.end(outcome))
                return
            self.core.forget(self)
            self._finish(outcome)
            return
        if self._failed:
            outcome = outcome._replace(attempts=self._failed)
        if self.delayed_at is not None:
            outcome = with_history(self, outcome)
        # First, so that what the attempt says to it has no weight.
        self.outcome = outcome
        self.core.count_failure()
        attempt.end(outcome)
        self._over(attempt)
        attempt.link.flush_soon()

    def deadline_passed(self) -> None:
        """The call's time is up."""
        details, debug = "Deadline Exceeded", ""
        attempt, hedging, core = self.attempt, self.hedging, self.core
        if attempt is not None:
            debug = f"peer {attempt.link.peer_name()}"
        elif hedging is None or not hedging.on_a_stream:
            details += f" while waiting for {core.awaited_by(self)}"
            why = core.last_failure or "".join(map(str, self._failed[-1:]))
            if why:
                details += f"; last error: {why}"
        self.end(Outcome(StatusCode.DEADLINE_EXCEEDED, details, debug=debug))

    def parent_cut_off(self) -> None:
        """See `Child`."""
        raise NotImplementedError

    # Pending

    @property
    def call(self) -> ClientCall:
        """See `Pending`."""
        return self

    def configure(self, config: MethodConfig, core: ChannelCore) -> None:
        """Apply what a service config says of the method, before the first attempt."""
        start, options = self.start, core.options
        size = -5 if self.message is None else len(self.message[1])
        if config.max_request is not None:
            self._max_request = config.max_request
            if size > config.max_request:
                self._finish(too_large(size, config.max_request))
                return
        if start.wait_for_ready is None and config.wait_for_ready:
            self.wait_for_ready = True
        if config.timeout is not None:
            deadline = core.runtime.now() + config.timeout
            if start.deadline is None or deadline < start.deadline:
                self.start = start._replace(deadline=deadline)
                self.deadline_set()
        limit = options.max_receive
        if config.max_response is not None:
            self.configured = True
            self._max_receive = (
                config.max_response if limit < 0 else min(limit, config.max_response)
            )
        if size + 5 > options.retry_buffer:
            self._committed = True
        elif config.retry is not None:
            if self.message is None:
                # It has to be there to keep the requests. Otherwise the first failure is early enough.
                self._begin_retry()
        elif config.hedging is not None and options.retries:
            self.hedging = Hedging(self, core, config.hedging, options.retry_buffer)

    def forked(self) -> None:
        """The process was forked, and this is the child, where the call will end: other threads' part in it is over."""
        self.commit()
        self._retried = True

    def commit(self) -> None:
        """What happens next to the call is final."""
        self._committed = True
        self._retry = None

    def _begin_retry(self) -> Retry | None:
        """What the call knows of its tries, or None: there is one only."""
        plan = self.plan
        if self._retry is None and plan is not None and plan.retry is not None:
            if not self._committed:
                core = self.core
                self.configured = True
                self._retry = Retry(
                    plan.retry, core.throttle, core.options.retry_buffer, core.runtime.random
                )
        return self._retry

    def find_stream(self, link: Link, waiting: Pending) -> bool:
        """Tell whether a stream can be opened on `link`; else `waiting` waits until one can, there or elsewhere."""
        connection = link.connection
        if connection.can_open:
            return True
        if connection.closed or connection.draining:
            # The channel has not heard of it yet.
            self.core.wait_beyond(waiting, link)
        else:
            link.pending.append(waiting)
            self.crowded = link
            connection.want_stream()
            self.core.link_full(link)
        return False

    def _refuse_metadata(self, link: Link) -> Outcome | None:
        """How the call ends because its metadata is too large, or None: the server might end the connection for it."""
        size, limit = self.start.size, link.connection.peer_max_header_list_size
        if limit is None or size <= limit:
            return None
        return Outcome(
            StatusCode.RESOURCE_EXHAUSTED,
            f"request metadata of {size} bytes; the server takes {limit} at most",
        )

    def link_available(self, link: Link) -> None:
        """Open a stream on `link`, or wait there until one is free."""
        if self.outcome is not None:
            return
        connection = link.connection
        if not connection.can_open:
            self.find_stream(link, self)
            return
        start = self.start
        limit = connection.peer_max_header_list_size
        if limit is not None and start.size > limit:
            refused = self._refuse_metadata(link)
            assert refused is not None
            self._finish(refused)
            return
        if self.configured:
            block, attempt = self._configured_attempt(link)
        else:
            block = connection.encoder.encode(start.fields)
            attempt = Attempt(self, link)
        if start.deadline is not None:
            timeout = encode_timeout(start.deadline - connection.now())
            block += _TIMEOUT_NAME + bytes((len(timeout),)) + timeout
        self.attempt = attempt
        message = self.message
        retry = self._retry
        if message is not None:
            connection.open_stream(attempt, block, *message, end_stream=True)
        elif retry is None or not retry.kept:
            connection.open_stream(attempt, block, end_stream=self._half_closed)
        else:
            connection.open_stream(attempt, block, end_stream=False)
            for message in retry.kept:
                # Which may know more of the attempt than the link's; see `clarion.web.client`.
                attempt.connection.send_message(attempt, *message)
            if self._half_closed:
                attempt.connection.send_end(attempt)
        self.opened()
        link.flush_soon()

    # Hedging

    @property
    def half_closed(self) -> bool:
        """Whether the last request was sent."""
        return self._half_closed

    def hedge(
        self, link: Link, this: Try, picked: Picked | None, extra: Fields
    ) -> HedgedAttempt | None:
        """Open a try on `link`, with more header fields; None if the call ended with it."""
        connection, start = link.connection, self.start
        refused = self._refuse_metadata(link)
        if refused is not None:
            # Not from here, where the link's lock is held.
            self.core.runtime.post_from_thread(lambda: this.link_failed(refused))
            return None
        attempt = self._hedged_attempt(link, this, picked)
        if self._max_receive is not None:
            attempt.max_receive = self._max_receive
        fields = start.fields + extra + attempt.extra_fields
        if picked is not None:
            fields += picked.metadata
        block = connection.encoder.encode(fields)
        if start.deadline is not None:
            timeout = encode_timeout(start.deadline - connection.now())
            block += _TIMEOUT_NAME + bytes((len(timeout),)) + timeout
        if self.message is not None:
            connection.open_stream(attempt, block, *self.message, end_stream=True)
        else:
            connection.open_stream(attempt, block, end_stream=False)
        self.try_opened(attempt)
        return attempt

    def _hedged_attempt(self, link: Link, this: Try, picked: Picked | None) -> HedgedAttempt:
        return HedgedAttempt(self, link, this, picked)

    def hedging_won(self, attempt: Attempt) -> None:
        """`attempt` is the call's."""
        self.attempt = attempt
        self.hedging = None
        # That is for hedging to do, which has all that was sent.
        self._retried = True
        self.opened()

    def hedging_failed(self, attempt: Attempt | None, outcome: Outcome) -> None:
        """All tries failed, the last one so; `attempt` was its attempt, if it had one."""
        self.hedging = None
        if self.outcome is None:
            self._finish(outcome if attempt is None else _seen_at(attempt, outcome))

    def _configured_attempt(self, link: Link) -> tuple[bytes, Attempt]:
        """The header block of an attempt that a service config or a picker has a say in, and the attempt."""
        fields = self.start.fields
        if self._retry is not None:
            fields += self._retry.fields
        picked, self.picked = self.picked, None
        if picked is None:
            attempt = Attempt(self, link)
        else:
            fields += picked.metadata
            attempt = PickedAttempt(self, link, picked) if picked.done else Attempt(self, link)
        if self._max_receive is not None:
            attempt.max_receive = self._max_receive
        return link.connection.encoder.encode(fields), attempt

    def link_failed(self, outcome: Outcome) -> None:
        """There will be no connection."""
        if self.outcome is not None:
            return
        if self.hedging is not None and not self.hedging.stop():
            return
        retry = self._begin_retry()
        if retry is not None and outcome.unprocessed:
            delay = retry.after(outcome, False)
            if delay is not None:
                self.failed(None, outcome)
                self._retry_in(delay)
                return
        self._finish(outcome)

    # What the attempt says

    def attempt_ended(self, attempt: Attempt, outcome: Outcome) -> None:
        """An attempt is over: so is the call, unless the server never looked at it."""
        if self.outcome is not None or attempt is not self.attempt:
            if outcome.code is not _OK:
                attempt.connection.calls_failed += 1
            return
        retry, plan = self._retry, self.plan
        if plan is not None and plan.retry is not None:
            if outcome.code is not _OK:
                retry = self._begin_retry()
            elif retry is None:
                throttle = self.core.throttle
                if throttle is not None:
                    throttle.succeeded()
        if (
            outcome.unprocessed
            and not self._retried
            and self.head_metadata is None
            and (retry is not None or not self._sent_messages)
            and self.core.options.retries
        ):
            self._retried = True
            self._detach(attempt, outcome)
            self.core.retry(self)
            return
        if retry is not None:
            delay = retry.after(outcome, self.head_metadata is not None)
            if delay is not None:
                self._detach(attempt, outcome)
                self._retry_in(delay)
                return
        if outcome.code is _OK:
            if self.response is None and not self.response_streaming:
                outcome = Outcome(
                    StatusCode.UNIMPLEMENTED, "the server sent no response; the method has one"
                )
        elif (
            outcome.code is StatusCode.CANCELLED
            and self.start.deadline is not None
            and attempt.connection.now() >= self.start.deadline
        ):
            # PROTOCOL-HTTP2, "Client Cancellation": the server's clock was ahead of ours.
            outcome = Outcome(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        if outcome.code is not _OK:
            attempt.connection.calls_failed += 1
            outcome = _seen_at(attempt, outcome)
        self._finish(outcome)

    def _retry_in(self, delay: float) -> None:
        self.core.retry_later(self, delay)

    def _detach(self, attempt: Attempt, outcome: Outcome) -> None:
        attempt.connection.calls_failed += 1
        self.failed(attempt, outcome)
        # First, so that a thread which sees that there is no attempt also sees what else to wait for.
        self.detached(attempt)
        self.attempt = None

    def failed(self, attempt: Attempt | None, outcome: Outcome) -> None:
        """An attempt came to nothing; there was no connection for it if it is None."""
        peer = "" if attempt is None else attempt.link.peer_name()
        self._failed += (FailedAttempt(peer, outcome.code, outcome.details),)

    def _finish(self, outcome: Outcome) -> None:
        if outcome.code is not _OK:
            self.core.count_failure()
            if self._failed:
                outcome = outcome._replace(attempts=self._failed)
            if self.delayed_at is not None:
                outcome = with_history(self, outcome)
        self.outcome = outcome
        self._over(self.attempt)

    def _over(self, attempt: Attempt | None) -> None:
        self.finished()
        if attempt is not None:
            # It has no more to say. Without this reference the two are no cycle, and go without the collector.
            del attempt.call
        if self.picked is not None:
            self.core.pick_unused(self.picked)
        if self.parent is not None:
            self.parent.release(self)


def _seen_at(attempt: Attempt, outcome: Outcome) -> Outcome:
    """`outcome`, with the address that it is from."""
    seen = f"{outcome.debug}; " if outcome.debug else ""
    return outcome._replace(debug=f"{seen}peer {attempt.link.peer_name()}")


def too_large(size: int, limit: int) -> Outcome:
    """How a call ends that has a request larger than it may be."""
    return Outcome(
        StatusCode.RESOURCE_EXHAUSTED, f"CLIENT: Sent message larger than max ({size} vs. {limit})"
    )
