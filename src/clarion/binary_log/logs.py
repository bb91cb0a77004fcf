"""Binary logs that are on: from what calls tell (`clarion.call_tracing`) to entries in a sink.

Rules it keeps:

- Calls do not wait for the log: events are queued, and what does not fit is lost. Gaps in an entry's
  `sequence_id_within_call` show where.
- What is logged is what applications see: of a call that was tried several times, what its last attempt brought (A16).
- Methods that the filter does not name cost nothing.
"""

from __future__ import annotations

import binascii
import itertools
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from clarion.background_writer import BackgroundWriter
from clarion.binary_log.config import Filter, Limits, parse_filter
from clarion.binary_log.entries import (
    CANCEL,
    CLIENT,
    CLIENT_HALF_CLOSE,
    CLIENT_HEADER,
    CLIENT_MESSAGE,
    OMITTED,
    SERVER,
    SERVER_HEADER,
    SERVER_MESSAGE,
    SERVER_TRAILER,
    Event,
    make_entry,
    omitter,
)
from clarion.binary_log.sinks import FileSink, Sink
from clarion.call_tracing import (
    CLIENT_TRACING,
    SERVER_TRACING,
    AttemptStart,
    AttemptTracer,
    CallTracer,
    ClientMethodTracing,
    ClientTracing,
    ServerCallStart,
    ServerCallTracer,
    ServerTracing,
    Stream,
    install,
)
from clarion.errors import RemoteError
from clarion.protocol.outcome import Metadata, Outcome
from clarion.status import StatusCode

__all__ = ["BinaryLog", "from_environment", "start"]

_LOG = logging.getLogger(__name__)

Fields = tuple[tuple[bytes, bytes], ...]

# Unique in the process, whichever log a call is in.
_calls = itertools.count(1)


class BinaryLog:
    """A log that is open.

    Args:
        sink: where entries go.
        filter: which calls, and how much of them.
        omit: shell patterns of metadata keys that are not logged.
        queue: how many entries may wait for the sink.
    """

    def __init__(
        self,
        sink: Sink,
        filter: str | Filter = "*",
        *,
        omit: Iterable[str] = OMITTED,
        queue: int = 10_000,
    ) -> None:
        self.filter = parse_filter(filter) if isinstance(filter, str) else filter
        self._sink = sink
        self._omits = omitter(omit)
        self._writer: BackgroundWriter[Event] = BackgroundWriter(
            self._write, queue, "clarion-binary-log"
        )
        self._client = _LoggedChannel(self)
        self._server = _LoggedServer(self)
        self._uninstall: Callable[[], None] | None = None
        self._closing = threading.Lock()
        self._closed = False

    @property
    def channel_options(self) -> list[tuple[str, Any]]:
        """Options for a channel that is to be logged, whether or not the log is installed."""
        return [(CLIENT_TRACING, self._client)]

    @property
    def server_options(self) -> list[tuple[str, Any]]:
        """Options for a server that is to be logged, whether or not the log is installed."""
        return [(SERVER_TRACING, self._server)]

    @property
    def dropped(self) -> int:
        """How many entries were lost because the sink was too slow."""
        return self._writer.dropped

    def install(self) -> None:
        """From now on log the calls of all channels and servers that are made."""
        if self._uninstall is None:
            self._uninstall = install(self._client, self._server).remove

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until what happened so far is in the sink; return False if that takes longer than `timeout` seconds."""
        return self._writer.flush(timeout)

    def close(self) -> None:
        """Log no more, and close the sink when all is in it."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        if self._uninstall is not None:
            self._uninstall()
        self._writer.close()
        self._sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def put(self, event: Event) -> None:
        """Something happened."""
        self._writer.put(event)

    def _write(self, events: list[Event]) -> None:
        failure: Exception | None = None
        for event in events:
            try:
                self._sink.write(make_entry(event, self._omits))
            except Exception as error:
                failure = error
        self._sink.flush()
        if failure is not None:
            raise failure


def start(
    to: str | os.PathLike[str] | Sink,
    filter: str = "*",
    *,
    omit: Iterable[str] = OMITTED,
    max_bytes: int | None = None,
    backups: int = 1,
) -> BinaryLog:
    """Log the calls of all channels and servers that are made from now on, until the log is closed.

    Args:
        to: a path, for which see `FileSink`; or a sink.
        filter: which calls, and how much of them, as in `GRPC_BINARY_LOG_FILTER` (gRFC A16); see `parse_filter`.
        omit: shell patterns of metadata keys that are not logged, in place of what call credentials add.
        max_bytes, backups: of the file; see `FileSink`.

    Raises:
        ValueError: the filter is not valid.
        OSError: the file cannot be opened.
    """
    # First, so that no file is left of a filter that is refused.
    parsed = parse_filter(filter)
    sink = to if isinstance(to, Sink) else FileSink(to, max_bytes=max_bytes, backups=backups)
    log = BinaryLog(sink, parsed, omit=omit)
    log.install()
    return log


