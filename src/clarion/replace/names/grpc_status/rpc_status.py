"""`google.rpc.Status` in the trailing metadata of calls."""

from __future__ import annotations

from clarion.rich_errors import from_call, to_status
from grpc_status import _async as aio

__all__ = ["aio", "from_call", "to_status"]
