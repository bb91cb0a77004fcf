"""Calls to a server whose ends are measured: how long they took, and the bytes of their messages.

See `clarion.call_tracing.ServerMeasure`, and `client_core.measuring` for why it is not a tracer.

Rule it keeps: what nearly each call comes by names the method it goes on with, for `super()` looks through all the bases each
time. So front ends' classes of calls must not have these methods themselves.
"""

from __future__ import annotations

from typing import Any

from clarion.call_tracing import MethodMeasure
from clarion.http2 import Abort
from clarion.protocol.framing import prefix
from clarion.protocol.messages import Uncompressed
from clarion.server_core.call import ServerCall
from clarion.status import StatusCode

__all__ = ["MeasuredServerCall"]

Fields = tuple[tuple[bytes, bytes], ...]

# Enumerations look their members up anew each time.
_OK = StatusCode.OK


class MeasuredServerCall(ServerCall):
    """A call that is measured; a front end's class of calls follows among the bases."""

    # None once the call is over.
    _measure: MethodMeasure | None = None
    _begun = 0.0
    _sent_bytes = 0
    _received_bytes = 0

    def _measured(self, code: StatusCode) -> None:
        measure, self._measure = self._measure, None
        if measure is not None:
            measure.ended(code, measure.now() - self._begun, self._sent_bytes, self._received_bytes)

    # What `ServerCall` and `ServerStream` do

    def call_started(self) -> None:
        # A `RequestHead` and a `ServerMeasure`: to assert it takes as long as all the rest of this.
        head: Any = self.head
        measures: Any = self.core.tracing
        path = head.path
        measure: MethodMeasure | None = measures.known.get(path)
        if measure is None:
            measure = measures.method(path, self.core.knows(path))
        self._measure = measure
        self._begun = measure.now()
        measure.started()
        ServerCall.call_started(self)
        if self.gone:
            self._measured(StatusCode.UNAVAILABLE)

    def message_received(self, message: bytes) -> None:
        self._received_bytes += len(message)
        ServerCall.message_received(self, message)

    def call_aborted(self, reason: Abort) -> None:
        self._measured(StatusCode.UNAVAILABLE if reason.connection_lost else StatusCode.CANCELLED)
        super().call_aborted(reason)

    def deadline_passed(self) -> None:
        if self.parked is not None and not self.over:
            self._measured(
                StatusCode.DEADLINE_EXCEEDED if self.expiry is None else StatusCode.UNAUTHENTICATED
            )
        super().deadline_passed()

    def send_response(self, payload: bytes, *, compress: bool = True) -> None:
        if self.gone:
            return
        encoder = self.encoder
        packed = encoder is not None and compress and type(payload) is not Uncompressed
        if packed and encoder is not None:
            payload = encoder.compress(payload)
        self._sent_bytes += len(payload)
        self.connection.send_message(self, prefix(len(payload), packed), payload)

    def send_ok_response(self, payload: bytes) -> None:
        measure, self._measure = self._measure, None
        if measure is not None and not self.gone:
            measure.ended(_OK, measure.now() - self._begun, len(payload), self._received_bytes)
        ServerCall.send_ok_response(self, payload)

    def send_status(self, code: StatusCode, details: str = "", fields: Fields = ()) -> None:
        if not self.gone:
            self._measured(code)
        super().send_status(code, details, fields)
