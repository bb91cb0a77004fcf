"""Runs the handler of a call on a thread of the server's pool."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextvars import Context
from typing import TYPE_CHECKING, Any, ClassVar

from clarion.http2 import Connection
from clarion.propagation import current_parent
from clarion.protocol.messages import UnpackFailed, as_bytes
from clarion.protocol.metadata import encode_metadata
from clarion.server_core import ServerCall
from clarion.server_core.methods import Method
from clarion.server_core.serving import raised_status, unreadable
from clarion.status import StatusCode
from clarion.sync.errors import CallOver
from clarion.sync.io_thread import Timer
from clarion.sync.server_context import ServicerContext
from clarion.sync.slow_stream import SlowStream

if TYPE_CHECKING:
    from clarion.sync.server_link import ServerLink
    from clarion.sync.sync_server import Server

__all__ = ["SyncServerCall"]

_LOG = logging.getLogger(__name__)

# More messages than threads will ever take from one stream at a time.
_PLENTY = 16

_IS_OVER = "the call ended while its handler ran"


class _Refused(Exception):
    """The call ends with this status, which no handler chose."""

    def __init__(self, code: StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code


class _RequestIterator:
    """The stream of requests, as a handler iterates over it."""

    __slots__ = ("_call",)

    def __init__(self, call: SyncServerCall) -> None:
        self._call = call

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._call.next_request()

    def next(self) -> Any:
        """The next request."""
        return self._call.next_request()


class SyncServerCall(ServerCall):
    """One call. Its state changes under the link's lock.

    Attributes:
        server: the server the call came to.
        link: the socket.
    """

    _context: ServicerContext | None = None
    # The same for a call that goes on when its handler is done (`SlowStream`).
    _kept: ServicerContext | None = None
    _reader_sleeps: threading.Lock | None = None
    _writer_sleeps: threading.Lock | None = None
    _timer: Timer | None = None
    # The handler has taken the last request there is, so its next message may be waited for.
    _awaited = True

    _set_later: ClassVar[tuple[str, ...]] = ("_context",)

    def __init__(
        self, server: Server, link: ServerLink, connection: Connection, stream_id: int
    ) -> None:
        ServerCall.__init__(self, server.core, connection, stream_id)
        self.server = server
        self.link = link

    # What the call says (with the lock)

    def run(self) -> None:
        self.link.ready_calls.append(self)

    def watch_deadline(self) -> None:
        assert self.deadline is not None
        self._timer = self.link.io.call_at(self.deadline, self._expire)

    def watch_expiry(self) -> None:
        assert self.expiry is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.link.io.call_at(self.expiry, self._expire)

    def inbox_changed(self) -> None:
        sleeper, self._reader_sleeps = self._reader_sleeps, None
        if sleeper is not None:
            sleeper.release()

    def writable(self) -> None:
        sleeper, self._writer_sleeps = self._writer_sleeps, None
        if sleeper is not None:
            sleeper.release()

    def interrupted(self) -> None:
        self.inbox_changed()
        self.writable()
        self._ended()
        self.link.flush_soon()

    def refuse_for_shutdown(self) -> None:
        """The thread pool takes no more work."""
        with self.link.lock:
            self.fail(StatusCode.UNAVAILABLE, "the server's thread pool was shut down")

    def handler_failed_lookup(self, error: Exception) -> None:
        _LOG.error("a generic handler raised while looking up a method", exc_info=error)

    def cancelled_by_server(self) -> None:
        """The application cancelled the call (on the I/O thread)."""
        with self.link.lock:
            self.fail(StatusCode.CANCELLED, "the server cancelled the call")

    def limit_until(self, when: float) -> None:
        """See `expire_at`; from any thread."""
        with self.link.lock:
            self.expire_at(when)

    def _expire(self) -> None:
        with self.link.lock:
            self.deadline_passed()

    def ended_late(self) -> None:
        self._ended()

    def _ended(self) -> None:
        """The call is over, or its handler is done and the rest is the client's: its deadline still counts then."""
        if self._timer is not None and self.over:
            self._timer.cancel()
            self._timer = None
        context = self._context or self._kept
        if context is not None and context._callbacks is not None:
            callbacks, context._callbacks = context._callbacks, None
            self.link.io.post(lambda: _run_all(callbacks))
        if self._kept is not None:
            self._kept = None

    def keep_context(self) -> None:
        """What the handler wants to be told when the call ends it is told although it has returned by then."""
        self._kept = self._context

    # Running the handler, on a thread of the pool

    def serve(self) -> None:
        """Run the handler and answer. What it leaves in context variables is not seen by other calls."""
        Context().run(self.handle)

    def handle(self) -> None:
        """Run the handler, in the current context."""
        method = self.method
        assert method is not None
        if self.over:
            return
        if self.core.options.propagate:
            current_parent.set(self)
        context = ServicerContext(self)
        self._context = context
        try:
            if method.request_streaming:
                argument: Any = _RequestIterator(self)
            else:
                argument = self._request(method)
            if method.response_streaming:
                if self._stream(method, argument, context):
                    self._finish(context)
            else:
                self._answer(method, context, method.behavior(argument, context))
        except CallOver as over:
            if not self.over:
                # Another call's, that this handler used.
                self._finish_failed(method, context, over)
        except (_Refused, UnpackFailed) as refused:
            self._finish_with(refused.code, str(refused))
        except BaseException as error:
            self._finish_failed(method, context, error)
            if not isinstance(error, Exception):
                raise
        finally:
            # The context knows the call; both knowing each other would leave them to the collector.
            self._context = None

    def _stream(self, method: Method, argument: Any, context: ServicerContext) -> bool:
        """Send the responses; return False if some are still to come, for which this thread does not wait."""
        responses = method.behavior(argument, context)
        if type(responses) is SlowStream:
            responses.go_on(self)
            return False
        try:
            for response in responses:
                self._send(method, context, response)
        finally:
            close = getattr(responses, "close", None)
            if close is not None:
                close()
        return True

    def _request(self, method: Method) -> Any:
        message = self.request
        assert message is not None
        self.request = None
        if type(message) is not bytes:
            message = self.unpack(message)
        return self._deserialize(method, message)

    @staticmethod
    def _deserialize(method: Method, message: bytes) -> Any:
        try:
            return method.deserialize(message)
        except Exception as error:
            _LOG.warning("the request deserializer of %s raised: %r", method.path, error)
            raise _Refused(*unreadable(error)) from None

    def _serialize(self, method: Method, response: Any) -> bytes:
        try:
            payload = method.serialize(response)
            if type(payload) is not bytes:
                payload = as_bytes(payload)
            size = len(payload)
        except Exception as error:
            _LOG.exception(
                "the response serializer of %s raised, for %s", method.path, self.link.peer
            )
            told = self.core.options.tell("Failed to serialize response!", f" {error}")
            raise _Refused(StatusCode.INTERNAL, told) from None
        limit = self.core.options.max_send
        if 0 <= limit < size:
            raise _Refused(
                StatusCode.RESOURCE_EXHAUSTED,
                f"SERVER: Sent message larger than max ({size} vs. {limit})",
            )
        return payload

    def _answer(self, method: Method, context: ServicerContext, response: Any) -> None:
        """End a call that has one response."""
        if response is None and context._code not in (None, StatusCode.OK):
            self._finish(context)
            return
        payload = self._serialize(method, response)
        link = self.link
        with link.lock:
            if (
                context._code is None
                and context._trailing is None
                and not self.headers_sent
                and self.encoder is None
            ):
                self.finish_ok(payload)
                if self._timer is not None or context._callbacks is not None:
                    self._ended()
                link.answered()
                return
            if self.over:
                return
            if not self.headers_sent:
                self.send_initial_metadata(())
            self.send_response(payload, compress=context._compress_next)
        self._finish(context)

    def _finish(self, context: ServicerContext) -> None:
        """End the call with what its handler set."""
        fields = context.trailing_fields()
        link = self.link
        with link.lock:
            if self.over:
                return
            if not self.headers_sent and context._code in (None, StatusCode.OK):
                self.send_initial_metadata(())
            self.finish(context._code or StatusCode.OK, context._details, fields)
            self._ended()
            link.answered()

    def _finish_with(self, code: StatusCode, details: str, trailing: Any = ()) -> None:
        fields = encode_metadata(trailing)
        with self.link.lock:
            if not self.over:
                self.finish(code, details, fields)
                self._ended()
                self.link.answered()

    def _finish_failed(
        self, method: Method, context: ServicerContext, error: BaseException
    ) -> None:
        code, details = context._code, context._details
        if not context._aborted:
            chosen = raised_status(error, self, context._trailing)
            if self.over:
                # The handler was told, by an exception from its context or iterator.
                _LOG.debug("the handler of %s raised after its call was over", method.path)
                return
            if chosen is not None:
                code, details, trailing = chosen
                context.set_trailing_metadata(trailing)
            elif code in (None, StatusCode.OK) and self.out_of_time():
                _LOG.debug("the handler of %s raised when its time was up", method.path)
                code, details = StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"
            else:
                _LOG.error(
                    "the handler of %s raised, called by %s",
                    method.path,
                    self.link.peer,
                    exc_info=error,
                )
                if code in (None, StatusCode.OK):
                    code = StatusCode.UNKNOWN
                streams = method.response_streaming
                doing = "iterating responses" if streams else "calling application"
                details = details or self.core.options.tell(f"Exception {doing}", f": {error}")
        fields = context.trailing_fields()
        with self.link.lock:
            if not self.over:
                self.finish(code or StatusCode.UNKNOWN, details, fields)
                self._ended()
                self.link.answered()

    # What the handler does

    def next_request(self) -> Any:
        """The next request; StopIteration after the last.

        Raises:
            CallOver: the call was cut off.
        """
        method = self.method
        assert method is not None
        inbox = self.inbox
        if len(inbox) > _PLENTY:
            # No credit is due before the inbox is empty, so this needs no lock.
            message = inbox.popleft()
            if type(message) is not bytes:
                message = self.unpack(message)
            return self._deserialize(method, message)
        lock = self.link.lock
        flushed = False
        while True:
            with lock:
                if self.inbox:
                    message = self.take_message()
                    self._awaited = not self.inbox
                    if self.connection.outbox:
                        self.link.message_added(awaited=False)
                    break
                if self.over:
                    raise CallOver(_IS_OVER)
                if self.requests_done:
                    raise StopIteration
                if self.connection.outbox and not flushed:
                    # Do not sleep on what the client waits for. Writing lets go of the lock, so look again.
                    flushed = True
                    self.link.flush()
                    continue
                sleeper = self._reader_sleeps = threading.Lock()
                sleeper.acquire()
            sleeper.acquire()
        if type(message) is not bytes:
            message = self.unpack(message)
        return self._deserialize(method, message)

    def _send(self, method: Method, context: ServicerContext, response: Any) -> None:
        """Send a response of a stream; return when flow control has taken it."""
        payload = self._serialize(method, response)
        compress = context._compress_next
        context._compress_next = True
        link = self.link
        with link.lock:
            if self.over:
                raise CallOver(_IS_OVER)
            if not self.headers_sent:
                self.send_initial_metadata(())
            self.send_response(payload, compress=compress)
            link.message_added(awaited=self._awaited)
            self._awaited = False
            parked = self.parked is not None
        while parked:
            with link.lock:
                parked = self.parked is not None
                if not parked:
                    return
                if self.over:
                    raise CallOver(_IS_OVER)
                sleeper = self._writer_sleeps = threading.Lock()
                sleeper.acquire()
            sleeper.acquire()


def _run_all(callbacks: list[Any]) -> None:
    for callback in callbacks:
        try:
            callback()
        except Exception:
            _LOG.exception("a callback of a call raised")
