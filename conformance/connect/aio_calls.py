"""The suite's calls on an asyncio channel."""

from __future__ import annotations

import asyncio
from typing import Any

from common import error_from, headers_of, metadata_of
from connectrpc.conformance.v1 import client_compat_pb2, config_pb2, service_pb2

import clarion
import clarion.aio

__all__ = ["call"]


async def call(stub: Any, wanted: Any) -> Any:
    """Make the call that is wanted; returns what came of it."""
    return await _Call(stub, wanted).run()


class _Call:
    def __init__(self, stub: Any, wanted: Any) -> None:
        self._wanted = wanted
        self._method = getattr(stub, wanted.method)
        request_class = getattr(service_pb2, f"{wanted.method}Request")
        self._requests = [request_class.FromString(one.value) for one in wanted.request_messages]
        self._delay = wanted.request_delay_ms / 1000
        self._payloads: list[Any] = []
        self._timing = (
            wanted.cancel.WhichOneof("cancel_timing") if wanted.HasField("cancel") else ""
        )
        if self._timing is None:
            self._timing = "after_close_send_ms"

    async def run(self) -> Any:
        kind = self._wanted.stream_type
        more: dict[str, Any] = {"metadata": metadata_of(self._wanted.request_headers)}
        if self._wanted.HasField("timeout_ms"):
            more["timeout"] = self._wanted.timeout_ms / 1000
        single = kind in (config_pb2.STREAM_TYPE_UNARY, config_pb2.STREAM_TYPE_SERVER_STREAM)
        if single:
            await asyncio.sleep(self._delay)
            self._call = self._method(self._requests[0], **more)
        else:
            self._call = self._method(**more)
        try:
            if not single:
                await self._send(kind == config_pb2.STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM)
            if self._timing == "after_close_send_ms":
                await asyncio.sleep(self._wanted.cancel.after_close_send_ms / 1000)
                self._call.cancel()
            if kind in (config_pb2.STREAM_TYPE_UNARY, config_pb2.STREAM_TYPE_CLIENT_STREAM):
                self._note(await self._call)
            else:
                # A call is read in one way only, and a conversation needs this one.
                while (response := await self._call.read()) is not clarion.aio.EOF:
                    self._note(response)
        except (clarion.RpcError, asyncio.CancelledError, asyncio.InvalidStateError):
            # The call says how it ended; a write to one that is over says no more than that.
            pass
        return await self._result()

    async def _send(self, converses: bool) -> None:
        for request in self._requests:
            await asyncio.sleep(self._delay)
            await self._call.write(request)
            if converses:
                response = await self._call.read()
                if response is clarion.aio.EOF:
                    return
                self._note(response)
        if self._timing == "before_close_send":
            self._call.cancel()
        else:
            await self._call.done_writing()

    def _note(self, response: Any) -> None:
        self._payloads.append(response.payload if hasattr(response, "payload") else _NO_PAYLOAD)
        if self._timing == "after_num_responses":
            if len(self._payloads) == self._wanted.cancel.after_num_responses:
                self._call.cancel()

    async def _result(self) -> Any:
        made = self._call
        code, details = await made.code(), await made.details()
        trailing = await made.trailing_metadata()
        outcome = clarion.aio.AioRpcError(
            code, await made.initial_metadata(), trailing, details=details
        )
        return client_compat_pb2.ClientResponseResult(
            response_headers=headers_of(await made.initial_metadata()),
            response_trailers=headers_of(trailing),
            payloads=self._payloads,
            error=error_from(code, details, outcome),
        )


_NO_PAYLOAD = service_pb2.ConformancePayload()
