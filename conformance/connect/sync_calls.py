"""The suite's calls on a sync channel."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

from common import error_from, headers_of, metadata_of
from connectrpc.conformance.v1 import client_compat_pb2, config_pb2, service_pb2

import clarion

__all__ = ["call"]


def call(stub: Any, wanted: Any) -> Any:
    """Make the call that is wanted; returns what came of it."""
    return _Call(stub, wanted).run()


class _Call:
    def __init__(self, stub: Any, wanted: Any) -> None:
        self._wanted = wanted
        self._method = getattr(stub, wanted.method)
        request_class = getattr(service_pb2, f"{wanted.method}Request")
        self._requests = [request_class.FromString(one.value) for one in wanted.request_messages]
        self._delay = wanted.request_delay_ms / 1000
        self._payloads: list[Any] = []
        # Full duplex: requests that may go, and None behind the last one.
        self._may_go: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._all_sent = threading.Event()
        self._over = threading.Event()
        self._timing = (
            wanted.cancel.WhichOneof("cancel_timing") if wanted.HasField("cancel") else ""
        )
        if self._timing is None:
            self._timing = "after_close_send_ms"

    def run(self) -> Any:
        kind = self._wanted.stream_type
        more: dict[str, Any] = {"metadata": metadata_of(self._wanted.request_headers)}
        if self._wanted.HasField("timeout_ms"):
            more["timeout"] = self._wanted.timeout_ms / 1000
        if kind == config_pb2.STREAM_TYPE_UNARY:
            time.sleep(self._delay)
            self._call = self._method.future(self._requests[0], **more)
            self._all_sent.set()
        elif kind == config_pb2.STREAM_TYPE_SERVER_STREAM:
            time.sleep(self._delay)
            self._call = self._method(self._requests[0], **more)
            self._all_sent.set()
        elif kind == config_pb2.STREAM_TYPE_CLIENT_STREAM:
            self._call = self._method.future(self._all_requests(), **more)
        elif kind == config_pb2.STREAM_TYPE_HALF_DUPLEX_BIDI_STREAM:
            self._call = self._method(self._all_requests(), **more)
        else:
            self._call = self._method(iter(self._may_go.get, None), **more)
        self._call.add_callback(self._over.set)
        try:
            if kind == config_pb2.STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM:
                self._converse()
            self._maybe_cancel()
            if kind in (config_pb2.STREAM_TYPE_UNARY, config_pb2.STREAM_TYPE_CLIENT_STREAM):
                self._note(self._call.result())
            else:
                for response in self._call:
                    self._note(response)
        except (clarion.RpcError, clarion.FutureCancelledError):
            # The call says how it ended.
            pass
        finally:
            self._may_go.put(None)
            self._over.set()
        return self._result()

    def _all_requests(self) -> Iterator[Any]:
        for request in self._requests:
            time.sleep(self._delay)
            yield request
        self._all_sent.set()
        if self._timing == "before_close_send":
            # To return would be to close.
            self._over.wait()

    def _converse(self) -> None:
        for request in self._requests:
            time.sleep(self._delay)
            self._may_go.put(request)
            response = next(self._call, None)
            if response is None:
                return
            self._note(response)
        self._all_sent.set()
        if self._timing != "before_close_send":
            self._may_go.put(None)

    def _maybe_cancel(self) -> None:
        if self._timing in ("before_close_send", "after_close_send_ms"):
            self._all_sent.wait()
            if self._timing == "after_close_send_ms":
                time.sleep(self._wanted.cancel.after_close_send_ms / 1000)
            self._call.cancel()

    def _note(self, response: Any) -> None:
        self._payloads.append(response.payload if hasattr(response, "payload") else _NO_PAYLOAD)
        if self._timing == "after_num_responses":
            if len(self._payloads) == self._wanted.cancel.after_num_responses:
                self._call.cancel()

    def _result(self) -> Any:
        made = self._call
        return client_compat_pb2.ClientResponseResult(
            response_headers=headers_of(made.initial_metadata()),
            response_trailers=headers_of(made.trailing_metadata()),
            payloads=self._payloads,
            error=error_from(made.code(), made.details(), made),
        )


_NO_PAYLOAD = service_pb2.ConformancePayload()
