"""Sending a call to several servers before the first has failed (gRFC A6).

Each try is an attempt of its own, picked for itself. The first one that gets response headers, or a status that ends
the call, is the call's: from then on the call is like any other, and the other tries are cancelled. Until then requests
are kept, and each try sends them as far as it has come.

Tries begin and end on the runtime, but what a try hears it hears under its link's lock, perhaps on another thread than
the others. So `lock` decides which is first, and nothing is done to another try's link but on the runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.client_core.retry import Throttle, previous_attempts, pushback
from clarion.load_balancing.pick import Picked
from clarion.protocol.outcome import Outcome
from clarion.service_config import HedgingPolicy
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.client_core.call import Attempt, ClientCall, HedgedAttempt
    from clarion.client_core.channel import ChannelCore
    from clarion.client_core.runtime import Link, Timer

__all__ = ["Hedging", "Try"]

_NOT_NEEDED = Outcome(StatusCode.CANCELLED, "another attempt of the call was faster")


class Hedging:
    """The tries of one call, until one of them is the call's.

    Args:
        call: the call.
        core: the channel.
        policy: of its method.
        limit: how many bytes of requests may be kept.

    Attributes:
        kept: the requests of a stream of them.
        half_closed: these are all.
        lock: held by who changes `over`, `kept` or `half_closed`.
        over: one try is the call's, or the call is over.
    """

    def __init__(
        self, call: ClientCall, core: ChannelCore, policy: HedgingPolicy, limit: int
    ) -> None:
        self.call = call
        self.core = core
        self.kept: list[tuple[bytes, bytes]] = []
        self.half_closed = False
        self.over = False
        self._policy = policy
        self._throttle: Throttle | None = core.throttle
        self._room = limit
        self.lock = core.runtime.lock()
        self._tries: list[Try] = []
        self._begun = 0
        self._more = True
        self._timer: Timer | None = None
        # Of the try that failed last.
        self._last = _NOT_NEEDED

    @property
    def on_a_stream(self) -> bool:
        """Whether some server has the call."""
        return any(this.attempt is not None for this in self._tries)

    # On the runtime

    def start(self) -> None:
        """Begin the first try."""
        self.core.hold(self.call)
        self.half_closed = self.call.half_closed
        # Requests can be offered now.
        self.call.writable()
        self._next()

    def _next(self) -> None:
        self._timer = None
        if self.over:
            return
        if not self._may_begin():
            # Throttled meanwhile.
            self._check_all_failed()
            return
        this = Try(self, self._begun)
        self._begun += 1
        self._tries.append(this)
        if self._may_begin():
            self._timer = self.core.runtime.call_later(self._policy.delay, self._next)
        self.core.wait(this)

    def _may_begin(self) -> bool:
        throttle = self._throttle
        return (
            self._more
            and self._begun < self._policy.max_attempts
            and (self._begun == 0 or throttle is None or throttle.allows)
        )

    def stop(self) -> bool:
        """The call is over: cancel what there is. Returns False if one try just became the call's attempt."""
        with self.lock:
            if self.over:
                return False
            self.over = True
        self._cancel_others(None)
        return True

    def _cancel_others(self, winner: Try | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.core.release(self.call)
        tries, self._tries = self._tries, []
        for other in tries:
            if other is not winner:
                other.cancel()
            # Without these references the tries and their attempts are no cycles, and go without the collector.
            other.attempt = None

    @property
    def full(self) -> bool:
        """There are more requests than may be kept: the next try that has a stream has to be the call's."""
        return self._room < 0

    def send_kept(self) -> None:
        """There are more requests, or all of them are there."""
        if self.full and not self.over:
            for this in self._tries:
                if this.attempt is not None:
                    link = this.attempt.link
                    with link.lock:
                        self.win(this)
                        link.flush_soon()
                    return
        for this in list(self._tries):
            this.send_kept()

    def failed(self, this: Try, outcome: Outcome, *, final: bool) -> None:
        """A try came to nothing, with a status that leaves the call to the others."""
        if self.over:
            return
        if this in self._tries:
            self._tries.remove(this)
        asked = pushback(outcome)
        if final or (asked is not None and asked < 0):
            self._more = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        attempt, this.attempt = this.attempt, None
        self._last = outcome
        if self._check_all_failed(attempt):
            return
        self.call.failed(attempt, outcome)
        if self._may_begin():
            if asked is None:
                self._next()
            else:
                self._timer = self.core.runtime.call_later(asked, self._next)

    def _check_all_failed(self, attempt: Attempt | None = None) -> bool:
        """End the call if no try is left and there will be no other; `attempt` is the one that failed just now."""
        if self._tries or self._may_begin():
            return False
        with self.lock:
            self.over = True
        self.core.release(self.call)
        self.call.hedging_failed(attempt, self._last)
        return True

    # From any thread

    def offer(self, message: tuple[bytes, bytes]) -> bool:
        """Keep a request, and send it; False if it is for the call's own attempt, or must wait until there is one."""
        with self.lock:
            if self.over or self._room < 0:
                return False
            self._room -= len(message[0]) + len(message[1])
            self.kept.append(message)
        self.core.runtime.post_from_thread(self.send_kept)
        return True

    def half_close(self) -> bool:
        """No more requests follow; False as with `offer`."""
        with self.lock:
            if self.over:
                return False
            self.half_closed = True
        self.core.runtime.post_from_thread(self.send_kept)
        return True

    # With the link's lock

    def win(self, this: Try) -> bool:
        """Make `this` the call's attempt; False if another one is."""
        with self.lock:
            if self.over:
                return False
            self.over = True
        this.send_kept_locked()
        attempt = this.attempt
        assert attempt is not None
        self.call.hedging_won(attempt)
        self.core.runtime.post_from_thread(lambda: self._cancel_others(this))
        return True

    def ended(self, this: Try, outcome: Outcome) -> None:
        """The server's last word on a try without response headers, or the end of its connection."""
        if self.over:
            return
        self.count(outcome)
        harmless = outcome.code in self._policy.codes
        runtime = self.core.runtime
        if outcome.unprocessed and this.again:
            # No server acted on it: it is as if it had not been sent.
            this.again = False
            runtime.post_from_thread(lambda: self._again(this))
        elif harmless:
            runtime.post_from_thread(lambda: self.failed(this, outcome, final=False))
        elif self.win(this):
            attempt = this.attempt
            assert attempt is not None
            self.call.attempt_ended(attempt, outcome)

    def count(self, outcome: Outcome) -> None:
        """Tell the throttle how an attempt ended that was not cancelled from here."""
        throttle = self._throttle
        if throttle is not None:
            asked = pushback(outcome)
            if outcome.code in self._policy.codes or (asked is not None and asked < 0):
                throttle.failed()
            elif outcome.code is StatusCode.OK:
                throttle.succeeded()

    def _again(self, this: Try) -> None:
        if not self.over:
            this.reset()
            self.core.wait(this)


class Try:
    """One try: it waits for a connection as a call does.

    Args:
        hedging: the tries of the call.
        number: how many there were before.

    Attributes:
        call: the call.
        number: see above.
        attempt: its attempt, once there is one.
        again: whether it may begin again if no server acted on it.
    """

    only_asks = False

    def __init__(self, hedging: Hedging, number: int) -> None:
        self.call = hedging.call
        self.attempt: HedgedAttempt | None = None
        self.again = True
        self._hedging = hedging
        self.number = number
        self._picked: Picked | None = None
        self._sent = 0

    def reset(self) -> None:
        """Begin again."""
        self.attempt = None
        self._sent = 0

    # Pending

    @property
    def wait_for_ready(self) -> bool:
        """See `Pending`."""
        return self.call.wait_for_ready

    @property
    def outcome(self) -> Outcome | None:
        """See `Pending`."""
        return _NOT_NEEDED if self._hedging.over else None

    def link_available(self, link: Link) -> None:
        """See `Pending`."""
        call = self.call
        if call.picked is not None:
            # It may have waited for a free stream elsewhere.
            self._tell_picker()
            self._picked, call.picked = call.picked, None
        if self._hedging.over:
            self._tell_picker()
            return
        with link.lock:
            if call.find_stream(link, self):
                self._open(link)

    def _open(self, link: Link) -> None:
        picked, self._picked = self._picked, None
        attempt = self.call.hedge(link, self, picked, previous_attempts(self.number))
        if attempt is not None:
            self.attempt = attempt
            self.send_kept_locked()
            if self._hedging.full:
                self._hedging.win(self)
            link.flush_soon()

    def link_failed(self, outcome: Outcome) -> None:
        """See `Pending`."""
        self._tell_picker()
        self._hedging.failed(self, outcome, final=not outcome.unprocessed)

    def _tell_picker(self) -> None:
        picked, self._picked = self._picked, None
        if picked is not None:
            self._hedging.core.pick_unused(picked)

    # On the runtime

    def cancel(self) -> None:
        """It is not needed."""
        self._hedging.core.forget(self)
        self._tell_picker()
        attempt = self.attempt
        if attempt is not None:
            with attempt.link.lock:
                attempt.end(_NOT_NEEDED)
                attempt.link.flush_soon()

    def send_kept(self) -> None:
        """Send what was not sent yet."""
        attempt = self.attempt
        if attempt is not None and not self._hedging.over:
            with attempt.link.lock:
                self.send_kept_locked()
                attempt.link.flush_soon()

    def send_kept_locked(self) -> None:
        """The same, with the link's lock."""
        attempt = self.attempt
        if attempt is None or attempt.outcome is not None:
            return
        kept = self._hedging.kept
        while self._sent < len(kept):
            attempt.send_request(kept[self._sent])
            self._sent += 1
        if self._hedging.half_closed and not attempt.local_closed:
            attempt.send_end()

    # What the attempt says, with the link's lock

    def won_ended(self, outcome: Outcome) -> None:
        """The attempt, which had become the call's, is over."""
        self._hedging.count(outcome)

    def head_received(self) -> bool:
        """Response headers came; False if the call is another's."""
        return self._hedging.win(self)

    def ended(self, outcome: Outcome) -> None:
        """The attempt is over."""
        self._hedging.ended(self, outcome)
