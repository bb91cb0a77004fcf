"""Recorded sessions: the calls of a channel, written to a file, and replayed without the server.

What records is a server of this process between the program and the real one, and what replays is one in its place. So
programs use ordinary channels of either front end, with interceptors, deadlines and generated code; and what is recorded
is bytes, whatever library the messages are of.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from clarion.method import GenericRpcHandler, HandlerCallDetails, stream_stream_rpc_method_handler
from clarion.rpc_error import RpcError
from clarion.status import StatusCode
from clarion.testing.in_process import aio_in_process_channel, in_process_channel
from clarion.testing.session_file import (
    END_OF_REQUESTS,
    MASK,
    RecordedCall,
    SessionError,
    describe,
    dump,
    load,
    same_message,
)

if TYPE_CHECKING:
    import clarion.aio.interfaces
    import clarion.sync.channel_interface

__all__ = ["Recorder", "Replayer"]

_SECRET_WORDS = ("authorization", "cookie", "token", "secret", "password", "api-key", "credential")
_CALLS_AT_A_TIME = 100
_UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_STATUS_DETAILS = "grpc-status-details-bin"


class _Handlers(GenericRpcHandler):
    """Serves every method by one function of its path, the requests and the context."""

    def __init__(self, serve: Callable[[str, Any, Any], Iterator[bytes]]) -> None:
        self._serve = serve

    def service(self, handler_call_details: HandlerCallDetails) -> Any:
        path = handler_call_details.method
        return stream_stream_rpc_method_handler(
            lambda requests, context: self._serve(path, requests, context)
        )


class _Between:
    """A server of this process, and the channels to it."""

    def __init__(self) -> None:
        # Programs that only use the asyncio front end load the other one for this.
        from clarion.sync.sync_server import server

        self._pool = ThreadPoolExecutor(_CALLS_AT_A_TIME, "clarion-session")
        self._server = server(self._pool, [_Handlers(self._serve)], options=_UNLIMITED)
        self._server.start()
        self._lock = threading.Lock()

    def channel(
        self, options: Sequence[tuple[str, Any]] | None = None
    ) -> clarion.sync.channel_interface.Channel:
        """A sync channel for the program under test; to be closed by whoever asked for it.

        Args:
            options: channel arguments, `(name, value)` pairs.
        """
        return in_process_channel(self._server, [*_UNLIMITED, *(options or ())])

    def aio_channel(
        self,
        options: Iterable[tuple[str, Any]] | None = None,
        interceptors: Iterable[Any] | None = None,
    ) -> clarion.aio.interfaces.Channel:
        """The same for an asyncio program.

        Args:
            options: channel arguments, `(name, value)` pairs.
            interceptors: of the channel.
        """
        return aio_in_process_channel(
            self._server, [*_UNLIMITED, *(options or ())], interceptors=interceptors
        )

    def _serve(self, method: str, requests: Any, context: Any) -> Iterator[bytes]:
        raise NotImplementedError

    def _stop(self) -> None:
        self._server.stop(None).wait()
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(failed=kind is not None)

    def _end(self, *, failed: bool) -> None:
        raise NotImplementedError


class Recorder(_Between):
    """Records calls, while it passes them on. A context manager; the file is written at its end::

        with clarion.insecure_channel("prices.example:443") as real, Recorder(real, "prices.jsonl") as recorder:
            with recorder.channel() as channel:
                use(channel)

    Args:
        channel: a sync channel to the real server. It stays the caller's.
        path: the file, which is replaced.
        mask: keys of metadata whose values are secret, besides those whose names say so (`authorization`, `cookie`, and
            what contains `token`, `secret`, `password`, `api-key` or `credential`). They are passed on, and not written.
    """

    def __init__(
        self,
        channel: clarion.sync.channel_interface.Channel,
        path: str | os.PathLike[str],
        *,
        mask: Collection[str] = (),
    ) -> None:
        self._path = Path(path)
        self._mask = frozenset(key.lower() for key in mask)
        self._channel = channel
        self._calls: list[RecordedCall] = []
        super().__init__()

    def close(self) -> None:
        """End the calls in progress, and write the file. May be called again."""
        self._stop()
        with self._lock:
            self._path.write_text(dump(self._calls), encoding="utf-8")

    def _end(self, *, failed: bool) -> None:
        self.close()

    def _serve(self, method: str, requests: Any, context: Any) -> Iterator[bytes]:
        metadata = _passed_on(context.invocation_metadata())
        with self._lock:
            call = RecordedCall(len(self._calls) + 1, method, self._masked(metadata))
            # Unless it comes to another end.
            call.code, call.details = StatusCode.CANCELLED, "the client ended the call"
            self._calls.append(call)
        try:
            upstream = self._channel.stream_stream(method)(
                self._requests(call, requests), timeout=context.time_remaining(), metadata=metadata
            )
            context.add_callback(upstream.cancel)
            initial = _passed_on(upstream.initial_metadata())
            call.initial_metadata = self._masked(initial)
            context.send_initial_metadata(initial)
            for response in upstream:
                with self._lock:
                    call.messages.append(("response", response))
                yield response
            ended: Any = upstream
        except RpcError as error:
            ended = error
        trailing = _passed_on(ended.trailing_metadata())
        call.code, call.details = ended.code(), ended.details() or ""
        call.trailing_metadata = self._masked(trailing)
        _finish(context, call.code, call.details, trailing)

    def _requests(self, call: RecordedCall, requests: Iterator[bytes]) -> Iterator[bytes]:
        for request in requests:
            with self._lock:
                call.messages.append(("request", request))
            yield request
        with self._lock:
            call.messages.append((END_OF_REQUESTS, b""))

    def _masked(self, pairs: Any) -> Any:
        return [(key, MASK if self._is_secret(key) else value) for key, value in pairs]

    def _is_secret(self, key: str) -> bool:
        return key in self._mask or any(word in key for word in _SECRET_WORDS)


class Replayer(_Between):
    """Answers calls as they were answered when they were recorded, and nothing else. A context manager::

        with Replayer("prices.jsonl") as replayer, replayer.channel() as channel:
            use(channel)

    A call that is not the recorded one fails with FAILED_PRECONDITION and says how it differs; and so does the end of the
    `with` block, with a `SessionError`, also if recorded calls were not made.

    Args:
        path: the file.
        ordered: calls begin in the recorded order. Otherwise each one is answered by the first recorded call, not made
            yet, of the same method with the same first request.
        match_metadata: keys of metadata that have to be as recorded, too.

    Raises:
        OSError: the file cannot be read.
        SessionError: it is no recorded session.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        ordered: bool = True,
        match_metadata: Collection[str] = (),
    ) -> None:
        self._path = Path(path)
        self._left = load(path)
        self._ordered = ordered
        self._match = tuple(key.lower() for key in match_metadata)
        self._made = 0
        self.mismatches: list[str] = []
        super().__init__()

    def close(self) -> None:
        """End the calls in progress. May be called again."""
        self._stop()

    def check(self) -> None:
        """See that all recorded calls were made, and no others.

        Raises:
            SessionError: that is not so; says how.
        """
        with self._lock:
            problems = list(self.mismatches)
            problems += [
                f"{call.method} (line {call.line}) was recorded, and is not called"
                for call in self._left
            ]
        if problems:
            raise SessionError("; ".join(f"{self._path}: {problem}" for problem in problems))

    def _end(self, *, failed: bool) -> None:
        self.close()
        if not failed:
            self.check()

    def _serve(self, method: str, requests: Any, context: Any) -> Iterator[bytes]:
        with self._lock:
            self._made += 1
            number = self._made
        first = None if self._ordered else next(iter(requests), None)
        call = self._find(number, method, first, context)
        metadata = dict(_passed_on(context.invocation_metadata()))
        recorded = dict(call.metadata)
        for key in self._match:
            if metadata.get(key) != recorded.get(key):
                self._differ(
                    context,
                    f"call {number} of {method} (line {call.line}) has {key}: {metadata.get(key)!r}, where "
                    f"{recorded.get(key)!r} was recorded",
                )
        context.send_initial_metadata(call.initial_metadata)
        given = iter([first]) if first is not None else iter(())
        for kind, data in call.messages:
            if kind == "response":
                yield data
                continue
            request = next(given, None)
            if request is None:
                request = next(requests, None)
            self._compare(call, number, kind, data, request, context)
        _finish(context, call.code, call.details, call.trailing_metadata)

    def _find(self, number: int, method: str, first: bytes | None, context: Any) -> RecordedCall:
        with self._lock:
            for call in self._left[:1] if self._ordered else self._left:
                if call.method == method and (self._ordered or _begins_with(call, first)):
                    self._left.remove(call)
                    return call
            expected = self._left[0] if self._left else None
        if expected is None:
            problem = f"call {number} is {method}, and no further call was recorded"
        elif self._ordered:
            problem = f"call {number} is {method}, where {expected.method} (line {expected.line}) was recorded"
        else:
            got = describe(method, "request", first or b"")
            problem = f"call {number} is {method} with {got}, and no such call was recorded that was not made yet"
        return self._differ(context, problem)

    def _compare(
        self,
        call: RecordedCall,
        number: int,
        kind: str,
        data: bytes,
        request: bytes | None,
        context: Any,
    ) -> None:
        where = f"call {number} of {call.method} (line {call.line})"
        if kind == END_OF_REQUESTS:
            if request is not None:
                got = describe(call.method, "request", request)
                self._differ(context, f"{where} sends one request more than was recorded: {got}")
        elif request is None:
            missing = describe(call.method, "request", data)
            self._differ(context, f"{where} does not send the request that was recorded: {missing}")
        elif not same_message(call.method, "request", data, request):
            got = describe(call.method, "request", request)
            wanted = describe(call.method, "request", data)
            self._differ(context, f"{where} sends {got}, where {wanted} was recorded")

    def _differ(self, context: Any, problem: str) -> NoReturn:
        with self._lock:
            self.mismatches.append(problem)
        context.abort(StatusCode.FAILED_PRECONDITION, f"replay of {self._path.name}: {problem}")
        raise AssertionError("abort returned")


def _begins_with(call: RecordedCall, first: bytes | None) -> bool:
    kind, data = call.messages[0] if call.messages else (END_OF_REQUESTS, b"")
    if kind != "request" or first is None:
        return kind != "request" and first is None
    return same_message(call.method, kind, data, first)


def _passed_on(pairs: Any) -> list[tuple[str, Any]]:
    """Metadata without what belongs to the connection."""
    return [
        (key, value)
        for key, value in pairs or ()
        if key == _STATUS_DETAILS or not (key.startswith("grpc-") or key == "user-agent")
    ]


def _finish(context: Any, code: StatusCode, details: str, trailing: Any) -> None:
    context.set_trailing_metadata(tuple(trailing))
    if code is not StatusCode.OK:
        context.abort(code, details)
    context.set_details(details)