def from_environment(variables: Mapping[str, str]) -> BinaryLog | None:
    """Begin the log that `GRPC_BINARY_LOG_FILTER` asks for.

    Args:
        variables: beside it, `CLARION_BINARY_LOG_FILE`: a path, in which `%p` stands for the process; by default it is in
            a new directory among those for temporary files, which others cannot enter. `CLARION_BINARY_LOG_MAX_BYTES`: see `FileSink`.

    Raises:
        ValueError: the filter is not valid; A16 wants the process not to start then.
    """
    text = variables.get("GRPC_BINARY_LOG_FILTER") or variables.get("GRPC_BINARY_LOG_CONFIG", "")
    if not text.strip():
        return None
    path = variables.get("CLARION_BINARY_LOG_FILE")
    size = variables.get("CLARION_BINARY_LOG_MAX_BYTES")
    parse_filter(text)
    try:
        if not path:
            path = os.path.join(tempfile.mkdtemp(prefix="clarion-binlog-"), "%p.binlog")
            _LOG.info("the binary log is %s", path.replace("%p", str(os.getpid())))
        return start(path, text, max_bytes=int(size) if size else None)
    except OSError as error:
        _LOG.warning("there is no binary log: %s", error)
        return None


class _LoggedCall:
    """What both sides share: the numbers of a call and its entries."""

    __slots__ = ("_log", "_logger", "call", "limits", "number")

    def __init__(self, log: BinaryLog, logger: int, limits: Limits) -> None:
        self._log = log
        self._logger = logger
        self.limits = limits
        self.call = next(_calls)
        # By itself atomic: requests and responses may be logged by two threads.
        self.number = itertools.count(1)

    def put(self, kind: int, **values: Any) -> None:
        self._log.put(
            Event(
                time.time(),
                self.call,
                next(self.number),
                kind,
                self._logger,
                self.limits,
                **values,
            )
        )

    def message(self, kind: int, payload: bytes) -> None:
        limit = self.limits.message
        data = payload if limit is None else payload[:limit]
        self.put(kind, data=bytes(data), length=len(payload))

    def received(self, kind: int, wire: bytes, stream: Stream) -> None:
        try:
            self.message(kind, stream.unpack(wire))
        except RemoteError:
            # The call fails of it, and that is logged.
            return


# The client's side


class _LoggedChannel(ClientTracing):
    __slots__ = ("_log",)

    def __init__(self, log: BinaryLog) -> None:
        self._log = log

    def method(self, target: str, method: str, registered: bool) -> ClientMethodTracing | None:
        log, limits = self._log, self._log.filter.limits(method)
        if limits is None:
            return None
        return lambda deadline, metadata: _ClientCall(log, limits, deadline, metadata)


