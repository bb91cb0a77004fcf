"""What calls and futures are called in type checks: `isinstance(error, clarion.Call)`.

grpcio has abstract classes of these names. Here they are interfaces only: what implements them says so by
`register`, so that an exception can be a `Call` as well.
"""

from __future__ import annotations

from abc import ABCMeta

from clarion.sync.call import CallApi, ResponseFuture
from clarion.sync.channel import ReadyFuture
from clarion.sync.errors import CallError
from clarion.sync.server_context import ServicerContext

__all__ = ["Call", "Future", "RpcContext"]


class RpcContext(metaclass=ABCMeta):  # noqa: B024 - an interface by registration
    """A call, from either side: `is_active`, `time_remaining`, `cancel`, `add_callback`."""


class Call(RpcContext):
    """A call from the client's side: also `initial_metadata`, `trailing_metadata`, `code`, `details`."""


class Future(metaclass=ABCMeta):  # noqa: B024 - an interface by registration
    """A result to come: `result`, `exception`, `traceback`, `add_done_callback`, `cancel`, `cancelled`,
    `running`, `done`."""


RpcContext.register(ServicerContext)
Call.register(CallApi)
Call.register(CallError)
Future.register(ResponseFuture)
Future.register(ReadyFuture)
