"""Connections through an HTTP proxy, on an event loop: CONNECT, before TLS or HTTP/2 begin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from clarion.protocol.http_connect import ConnectAnswer, ConnectRefused, connect_request
from clarion.resolver.target import ProxiedAddress

__all__ = ["TunnelFailed", "open_tunnel"]


class TunnelFailed(OSError):
    """There will be no connection; the message says why."""


async def open_tunnel(
    loop: asyncio.AbstractEventLoop,
    address: ProxiedAddress,
    protocol: Callable[[], asyncio.Protocol],
    seconds: float,
) -> None:
    """Connect `protocol()` to a server behind a proxy.

    Args:
        loop: the event loop.
        address: the server and its proxy.
        protocol: makes what is connected.
        seconds: how long the proxy may take to answer.

    Raises:
        TunnelFailed: the proxy did not connect.
        OSError: there is no connection to the proxy either.
    """
    over: asyncio.Future[str] = loop.create_future()
    tunnel = _Tunnel(address, protocol, over)
    await loop.create_connection(lambda: tunnel, address.proxy.host, address.proxy.port)
    try:
        failure = await asyncio.wait_for(over, seconds)
    except TimeoutError:
        failure = f"did not answer within {seconds:.3g} s"
    finally:
        tunnel.leave()
    if failure:
        raise TunnelFailed(address.explain(failure))


class _Tunnel(asyncio.Protocol):
    """What is connected until the proxy has answered."""

    def __init__(
        self,
        address: ProxiedAddress,
        protocol: Callable[[], asyncio.Protocol],
        over: asyncio.Future[str],
    ) -> None:
        self._address = address
        self._protocol = protocol
        self._over = over
        self._answer = ConnectAnswer()
        self._transport: asyncio.Transport | None = None

    def leave(self) -> None:
        """Nobody waits any more: without an answer, there is nothing to keep the connection for."""
        if self._transport is not None and not self._answer.done:
            self._transport.abort()

    # What asyncio says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(connect_request(self._address.server, self._address.authorization))

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if self._over.done() or transport is None:
            return
        try:
            consumed = self._answer.feed(data)
        except ConnectRefused as error:
            self._over.set_result(str(error))
            return
        if not self._answer.done:
            return
        protocol = self._protocol()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if consumed < len(data):
            protocol.data_received(data[consumed:])
        self._over.set_result("")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._over.done():
            self._over.set_result(
                f"closed the connection: {exc}" if exc else str(self._answer.ended())
            )