class _ClientCall(CallTracer):
    __slots__ = ("_call", "_committed", "_half_closed", "_last", "_peer_told", "_requests")

    def __init__(
        self, log: BinaryLog, limits: Limits, deadline: float | None, metadata: Fields
    ) -> None:
        self._call = _LoggedCall(log, CLIENT, limits)
        self._committed: _Attempt | None = None
        self._last: tuple[_Attempt, bool] | None = None
        self._requests = 0
        self._half_closed = False
        self._peer_told = False
        fields = dict(metadata)
        self._call.put(
            CLIENT_HEADER,
            fields=_application(metadata),
            method=fields.get(b":path", b"").decode("utf-8", "replace"),
            authority=fields.get(b":authority", b"").decode("utf-8", "replace"),
            timeout=None if deadline is None else deadline - time.monotonic(),
        )

    def attempt(self, start: AttemptStart) -> AttemptTracer:
        return _Attempt(self, start.peer)

    def request(self, attempt: _Attempt, payload: bytes) -> None:
        """An attempt sent a request; later attempts send it again."""
        if attempt.requests > self._requests:
            self._requests = attempt.requests
            self._call.message(CLIENT_MESSAGE, payload)

    def half_close(self) -> None:
        """An attempt sent all requests."""
        if not self._half_closed:
            self._half_closed = True
            self._call.put(CLIENT_HALF_CLOSE)

    def head(self, attempt: _Attempt, metadata: Metadata) -> None:
        """An attempt has response headers: it is the call's from now on."""
        if self._committed is None:
            self._committed = attempt
            self._call.put(SERVER_HEADER, fields=_from_metadata(metadata), peer=self._peer(attempt))

    def response(self, attempt: _Attempt, wire: bytes, stream: Stream) -> None:
        """An attempt has a response."""
        if attempt is self._committed:
            self._call.received(SERVER_MESSAGE, wire, stream)

    def _peer(self, attempt: _Attempt) -> str:
        """The other end, in the first entry of what came from it."""
        if self._peer_told:
            return ""
        self._peer_told = True
        return attempt.peer

    def over(self, attempt: _Attempt, by_server: bool) -> None:
        """An attempt ended."""
        self._last = attempt, by_server

    def ended(self, outcome: Outcome) -> None:
        attempt, by_server = self._last or (None, False)
        if outcome.code is StatusCode.CANCELLED and not by_server:
            self._call.put(CANCEL)
        else:
            self._call.put(
                SERVER_TRAILER,
                code=outcome.code.value[0],
                details=outcome.details,
                fields=_from_metadata(outcome.trailing_metadata),
                peer=self._peer(attempt) if attempt is not None and by_server else "",
            )


class _Attempt(AttemptTracer):
    __slots__ = ("_call", "peer", "requests")

    def __init__(self, call: _ClientCall, peer: str) -> None:
        self._call = call
        self.peer = peer
        self.requests = 0

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        self.requests += 1
        self._call.request(self, payload)

    def half_closed(self) -> None:
        self._call.half_close()

    def headers_received(self, metadata: Metadata) -> None:
        self._call.head(self, metadata)

    def message_received(self, wire: bytes, stream: Stream) -> None:
        self._call.response(self, wire, stream)

    def ended(self, outcome: Outcome, *, by_server: bool, trailers_only: bool, here: bool) -> None:
        self._call.over(self, by_server)


# The server's side


class _LoggedServer(ServerTracing):
    __slots__ = ("_log",)

    def __init__(self, log: BinaryLog) -> None:
        self._log = log

    def call(self, start: ServerCallStart) -> ServerCallTracer | None:
        limits = self._log.filter.limits(start.method)
        return None if limits is None else _ServedCall(self._log, limits, start)


class _ServedCall(ServerCallTracer):
    __slots__ = ("_call",)

    def __init__(self, log: BinaryLog, limits: Limits, start: ServerCallStart) -> None:
        self._call = _LoggedCall(log, SERVER, limits)
        self._call.put(
            CLIENT_HEADER,
            fields=_from_metadata(start.metadata),
            method=start.method,
            authority=start.authority,
            timeout=start.timeout,
            peer=start.peer,
        )

    def message_received(self, wire: bytes, stream: Stream) -> None:
        self._call.received(CLIENT_MESSAGE, wire, stream)

    def half_closed(self) -> None:
        self._call.put(CLIENT_HALF_CLOSE)

    def headers_sent(self, fields: Fields) -> None:
        self._call.put(SERVER_HEADER, fields=_application(fields))

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        self._call.message(SERVER_MESSAGE, payload)

    def ended(
        self, code: StatusCode, details: str, fields: Fields, *, sent: bool, trailers_only: bool
    ) -> None:
        if not sent:
            self._call.put(CANCEL)
        else:
            self._call.put(
                SERVER_TRAILER,
                code=code.value[0],
                details=details,
                fields=_application(fields),
            )


# Metadata


def _application(fields: Fields) -> Fields:
    """Header fields, with binary values as they are for applications."""
    decoded: list[tuple[bytes, bytes]] = []
    for key, value in fields:
        if key.endswith(b"-bin"):
            # Several values may have been joined (PROTOCOL-HTTP2, "Binary-Header").
            decoded += [(key, _decode(each)) for each in value.split(b",")]
        else:
            decoded.append((key, value))
    return tuple(decoded)


def _decode(value: bytes) -> bytes:
    try:
        return binascii.a2b_base64(value + b"=" * (-len(value) % 4))
    except binascii.Error:
        # Logged as it is.
        return value


def _from_metadata(metadata: Metadata) -> Fields:
    return tuple(
        (key.encode(), value if isinstance(value, bytes) else value.encode("utf-8", "replace"))
        for key, value in metadata
    )
