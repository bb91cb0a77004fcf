"""The test service and the load report service, over `ServerCall`."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from typing import Any

from interop.program.identity import Verifier
from interop.program.library import Received
from interop.program.messages import (
    ORCA_KEY,
    orca,
    payload,
    testing,
)
from interop.program.server_call import Handler, ServerCall
from interop.program.session import Metadata

__all__ = ["Service"]

_INITIAL = "x-grpc-test-echo-initial"
_TRAILING = "x-grpc-test-echo-trailing-bin"
_INVALID_ARGUMENT = 3
_CACHE_SECONDS = 60
_CACHE_SIZE = 1000
_LEAST_INTERVAL = 0.05


def _load(report: Any) -> Any:
    return orca.OrcaLoadReport(
        cpu_utilization=report.cpu_utilization,
        mem_utilization=report.memory_utilization,
        request_cost=report.request_cost,
        utilization=report.utilization,
    )


class Service:
    """The features of an interop server."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._id = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._cached: dict[bytes, tuple[float, bytes]] = {}
        self._load = orca.OrcaLoadReport()
        self._holder: object | None = None
        self._lock = threading.Lock()

    def handlers(self) -> dict[str, dict[str, Handler]]:
        """By service and method."""
        return {
            "grpc.testing.TestService": {
                "EmptyCall": self.empty_call,
                "UnaryCall": self.unary_call,
                "CacheableUnaryCall": self.cacheable_unary_call,
                "StreamingOutputCall": self.streaming_output_call,
                "StreamingInputCall": self.streaming_input_call,
                "FullDuplexCall": self.full_duplex_call,
                "HalfDuplexCall": self.half_duplex_call,
            },
            "xds.service.orca.v3.OpenRcaService": {"StreamCoreMetrics": self.stream_core_metrics},
        }

    # What several methods do

    async def _echo_metadata(self, call: ServerCall, *, compressing: bool = False) -> Metadata:
        """Send back the client's initial metadata; return what is to trail."""
        initial = [pair for pair in call.metadata if pair[0] == _INITIAL]
        # grpc.aio forgets the compression if the headers leave with the only response.
        if initial or compressing:
            await call.send_initial(initial)
        return [pair for pair in call.metadata if pair[0] == _TRAILING]

    async def _check(self, call: ServerCall, received: Received) -> None:
        """End the call if the request asks for it, or is not as it says."""
        message = received.message
        fields = message.DESCRIPTOR.fields_by_name
        if "response_status" in fields and message.response_status.code:
            await call.abort(message.response_status.code, message.response_status.message)
        wants = "expect_compressed" in fields and message.expect_compressed.value
        if wants and received.compressed is False:
            await call.abort(_INVALID_ARGUMENT, "the request was expected to be compressed")
        if "response_type" in fields and message.response_type != testing.COMPRESSABLE:
            await call.abort(_INVALID_ARGUMENT, f"unknown payload type {message.response_type}")

    async def _respond(self, call: ServerCall, parameters: Any) -> None:
        """Send the responses that a request asks for."""
        for each in parameters:
            if each.interval_us and not await call.pause(each.interval_us / 1e6):
                return
            if not each.compressed.value:
                call.send_next_plain()
            await call.send(testing.StreamingOutputCallResponse(payload=payload(each.size)))

    # The test service

    async def empty_call(self, call: ServerCall) -> Any:
        return testing.Empty()

    async def unary_call(self, call: ServerCall) -> Any:
        received = call.request
        request = received.message
        compressing = request.response_compressed.value
        if compressing:
            call.compress()
        trailing = await self._echo_metadata(call, compressing=compressing)
        if request.HasField("orca_per_query_report"):
            report = _load(request.orca_per_query_report).SerializeToString()
            trailing.append((ORCA_KEY, report))
        call.set_trailing(trailing)
        await self._check(call, received)
        response = testing.SimpleResponse(hostname=socket.gethostname())
        if request.response_size:
            response.payload.CopyFrom(payload(request.response_size))
        if request.fill_server_id:
            response.server_id = self._id
        if request.fill_username or request.fill_oauth_scope:
            identity = self._verifier.identify(call.metadata)
            response.username = identity.username if request.fill_username else ""
            response.oauth_scope = identity.scope if request.fill_oauth_scope else ""
        return response

    async def cacheable_unary_call(self, call: ServerCall) -> Any:
        """The time, in nanoseconds; the server is its own cache, as no proxy is between."""
        await call.send_initial([("cache-control", f"max-age={_CACHE_SECONDS}, public")])
        key = call.request.message.SerializeToString()
        now = time.monotonic()
        made, body = self._cached.get(key, (now - _CACHE_SECONDS, b""))
        if now - made >= _CACHE_SECONDS:
            while len(self._cached) >= _CACHE_SIZE:
                self._cached.pop(next(iter(self._cached)), None)
            body = str(time.time_ns()).encode()
            self._cached[key] = now, body
        return testing.SimpleResponse(payload=testing.Payload(body=body))

    async def streaming_output_call(self, call: ServerCall) -> None:
        request = call.request.message
        if any(each.compressed.value for each in request.response_parameters):
            call.compress()
        await self._check(call, call.request)
        await self._respond(call, request.response_parameters)

    async def streaming_input_call(self, call: ServerCall) -> Any:
        size = 0
        async for received in call.requests():
            await self._check(call, received)
            size += len(received.message.payload.body)
        return testing.StreamingInputCallResponse(aggregated_payload_size=size)

    async def full_duplex_call(self, call: ServerCall) -> None:
        call.set_trailing(await self._echo_metadata(call))
        me = object()
        try:
            async for received in call.requests():
                if received.message.HasField("orca_oob_report"):
                    await self._hold(call, me)
                    self._load = _load(received.message.orca_oob_report)
                await self._check(call, received)
                await self._respond(call, received.message.response_parameters)
        finally:
            with self._lock:
                if self._holder is me:
                    self._holder = None

    async def half_duplex_call(self, call: ServerCall) -> None:
        everything = [received async for received in call.requests()]
        for received in everything:
            await self._check(call, received)
            await self._respond(call, received.message.response_parameters)

    # Load reports

    async def _hold(self, call: ServerCall, me: object) -> None:
        """Wait until no other call sets the server's load."""
        while True:
            with self._lock:
                if self._holder in (None, me):
                    self._holder = me
                    return
            if not await call.pause(_LEAST_INTERVAL):
                return

    async def stream_core_metrics(self, call: ServerCall) -> None:
        interval = call.request.message.report_interval
        seconds = max(interval.seconds + interval.nanos / 1e9, _LEAST_INTERVAL)
        while True:
            await call.send(self._load)
            if not await call.pause(seconds):
                return
