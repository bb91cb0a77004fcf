"""grpcio's experimental names (`grpc.experimental`).

Calls without a channel of one's own, and small helpers. Each function warns once, with `ExperimentalApiWarning`,
because grpcio's does and programs filter that warning.
"""

from __future__ import annotations

from clarion.experimental.handlers import wrap_server_method_handler
from clarion.experimental.stubs import (
    insecure_channel_credentials,
    stream_stream,
    stream_unary,
    unary_stream,
    unary_unary,
)
from clarion.experimental.warning import ExperimentalApiWarning, experimental_api
from clarion.protocol.messages import Uncompressed

__all__ = [
    "ChannelOptions",
    "ExperimentalApiWarning",
    "Uncompressed",
    "UsageError",
    "experimental_api",
    "insecure_channel_credentials",
    "stream_stream",
    "stream_unary",
    "unary_stream",
    "unary_unary",
    "wrap_server_method_handler",
]


class ChannelOptions:
    """Names of channel arguments that only grpcio for Python has.

    Attributes:
        SingleThreadedUnaryStream: read responses on the calling thread. Clarion always does; the argument is
            accepted and changes nothing.
    """

    SingleThreadedUnaryStream = "SingleThreadedUnaryStream"


class UsageError(Exception):
    """The API was used against its rules. Nothing of Clarion's raises it; see `clarion.aio.UsageError`."""
