"""A call on the server, without threads or tasks.

Decides which handler serves the call and whether it is admitted, keeps the rules of the four patterns, and
ends the call exactly once. The front end's subclass runs the handler in `run`, reads requests from the inbox
and answers through the `ServerStream` methods.
"""

from __future__ import annotations

from typing import Any, ClassVar

from clarion.http2 import Abort, Connection, ErrorCode
from clarion.propagation import Family
from clarion.protocol.server_stream import ServerStream
from clarion.server_core.core import ServerCore
from clarion.server_core.methods import Method
from clarion.status import StatusCode

__all__ = ["EXPIRED", "ServerCall"]

Fields = tuple[tuple[bytes, bytes], ...]

_TOO_MANY = "the client sent more than one request; the method takes one"

EXPIRED = "the caller's credentials have expired"
"""What a client hears whose call goes on when its token does not hold any more."""

# Thirty years, in seconds: more than that is no deadline, and more than timers take.
_FOR_EVER = 1e9
# What clocks and timers may differ by, in seconds.
_MOMENT = 0.005


class ServerCall(ServerStream, Family):
    """One call.

    Attributes:
        core: the server.
        method: the handler that serves the call, once it is found.
        request: the one request of a pattern that has one, until the handler takes it.
        requests: how many came, of a pattern that has one.
        requests_done: the client half-closed.
        deadline: when the call must be over, on the connection's clock, or None.
        expiry: when the caller's credentials run out, on that clock, if calls are to end then and it is before the
            deadline; else None.
        abort: why the call was cut off by the client or the connection, or None.
        identity: who makes the call, a `clarion.auth.Identity`, if an authenticator found out.
    """

    method: Method | None = None
    request: bytes | None = None
    requests = 0
    requests_done = False
    # The handler started with the one request, before the client half-closed; with what fields it ended with OK.
    _early = False
    _ending: Fields | None = None
    deadline: float | None = None
    expiry: float | None = None
    abort: Abort | None = None
    admitted = False
    identity: Any = None

    _set_later: ClassVar[tuple[str, ...]] = (
        "method",
        "request",
        "requests",
        "requests_done",
        "admitted",
    )

    def __init__(self, core: ServerCore, connection: Connection, stream_id: int) -> None:
        options = core.options
        ServerStream.__init__(
            self, connection, stream_id, options.max_receive, options.max_metadata
        )
        self.core = core

    # What the front end does

    def run(self) -> None:
        """Start the handler: the request is there, or the stream of requests begins."""
        raise NotImplementedError

    def watch_deadline(self) -> None:
        """`deadline` is there: see to it that `deadline_passed` is called then, unless the call is over.

        Not only once the handler runs: a request that never gets complete has a deadline too.
        """

    def watch_expiry(self) -> None:
        """`expiry` is there: the same, and no more of the deadline."""
        raise NotImplementedError

    def inbox_changed(self) -> None:
        """A request was added to the inbox, or `requests_done` became true."""
        raise NotImplementedError

    def ended_late(self) -> None:
        """The OK of a handler that is done was sent, or refused: nothing is left to watch."""
        raise NotImplementedError

    def interrupted(self) -> None:
        """The call is over, by no doing of the handler: stop it. `abort` says why, if it was the peer."""
        raise NotImplementedError

    def handler_failed_lookup(self, error: Exception) -> None:
        """A user's generic handler raised `error`."""
        raise NotImplementedError

    # What the stream says

    def call_started(self) -> None:
        head = self.head
        assert head is not None
        core = self.core
        if core.stopping:
            # Safe to repeat elsewhere: no handler saw it.
            self.over = self.gone = True
            self.connection.calls_failed += 1
            self.connection.reset(self, ErrorCode.REFUSED_STREAM)
            return
        try:
            method = core.find(head)
        except Exception as error:
            self.handler_failed_lookup(error)
            told = core.options.tell("Error in service handler", f": {error}")
            self.send_status(StatusCode.UNKNOWN, told)
            return
        if method is None:
            self.send_status(StatusCode.UNIMPLEMENTED, f"Method not found! {head.path}")
            return
        if core.max_concurrent is not None and core.active >= core.max_concurrent:
            self.send_status(
                StatusCode.RESOURCE_EXHAUSTED,
                f"Concurrent RPC limit exceeded! maximum_concurrent_rpcs={core.max_concurrent}",
            )
            return
        core.active += 1
        self.admitted = True
        self.method = method
        if method.heads is not None:
            self.head_block, self.head_fields = method.heads
        compressor = core.compressor
        if compressor is not None and compressor.name in head.accepts:
            self.encoder = compressor
        if head.timeout is not None and head.timeout < _FOR_EVER:
            self.deadline = self.connection.now() + head.timeout
            self.watch_deadline()
        if method.request_streaming:
            self.run()

    def message_received(self, message: bytes) -> None:
        method = self.method
        assert method is not None
        if method.request_streaming:
            self.put(message)
            self.inbox_changed()
        else:
            self.requests += 1
            if self.requests == 1:
                self.request = message
                if not self.remote_closed:
                    # The client may mean to send more, or mistake the pattern. A handler that refuses the call
                    # must not wait for that; only an OK does.
                    self._early = True
                    self.run()
            elif self._ending is not None:
                self._end_late(self._ending)

    def messages_ended(self) -> None:
        method = self.method
        assert method is not None
        self.requests_done = True
        if method.request_streaming:
            self.inbox_changed()
        elif not self.requests:
            self.fail(StatusCode.UNIMPLEMENTED, "the client sent no request; the method takes one")
        elif self._early:
            if self._ending is not None:
                self._end_late(self._ending)
        elif self.requests > 1:
            self.fail(StatusCode.UNIMPLEMENTED, _TOO_MANY)
        else:
            self.run()

    def messages_failed(self, code: StatusCode, details: str) -> None:
        self.fail(code, details)

    def call_aborted(self, reason: Abort) -> None:
        self.abort = reason
        self._cut_off()

    # What both do

    def serve_as(self, method: Method) -> None:
        """Go on as a call of another method than the one that was found first."""
        self.method = method
        if method.heads is not None:
            self.head_block, self.head_fields = method.heads

    def fail(self, code: StatusCode, details: str) -> None:
        """End the call from outside its handler."""
        if not self.over:
            self.send_status(code, details)
            self._cut_off()

    def deadline_passed(self) -> None:
        """The call's time is up, or that of its caller's credentials."""
        if self.parked is not None and not self.over:
            # A status would have to wait behind data that the client does not take.
            self.over = self.gone = True
            self.connection.calls_failed += 1
            self.connection.reset(self, ErrorCode.CANCEL)
            self._cut_off()
            return
        if self.expiry is None:
            self.fail(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        else:
            self.fail(StatusCode.UNAUTHENTICATED, EXPIRED)

    def expire_at(self, when: float) -> None:
        """End the call at `when`, on the connection's clock: its caller's credentials run out then."""
        limits = [self.connection.now() + _FOR_EVER, self.deadline, self.expiry]
        if not self.over and all(limit is None or when < limit for limit in limits):
            self.expiry = when
            self.watch_expiry()

    def finish(self, code: StatusCode, details: str = "", fields: Fields = ()) -> None:
        """End the call with what its handler decided."""
        if not self.over:
            if self._early and code is StatusCode.OK:
                if self.requests > 1:
                    code, details, fields = StatusCode.UNIMPLEMENTED, _TOO_MANY, ()
                elif not self.requests_done:
                    self._ending = fields
                    return
            self.send_status(code, details, fields)
            self._leave()

    def finish_ok(self, payload: bytes) -> None:
        """End a call that has one plain response and nothing else to say."""
        if self._early:
            if not self.over:
                self.send_initial_metadata(())
                self.send_response(payload)
                self.finish(StatusCode.OK)
        elif not self.over:
            self.send_ok_response(payload)
            self._leave()

    def _end_late(self, fields: Fields) -> None:
        """What an early OK waited for has come."""
        self.finish(StatusCode.OK, "", fields)
        self.ended_late()

    def request_from_inbox(self) -> None:
        """The method takes one request after all: find it among those that came, if any did."""
        while self.inbox:
            message = self.take_message()
            self._early = True
            self.requests += 1
            if self.requests == 1:
                self.request = message

    def out_of_time(self) -> bool:
        """Whether a handler that failed now did so for want of time: its own calls had no more than this one."""
        return self.deadline is not None and self.connection.now() + _MOMENT >= self.deadline

    def time_left(self) -> float | None:
        if self.deadline is None or (self.over and not self.cut_off):
            return None
        return self.deadline - self.connection.now()

    def _cut_off(self) -> None:
        self._leave()
        self.cut_off = True
        self._cut_off_children()
        self.interrupted()

    def _leave(self) -> None:
        if self.admitted:
            self.admitted = False
            self.core.call_ended()
