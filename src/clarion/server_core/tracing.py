"""Calls to a server that tell a tracer what happens to them (`clarion.call_tracing`).

A server whose calls are traced makes them of classes that begin with `TracedServerCall`; others know nothing of it.
"""

from __future__ import annotations

from clarion.call_tracing import ServerCallStart, ServerCallTracer, failed
from clarion.hpack import HeaderList
from clarion.http2 import Abort
from clarion.protocol.framing import prefix
from clarion.protocol.messages import Uncompressed
from clarion.server_core.call import EXPIRED, ServerCall
from clarion.status import StatusCode

__all__ = ["TracedServerCall"]

Fields = tuple[tuple[bytes, bytes], ...]

# It hears for whom nobody listens.
_NOBODY = ServerCallTracer()


class TracedServerCall(ServerCall):
    """A call that is traced; a front end's class of calls follows among the bases.

    Attributes:
        tracer: who hears of the call.
    """

    tracer: ServerCallTracer = _NOBODY
    _fields: Fields = ()

    def peer_name(self) -> str:
        """The client's address."""
        raise NotImplementedError

    def tell_handler_starts(self) -> None:
        """The handler or the first interceptor is about to run, in its context."""
        if not self.over:
            try:
                self.tracer.handler_starts()
            except Exception as error:
                self._drop_tracer(error)

    def _drop_tracer(self, error: Exception) -> None:
        tracer, self.tracer = self.tracer, _NOBODY
        failed(tracer, error)

    def _tell_ended(
        self, code: StatusCode, details: str, fields: Fields, sent: bool, trailers_only: bool
    ) -> None:
        # Once: nothing is heard after it.
        tracer, self.tracer = self.tracer, _NOBODY
        try:
            tracer.ended(code, details, fields, sent=sent, trailers_only=trailers_only)
        except Exception as error:
            failed(tracer, error)

    def _tell_cut_off(self, code: StatusCode, details: str) -> None:
        self._tell_ended(code, details, (), False, False)

    def _tell_sent(self, payload: bytes, wire: bytes) -> None:
        try:
            self.tracer.message_sent(payload, wire)
        except Exception as error:
            self._drop_tracer(error)

    def _tell_headers_sent(self, fields: Fields) -> None:
        try:
            self.tracer.headers_sent(fields)
        except Exception as error:
            self._drop_tracer(error)

    # What `ServerCall` and `ServerStream` do

    def headers_received(self, headers: HeaderList, end_stream: bool) -> None:
        if self.head is None:
            self._fields = headers.fields
        super().headers_received(headers, end_stream)

    def call_started(self) -> None:
        head, core = self.head, self.core
        assert head is not None
        tracing = core.tracing
        assert tracing is not None
        start = ServerCallStart(
            head.path,
            core.knows(head.path),
            self.peer_name(),
            head.authority,
            head.metadata,
            head.timeout,
            self._fields,
        )
        try:
            self.tracer = tracing.call(start) or _NOBODY
        except Exception as error:
            failed(tracing, error)
        super().call_started()
        if self.gone:
            self._tell_cut_off(StatusCode.UNAVAILABLE, "the server is stopping")

    def message_received(self, message: bytes) -> None:
        try:
            self.tracer.message_received(message, self)
        except Exception as error:
            self._drop_tracer(error)
        super().message_received(message)

    def messages_ended(self) -> None:
        if not self.requests_done:
            try:
                self.tracer.half_closed()
            except Exception as error:
                self._drop_tracer(error)
        super().messages_ended()

    def call_aborted(self, reason: Abort) -> None:
        if reason.connection_lost:
            self._tell_cut_off(StatusCode.UNAVAILABLE, reason.message)
        else:
            self._tell_cut_off(StatusCode.CANCELLED, reason.message)
        super().call_aborted(reason)

    def deadline_passed(self) -> None:
        if self.parked is not None and not self.over:
            if self.expiry is None:
                self._tell_cut_off(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
            else:
                self._tell_cut_off(StatusCode.UNAUTHENTICATED, EXPIRED)
        super().deadline_passed()

    def send_initial_metadata(self, fields: Fields) -> None:
        if not self.gone:
            self._tell_headers_sent(fields)
        super().send_initial_metadata(fields)

    def send_response(self, payload: bytes, *, compress: bool = True) -> None:
        if self.gone:
            return
        encoder = self.encoder
        if encoder is not None and compress and type(payload) is not Uncompressed:
            wire = encoder.compress(payload)
            self._tell_sent(payload, wire)
            self.connection.send_message(self, prefix(len(wire), True), wire)
        else:
            self._tell_sent(payload, payload)
            self.connection.send_message(self, prefix(len(payload)), payload)

    def send_ok_response(self, payload: bytes) -> None:
        if not self.gone:
            self._tell_headers_sent(())
            self._tell_sent(payload, payload)
            self._tell_ended(StatusCode.OK, "", (), True, False)
        super().send_ok_response(payload)

    def send_status(self, code: StatusCode, details: str = "", fields: Fields = ()) -> None:
        if not self.gone:
            self._tell_ended(code, details, fields, True, not self.headers_sent)
        super().send_status(code, details, fields)
