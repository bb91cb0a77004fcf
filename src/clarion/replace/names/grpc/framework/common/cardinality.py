"""Whether requests and responses of a method are single or streams."""

from __future__ import annotations

import enum

__all__ = ["Cardinality"]


@enum.unique
class Cardinality(enum.Enum):
    """The four kinds of methods."""

    UNARY_UNARY = "request-unary/response-unary"
    UNARY_STREAM = "request-unary/response-streaming"
    STREAM_UNARY = "request-streaming/response-unary"
    STREAM_STREAM = "request-streaming/response-streaming"
