"""`clarion.trace`, and the variables that begin a trace with the process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from clarion import trace_points
from clarion.background_writer import BackgroundWriter
from clarion.http2 import watching
from clarion.wire_trace.calls import switch_calls
from clarion.wire_trace.event import TraceEvent
from clarion.wire_trace.hub import CATEGORIES, HUB, Recording, Settings
from clarion.wire_trace.masking import SECRET_FIELDS, SECRET_HEADERS, Masking
from clarion.wire_trace.sinks import Destination, open_destination
from clarion.wire_trace.traced_connection import TracedConnection

__all__ = ["Trace", "from_environment", "trace"]

_LOG = logging.getLogger(__name__)

_MOST_QUEUED = 20_000
_ALREADY_THERE = "; connections that are open already are not shown"


class Trace:
    """A trace that is on until `stop`, or until the `with` block that it is used in ends.

    Attributes:
        categories: what it shows.
    """

    def __init__(
        self,
        categories: frozenset[str],
        methods: tuple[str, ...],
        peers: tuple[str, ...],
        settings: Settings,
        to: Destination,
    ) -> None:
        self.categories = categories
        write, self._close = open_destination(to)
        self._writer: BackgroundWriter[TraceEvent] = BackgroundWriter(
            write, _MOST_QUEUED, "clarion-trace"
        )
        self._recording = Recording(categories, methods, peers, settings, self._writer)
        self._lock = threading.Lock()
        self._stopped = False
        shown = ", ".join(sorted(categories))
        late = _ALREADY_THERE if categories & {"frames", "messages"} else ""
        self._say(f"trace of {shown} begins{late}")
        HUB.add(self._recording)

    @property
    def dropped(self) -> int:
        """How many events were lost because whoever takes them was too slow."""
        return self._writer.dropped

    def _say(self, text: str) -> None:
        self._writer.put(TraceEvent(time.time(), "trace", text))

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until what happened so far is written; return False if that takes longer than `timeout` seconds."""
        return self._writer.flush(timeout)

    def stop(self) -> None:
        """End the trace, and wait until it is written."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
        HUB.remove(self._recording)
        if self.dropped:
            self._writer.flush()
            self._say(f"{self.dropped} events were lost: they came faster than they were written")
        self._writer.close()
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def trace(
    categories: str | Iterable[str] = "calls,connections",
    *,
    to: Destination = None,
    method: str | Iterable[str] = (),
    peer: str | Iterable[str] = (),
    limit: int = 1000,
    secret_headers: Iterable[str] | None = None,
    secret_fields: Iterable[str] | None = None,
    pool: Any = None,
) -> Trace:
    """Show what happens: frames and headers, messages, calls, connections.

    The trace is on when this returns. Frames and messages are those of connections that are made from then on, because the
    headers of older ones cannot be decoded (RFC 7541 §2.2).

        with clarion.trace("frames,messages", to="trace.txt"):
            stub.SayHello(request)

    Args:
        categories: of `frames`, `messages`, `calls`, `connections`, `names`, `balancing`, `tls`, or `all`; as a list or with
            commas.
        to: where it goes: a path (the file is continued), a text stream, a `logging.Logger` (level INFO), or a function that
            takes a `TraceEvent`. By default `sys.stderr`. It is called on a thread of the trace.
        method: show only calls whose path (`/package.Service/Method`) matches one of these shell patterns; and what belongs to
            no call is not shown, but for the end of connections.
        peer: show only connections whose other end (`ipv4:127.0.0.1:50051`) matches one of these shell patterns.
        limit: how many characters of a message to show.
        secret_headers: patterns of headers whose values are masked, in place of
            `clarion.wire_trace.SECRET_HEADERS`; an empty list shows them all.
        secret_fields: the same for fields of messages, in place of `clarion.wire_trace.SECRET_FIELDS`. Fields with the option
            `debug_redact` are always masked.
        pool: a protobuf `DescriptorPool` that knows methods which the default one does not.

    Raises:
        ValueError: there is no such category.
        TypeError: `to` takes no events.
        OSError: the file cannot be opened.
    """
    settings = Settings(
        Masking(
            SECRET_HEADERS if secret_headers is None else secret_headers,
            SECRET_FIELDS if secret_fields is None else secret_fields,
        ),
        limit,
        pool,
    )
    return Trace(_categories(categories), _strings(method), _strings(peer), settings, to)


def _strings(given: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(given.split(",")) if isinstance(given, str) else tuple(given)


def _categories(given: str | Iterable[str]) -> frozenset[str]:
    names = {name.strip().lower() for name in _strings(given)} - {""}
    unknown = names - {*CATEGORIES, "all"}
    if unknown or not names:
        problem = f"no category {min(unknown)!r}" if unknown else "no category is given"
        raise ValueError(f"{problem}; there are {', '.join(CATEGORIES)} and all")
    return frozenset(CATEGORIES if "all" in names else names)


def from_environment(variables: Mapping[str, str]) -> Trace | None:
    """Begin the trace that `CLARION_TRACE` and its companions ask for.

    What is wrong in them is logged, and does not stop the program.

    Args:
        variables: `CLARION_TRACE` (the categories), and if need be `CLARION_TRACE_FILE` (a path), `CLARION_TRACE_METHOD`,
            `CLARION_TRACE_PEER` (patterns, with commas) and `CLARION_TRACE_LIMIT`.
    """
    try:
        return trace(
            variables["CLARION_TRACE"],
            to=variables.get("CLARION_TRACE_FILE") or None,
            method=tuple(filter(None, variables.get("CLARION_TRACE_METHOD", "").split(","))),
            peer=tuple(filter(None, variables.get("CLARION_TRACE_PEER", "").split(","))),
            limit=int(variables.get("CLARION_TRACE_LIMIT") or 1000),
        )
    except (OSError, ValueError) as error:
        _LOG.warning("CLARION_TRACE: there is no trace: %s", error)
        return None


def _switch(categories: frozenset[str]) -> None:
    if HUB.watches_wires:
        watching.watch_with(TracedConnection)
    else:
        watching.plain()
    switch_calls("calls" in categories)
    beside = categories & {"names", "balancing", "connections", "tls"}
    trace_points.listen(HUB.happened if beside else None)


HUB.switches.append(_switch)
