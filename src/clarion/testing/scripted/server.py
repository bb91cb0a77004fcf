"""A server without a port, whose client a test plays."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from typing import Any

from clarion.testing.scripted import interfaces
from clarion.testing.scripted.served_call import Requests, ScriptedContext, ServedCall

__all__ = ["ScriptedServer"]


class ScriptedServer(interfaces.Server):
    """The server. Messages are handed over as they are: nothing is serialized."""

    def __init__(self, servicers: Mapping[Any, Any], time: interfaces.Time) -> None:
        self._servicers = servicers
        self._time = time

    def invoke_unary_unary(
        self, method_descriptor: Any, invocation_metadata: Any, request: Any, timeout: float | None
    ) -> interfaces.UnaryUnaryServerRpc:
        call = self._begin(method_descriptor, invocation_metadata, timeout, _answer, request)
        return _UnaryUnaryRpc(call)

    def invoke_unary_stream(
        self, method_descriptor: Any, invocation_metadata: Any, request: Any, timeout: float | None
    ) -> interfaces.UnaryStreamServerRpc:
        call = self._begin(method_descriptor, invocation_metadata, timeout, _stream, request)
        return _UnaryStreamRpc(call)

    def invoke_stream_unary(
        self, method_descriptor: Any, invocation_metadata: Any, timeout: float | None
    ) -> interfaces.StreamUnaryServerRpc:
        return _StreamUnaryRpc(
            self._begin(method_descriptor, invocation_metadata, timeout, _answer)
        )

    def invoke_stream_stream(
        self, method_descriptor: Any, invocation_metadata: Any, timeout: float | None
    ) -> interfaces.StreamStreamServerRpc:
        return _StreamStreamRpc(
            self._begin(method_descriptor, invocation_metadata, timeout, _stream)
        )

    def _begin(
        self,
        descriptor: Any,
        metadata: Any,
        timeout: float | None,
        serve: Callable[[ServedCall, Any, Any], None],
        *request: Any,
    ) -> ServedCall:
        service = descriptor.containing_service
        if service not in self._servicers:
            raise KeyError(f"this server has no servicer for {service.full_name}")
        behavior = getattr(self._servicers[service], descriptor.name)
        call = ServedCall(metadata, self._time, timeout, closed=bool(request))
        argument = request[0] if request else Requests(call)
        call.watch_deadline()
        if call.active:
            threading.Thread(
                target=serve,
                args=(call, behavior, argument),
                name="clarion-scripted-handler",
                daemon=True,
            ).start()
        return call


def _answer(call: ServedCall, behavior: Callable[[Any, Any], Any], argument: Any) -> None:
    try:
        response = behavior(argument, ScriptedContext(call))
    except Exception as error:
        call.failed(error)
    else:
        call.respond(response)
        call.complete()


def _stream(call: ServedCall, behavior: Callable[[Any, Any], Any], argument: Any) -> None:
    try:
        for response in behavior(argument, ScriptedContext(call)):
            # Serializing would take it as it is now; handlers may go on with the same message.
            call.respond(copy.deepcopy(response))
            if not call.active:
                return
    except Exception as error:
        call.failed(error)
    else:
        call.complete()


# The client's side


class _Rpc:
    def __init__(self, call: ServedCall) -> None:
        self._call = call

    def initial_metadata(self) -> Any:
        return self._call.initial_metadata()

    def cancel(self) -> None:
        self._call.cancel()

    def send_request(self, request: Any) -> None:
        self._call.send_request(request)

    def requests_closed(self) -> None:
        self._call.requests_closed()

    def take_response(self) -> Any:
        return self._call.take_response()


class _AnsweredRpc(_Rpc):
    def termination(self) -> Any:
        return self._call.unary_termination()


class _StreamedRpc(_Rpc):
    def termination(self) -> Any:
        return self._call.stream_termination()


class _UnaryUnaryRpc(_AnsweredRpc, interfaces.UnaryUnaryServerRpc): ...


class _UnaryStreamRpc(_StreamedRpc, interfaces.UnaryStreamServerRpc): ...


class _StreamUnaryRpc(_AnsweredRpc, interfaces.StreamUnaryServerRpc): ...


class _StreamStreamRpc(_StreamedRpc, interfaces.StreamStreamServerRpc): ...
