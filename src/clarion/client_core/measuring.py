"""Calls whose ends are measured: how long they took, and the bytes of their messages (`clarion.call_tracing.ClientMeasure`).

A measure hears less than a tracer, and costs a fraction of it: most calls have one attempt, and tell all there is to tell in
one step when they end.
"""

from __future__ import annotations

from clarion.call_tracing import ClientMeasure
from clarion.client_core.call import Attempt, ClientCall, HedgedAttempt
from clarion.client_core.hedging import Try
from clarion.client_core.runtime import Link
from clarion.load_balancing.pick import Picked
from clarion.protocol.outcome import Outcome

__all__ = ["MeasuredCall"]


class _MeasuredHedgedAttempt(HedgedAttempt):
    """One of several tries of a call, which is measured by itself."""

    def __init__(
        self, call: ClientCall, link: Link, this: Try, picked: Picked | None, measure: ClientMeasure
    ) -> None:
        HedgedAttempt.__init__(self, call, link, this, picked)
        self._measure = measure
        self._begun = measure.now()
        self._received = 0
        self.sent = 0 if call.message is None else len(call.message[1])

    def send_request(self, message: tuple[bytes, bytes]) -> None:
        self.sent += len(message[1])
        HedgedAttempt.send_request(self, message)

    def message_received(self, message: bytes) -> None:
        self._received += len(message)
        HedgedAttempt.message_received(self, message)

    def ended(self, outcome: Outcome) -> None:
        measure = self._measure
        took = measure.now() - self._begun
        measure.attempt_ended(outcome.code, took, self.sent, self._received)
        HedgedAttempt.ended(self, outcome)


class MeasuredCall(ClientCall):
    """A call that is measured; a front end's class of calls follows among the bases.

    Attributes:
        measure: who hears of it.
        begun: when the call was made, by the measure's clock.
        attempt_begun: when its attempt began: as soon as the name was known.
    """

    measure: ClientMeasure
    begun: float
    attempt_begun: float
    _sent = 0
    _received = 0
    _hedged = False
    _tried = False
    # An attempt has begun, and waits for a connection.
    _placing = False

    # What `ClientCall` does

    def delayed(self, *, resolved: bool) -> None:
        super().delayed(resolved=resolved)
        if resolved:
            self._placing = True
            if not self._tried:
                self._tried = True
                self.attempt_begun = self.measure.now()

    def link_failed(self, outcome: Outcome) -> None:
        if self.outcome is None and self.hedging is None and self.core.name_known:
            self._never_placed(outcome)
        super().link_failed(outcome)

    def failed(self, attempt: Attempt | None, outcome: Outcome) -> None:
        if attempt is None and self.hedging is not None and self.core.name_known:
            self._never_placed(outcome)
        super().failed(attempt, outcome)

    def hedging_failed(self, attempt: Attempt | None, outcome: Outcome) -> None:
        if attempt is None and self.outcome is None and self.core.name_known:
            self._never_placed(outcome)
        super().hedging_failed(attempt, outcome)

    def _never_placed(self, outcome: Outcome) -> None:
        """gRFC A66: an attempt begins before there is a connection for it. This one had none."""
        self._placing = False
        measure = self.measure
        measure.attempt_started()
        measure.attempt_ended(outcome.code, measure.now() - self.attempt_begun, 0, 0)

    def opened(self) -> None:
        self._placing = False
        if not self._hedged:
            self.measure.attempt_started()
        super().opened()

    def send_now(self, message: tuple[bytes, bytes]) -> bool:
        attempt = self.attempt
        if isinstance(attempt, _MeasuredHedgedAttempt):
            attempt.sent += len(message[1])
        elif attempt is not None:
            self._sent += len(message[1])
        return ClientCall.send(self, message)

    def count_response(self) -> None:
        """A response of a stream of them came, unless the call is over and this is to wake whoever waits for it."""
        attempt = self.attempt
        if self.outcome is None and attempt is not None and attempt.inbox:
            self._received += len(attempt.inbox[-1])

    def finished(self) -> None:
        measure, outcome, message, response = (
            self.measure,
            self.outcome,
            self.message,
            self.response,
        )
        assert outcome is not None
        if self.attempt is None or self._hedged:
            self.tell_ended()
        else:
            now = measure.now()
            measure.ended_with_attempt(
                outcome.code,
                now - self.attempt_begun,
                self._sent if message is None else len(message[1]),
                self._received if response is None else len(response),
                now - self.begun,
            )
        super().finished()

    def tell_ended(self) -> None:
        """The call ended without an attempt in progress, or its attempts tell of themselves."""
        assert self.outcome is not None
        if self._placing and self.attempt is None and not self._hedged:
            self._never_placed(self.outcome)
        never = self.attempt is None and not self._failed and not self._hedged
        self.measure.ended(self.outcome.code, self.measure.now() - self.begun, never)

    # Further attempts

    def _detach(self, attempt: Attempt, outcome: Outcome) -> None:
        now = self.measure.now()
        message, retry = self.message, self._retry
        sent = self._sent if message is None else len(message[1])
        self.measure.attempt_ended(outcome.code, now - self.attempt_begun, sent, self._received)
        self.attempt_begun = now
        self._received = 0
        self._sent = 0 if retry is None else sum(len(payload) for _, payload in retry.kept)
        super()._detach(attempt, outcome)

    def _retry_in(self, delay: float) -> None:
        self.attempt_begun = self.measure.now() + delay
        super()._retry_in(delay)

    def _hedged_attempt(self, link: Link, this: Try, picked: Picked | None) -> HedgedAttempt:
        self._hedged = True
        return _MeasuredHedgedAttempt(self, link, this, picked, self.measure)

    def try_opened(self, attempt: Attempt) -> None:
        self.measure.attempt_started()
        super().try_opened(attempt)
