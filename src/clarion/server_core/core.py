"""A server without sockets: its methods, its limits, and the calls in progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from clarion.call_tracing import ServerTracing
from clarion.channelz_data import NOT_RECORDED, Totals
from clarion.http2 import Connection
from clarion.method import (
    CallDetails,
    Compression,
    EncodedCallDetails,
    GenericRpcHandler,
    HandlerCallDetails,
    MethodsHandler,
    RpcMethodHandler,
    ServiceRpcHandler,
)
from clarion.protocol.compression import Compressor, get_compressor
from clarion.protocol.request_head import RequestHead
from clarion.server_core.methods import Method
from clarion.server_core.options import ServerOptions

__all__ = ["ServerCore", "call_details"]


def call_details(head: RequestHead) -> CallDetails:
    """What generic handlers and interceptors are told of a call."""
    if head.subtype:
        details = EncodedCallDetails(head.path, head.metadata)
        details.content_subtype = head.subtype
        return details
    return CallDetails(head.path, head.metadata)


class ServerCore:
    """What all connections of a server share.

    Args:
        handlers: generic handlers, asked in this order.
        options: limits.
        max_concurrent: calls served at a time; more get RESOURCE_EXHAUSTED. None: no limit.
        compression: how responses are compressed, where the client can read it.

    Attributes:
        active: calls in progress.
        connections: open connections.
        stopping: no new calls are taken.
        tracing: who traces the calls, or None.
        node: what is recorded of the server.
        totals: what its connections counted that are gone.
    """

    tracing: ServerTracing | None = None

    def __init__(
        self,
        handlers: Iterable[GenericRpcHandler],
        options: ServerOptions,
        max_concurrent: int | None,
        compression: Compression | None,
    ) -> None:
        self.options = options
        self.max_concurrent = max_concurrent
        self.compressor: Compressor | None = None
        if compression is None:
            compression = options.compression
        if compression and options.compress:
            self.compressor = get_compressor(compression.encoding)
        self.active = 0
        self.connections: set[Connection] = set()
        self.stopping = False
        self.node = NOT_RECORDED
        self.totals = Totals()
        self.on_idle: Callable[[], None] | None = None
        self._registered: dict[str, RpcMethodHandler] = {}
        self._methods: dict[str, RpcMethodHandler] = {}
        self._generic: list[GenericRpcHandler] = []
        self._ready: dict[str, Method] = {}
        self.add_generic(handlers)

    def add_generic(self, handlers: Iterable[GenericRpcHandler]) -> None:
        """Add generic handlers behind those there are."""
        for handler in handlers:
            if not hasattr(handler, "service"):
                raise AttributeError(
                    f"{handler!r} is no generic handler: it has no method 'service'"
                )
            # A plain table asked before any rule of the user's is the same as asking in order.
            if type(handler) is MethodsHandler and not self._generic:
                for path, method in handler.methods.items():
                    self._methods.setdefault(path, method)
            else:
                self._generic.append(handler)

    def add_methods(self, service: str, methods: Mapping[str, RpcMethodHandler]) -> None:
        """Add registered handlers; they come before all generic ones."""
        for name, method in methods.items():
            path = f"/{service}/{name}"
            self._registered[path] = method
            self._ready.pop(path, None)

    def find(self, head: RequestHead) -> Method | None:
        """The method for a request, or None. May run user code, which may raise."""
        path = head.path
        method = self._ready.get(path)
        if method is not None:
            return method
        found = self._registered.get(path) or self._methods.get(path)
        if found is not None:
            method = self._ready[path] = Method(path, found)
            return method
        # The rule may answer differently next time, so nothing is kept.
        found = self._ask(call_details(head))
        return None if found is None else Method(path, found)

    def knows(self, path: str) -> bool:
        """Whether the tables have the method; else a rule may."""
        return path in self._registered or path in self._methods

    def service_names(self) -> set[str]:
        """The services that have handlers, as far as generic handlers say whose they are."""
        names = {path.split("/")[1] for path in (*self._registered, *self._methods)}
        for handler in self._generic:
            if isinstance(handler, ServiceRpcHandler):
                names.add(handler.service_name())
        return names

    def lookup(self, details: HandlerCallDetails) -> RpcMethodHandler | None:
        """The handler for a call, or None. May run user code, which may raise."""
        path = details.method
        return self._registered.get(path) or self._methods.get(path) or self._ask(details)

    def _ask(self, details: HandlerCallDetails) -> RpcMethodHandler | None:
        for handler in self._generic:
            found = handler.service(details)
            if found is not None:
                return found
        return None

    def call_ended(self) -> None:
        """A call that was admitted is over."""
        self.active -= 1
        if not self.active and self.on_idle is not None:
            self.on_idle()
