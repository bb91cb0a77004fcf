"""Moves the messages of one ASGI request: what `AsgiConnection` has to send goes to `send`, what `receive` gives goes to it.

Rules it keeps:
- One coroutine sends, and waits for the server with each message: that is the back-pressure which a handler's writes meet.
- Another receives, and does not while the call has unread requests; that is the back-pressure which clients meet. It starts with
  the request, in the same turn of the loop where the interpreter can (3.12): a request that is there already is served in that
  turn.
- An answer that comes before the request's end waits a moment for that: many servers drop a connection on which more comes of a
  request that they have answered, and with it, over HTTP/2, the calls of others. Only its end waits, because a client may wait
  for the answer before it ends its request; over HTTP/1.1 all of it, if nothing was sent of it: there a client that hears of an
  answer stops sending. Receiving goes on until the end is sent: servers with queues of their own do not send while these are full.
- Neither is left behind: when the application's coroutine is over, so are they, and the call has heard how it ended.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from clarion.errors import LocalError
from clarion.hpack import HeaderList
from clarion.http2.stream import Stream
from clarion.protocol.content_type import is_grpc_content_type
from clarion.web.asgi.client_certificate import auth_context
from clarion.web.asgi.connection import STREAM, AsgiConnection
from clarion.web.asgi.scope import has_trailers, is_http1, peer_of
from clarion.web.asgi_types import Receive, Scope, Send

if TYPE_CHECKING:
    from clarion.aio.server_call import AioServerCall
    from clarion.web.asgi.application import Application

__all__ = ["AsgiLink"]

_LOG = logging.getLogger(__name__)

_GONE = "the client went away"
# How long an answer waits for the rest of its request, in seconds. Who has a stream open, and sends nothing, waits as long.
_MOMENT = 0.25
_NEEDS_HTTP2 = "gRPC needs HTTP/2, and this request came by HTTP/1.1; gRPC-Web and Connect need neither HTTP/2 nor trailers"
_NEEDS_TRAILERS = (
    "gRPC needs HTTP trailers, which the ASGI server here does not send (extension http.response.trailers); "
    "serve the application with one that does, such as hypercorn, or uvicorn with HTTP/2, or use a port of "
    "Clarion's own for gRPC, or call by gRPC-Web or Connect"
)


class AsgiLink:
    """What a call takes for its transport.

    Args:
        server: whose request it is.
        scope, receive, send: ASGI's.

    Attributes:
        connection: the request as a connection.
        loop: where it is served.
        since: when it began, on the loop's clock.
        timed_calls: calls whose deadlines need timers, unless they are over with what was just received.
    """

    lock = nullcontext()
    tls = security = None
    _auth: Any = None

    def __init__(self, server: Application, scope: Scope, receive: Receive, send: Send) -> None:
        self._server = server
        self._scope = scope
        self._receive = receive
        self._send = send
        self.loop = loop = asyncio.get_running_loop()
        self.since = loop.time()
        self.timed_calls: list[AioServerCall] = []
        self.connection = AsgiConnection(self, loop.time, server.core.options.http2)
        self._work = asyncio.Event()
        self._credit = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._fault: Exception | None = None
        # All of the request was received; so much of it after the answer.
        self._ended = False
        self._discarded = 0
        # Done when no more of the request is waited for; there is one once that is so.
        self._rest: asyncio.Future[None] | None = None

    async def serve(self, headers: HeaderList) -> None:
        """Serve the request until its answer is sent, or nobody waits for it."""
        try:
            if not self.connection.answered:
                self._begin(headers)
            if not self.connection.answered or not _is_asking(self._scope):
                self._reader = self._start_reader()
            await self._write()
        except OSError as error:
            # ASGI's way to say that the client is gone, from version 2.4 on.
            _LOG.debug("%s went away: %r", self.peer(), error)
        finally:
            await self._end()
        if self._fault is not None:
            raise self._fault

    async def _end(self) -> None:
        self.connection.connection_lost(_GONE, alone=not is_http1(self._scope))
        reader = self._reader
        if reader is not None and not reader.done():
            reader.cancel()
            await asyncio.wait([reader])

    # The request

    def _begin(self, headers: HeaderList) -> None:
        scope, server, connection = self._scope, self._server, self.connection
        stream: Stream
        if has_trailers(scope):
            # As on connections of HTTP/2: it finds out by itself what is no gRPC.
            stream = server.call_type(server, self, connection, STREAM)  # type: ignore[arg-type]
        else:
            if _is_grpc(headers):
                self._refuse_grpc()
                return
            http1 = is_http1(scope)
            types = server.web.types
            stream = types.open_stream(server, self, connection, STREAM, is_http1=http1)
        connection.begin(stream, headers)
        self._start_timers()

    def _refuse_grpc(self) -> None:
        connection = self.connection
        connection.opened = connection.calls_failed = 1
        if is_http1(self._scope):
            connection.refuse(505, _NEEDS_HTTP2)
            return
        # An answer without a body is what clients of gRPC may find the status in.
        said = (
            (b"content-type", b"application/grpc"),
            (b"grpc-status", b"12"),
            (b"grpc-message", _NEEDS_TRAILERS.encode()),
        )
        connection.refuse(501, _NEEDS_TRAILERS, said, body=False)

    def _start_reader(self) -> asyncio.Task[None]:
        coroutine = self._read()
        if sys.version_info >= (3, 12):
            return asyncio.Task(coroutine, loop=self.loop, eager_start=True)
        return self.loop.create_task(coroutine)

    async def _read(self) -> None:
        connection = self.connection
        try:
            while not connection.closed and not (connection.answered and self._ended):
                if connection.held:
                    self._credit.clear()
                    await self._credit.wait()
                    continue
                message = await self._receive()
                kind = message["type"]
                if kind == "http.disconnect":
                    self._lose(_GONE)
                elif kind == "http.request" and not self._ended:
                    self._ended = not message.get("more_body", False)
                    self._take(bytes(message.get("body", b"")))
                    if connection.answered and not self._has_rest:
                        # The end goes out before more is asked for than need be.
                        await asyncio.sleep(0)
                else:
                    raise LocalError(
                        f"the ASGI server gave a message {kind!r} that has no place here"
                    )
        except asyncio.CancelledError:
            # It need not be `_end`: there is middleware that has whoever receives cancelled, when the client is gone.
            self._lose(_GONE)
            raise
        except Exception as error:
            self._fault = error
            self._lose(f"the rest of the request cannot be received: {error!r}")
        finally:
            self._work.set()
            self._go_on_sending(ended=True)

    def _take(self, piece: bytes) -> None:
        if self.connection.answered:
            self._discarded += len(piece)
            self._go_on_sending()
        else:
            self.connection.receive(piece, self._ended)
            self._start_timers()

    @property
    def _has_rest(self) -> bool:
        """Whether the answer waits for the rest of its request."""
        return not self._ended and self._discarded <= self._server.web.options.max_discard

    def _lose(self, why: str) -> None:
        self.connection.connection_lost(why, alone=not is_http1(self._scope))

    def _start_timers(self) -> None:
        if self.timed_calls:
            timed, self.timed_calls = self.timed_calls, []
            for call in timed:
                call.start_timer()

    # The answer

    async def _write(self) -> None:
        connection = self.connection
        begun = not is_http1(self._scope)
        while True:
            self._work.clear()
            while connection.outbox:
                if connection.answered and self._has_rest:
                    if begun:
                        for message in connection.take_output(but_the_end=True):
                            await self._send(message)
                    await self._wait_for_rest()
                for message in connection.take_output():
                    await self._send(message)
                begun = True
                connection.output_sent()
            if connection.answered or connection.closed:
                return
            await self._work.wait()

    async def _wait_for_rest(self) -> None:
        reader = self._reader
        if reader is None or reader.done() or not self._has_rest:
            return
        self._rest = self.loop.create_future()
        await asyncio.wait([self._rest], timeout=_MOMENT)

    def _go_on_sending(self, *, ended: bool = False) -> None:
        rest = self._rest
        if rest is not None and not rest.done() and (ended or not self._has_rest):
            rest.set_result(None)

    # What the connection says

    def go_on_receiving(self) -> None:
        """See `AsgiObserver`."""
        self._credit.set()

    # What calls and the server do

    def flush_soon(self) -> None:
        """Something may be there to send."""
        self._work.set()

    def drain(self) -> None:
        """The server stops; the request goes on."""

    def close(self, message: str) -> None:
        """End it now."""
        self.connection.close(message)
        self._work.set()
        self._credit.set()

    def peer(self) -> str:
        """The client's address; see `clarion.aio.link.Link.peer`."""
        return peer_of(self._scope)

    @property
    def auth(self) -> Any:
        """What the server says about the client, a `clarion.security.AuthContext`; None without TLS, or if it does not say."""
        if self._auth is None:
            self._auth = auth_context(self._scope)
        return self._auth


def _is_asking(scope: Scope) -> bool:
    """Whether the client waits to be told that it may send the rest; ASGI's servers tell it when something is received."""
    return any(name == b"expect" for name, _value in scope.get("headers", ()))


def _is_grpc(headers: HeaderList) -> bool:
    return any(
        name == b"content-type" and is_grpc_content_type(value) for name, value in headers.fields
    )
