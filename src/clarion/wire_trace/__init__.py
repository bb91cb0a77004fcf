"""Seeing the wire: what `clarion.trace` and the variable `CLARION_TRACE` show.

    splitter of frames, HPACK decoders          frame_reader, connection_watch
    messages, by their descriptors              messages, wire_format, descriptors
    what is not shown                           masking
    who is told, and where it goes              hub, sinks, recording
    calls, from their beginning to their end    calls

Nothing of this is loaded, and no connection or call does anything for it, before a trace begins.
"""

from __future__ import annotations

from clarion.wire_trace.event import TraceEvent
from clarion.wire_trace.masking import SECRET_FIELDS, SECRET_HEADERS
from clarion.wire_trace.recording import Trace, from_environment, trace

__all__ = ["SECRET_FIELDS", "SECRET_HEADERS", "Trace", "TraceEvent", "from_environment", "trace"]
