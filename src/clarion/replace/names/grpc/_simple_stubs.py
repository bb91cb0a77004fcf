"""Calls without a channel of one's own."""

from __future__ import annotations

from clarion.experimental import stream_stream, stream_unary, unary_stream, unary_unary

__all__ = ["stream_stream", "stream_unary", "unary_stream", "unary_unary"]
