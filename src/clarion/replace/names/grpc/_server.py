"""The classes behind `grpc.server`, for annotations and tests of programs."""

from __future__ import annotations

from collections.abc import Iterable

from clarion import GenericRpcHandler
from clarion.method import CallDetails as _HandlerCallDetails
from clarion.sync.server_context import ServicerContext as _Context
from clarion.sync.sync_server import Server as _Server

__all__ = ["_Context", "_HandlerCallDetails", "_Server", "_validate_generic_rpc_handlers"]


def _validate_generic_rpc_handlers(generic_rpc_handlers: Iterable[GenericRpcHandler]) -> None:
    """Check that each has a `service` method.

    Raises:
        AttributeError: one has none.
    """
    for handler in generic_rpc_handlers:
        if getattr(handler, "service", None) is None:
            raise AttributeError(
                f"{handler!r} must conform to grpc.GenericRpcHandler type: it has no 'service'"
            )
