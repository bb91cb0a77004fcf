"""A WSGI application (PEP 3333) that serves requests on threads of its own.

The threads are not those of the server's calls: an application that is slow, or whose clients are, then keeps no call waiting,
and the other way round. What it reads of a request comes straight from the connection, so nothing is spooled to disk: the
client is held back by what has not been read.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.util import FileWrapper

from clarion.web.apps.answers import AnswerHead, BadAnswer
from clarion.web.apps.exchange import ClientGone, Exchange
from clarion.web.apps.requests import addresses, header_fields, unquoted

__all__ = ["WsgiRunner"]

_LOG = logging.getLogger(__name__)

# Names that programs take for something else than what a client says (CVE-2016-5385).
_HIDDEN = (b"proxy",)
_OWN = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
_BUFFER = 1 << 16

Headers = list[tuple[str, str]]


class WsgiRunner:
    """Serves requests with one application.

    Args:
        app: the application.
        threads: how many requests it serves at a time.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], threads: int) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="clarion-wsgi")

    def begin(self, exchange: Exchange) -> None:
        """Have a request served; where the connection may be touched."""
        changed = threading.Event()
        exchange.wake = changed.set
        try:
            self._pool.submit(self._serve, exchange, changed)
        except RuntimeError:
            exchange.refuse(503, "the server was stopped")

    def close(self) -> None:
        """Take no more requests, and forget those that no thread has begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _serve(self, exchange: Exchange, changed: threading.Event) -> None:
        if exchange.over:
            return
        try:
            _Response(exchange, changed).run(self._app)
        except ClientGone:
            _LOG.debug("%s went away while it was served", exchange.peer)
        except BaseException:
            # SystemExit ends the request: the thread has others to serve.
            request = exchange.request
            _LOG.exception(
                "the WSGI application failed for %r %r, asked by %s",
                request.method,
                request.path,
                exchange.peer,
            )
        # Nothing remains to be said after an answer that is complete.
        if not exchange.over:
            try:
                exchange.do(exchange.fail)
            except ClientGone:
                pass


class _Waiting:
    """How a thread waits for its client."""

    def __init__(self, exchange: Exchange, changed: threading.Event) -> None:
        self.exchange = exchange
        self._changed = changed

    def until_readable(self) -> None:
        """Until there is something of the request, or no more."""
        exchange = self.exchange
        while not exchange.do(self._look_readable):
            if not self._changed.wait(exchange.patience()):
                exchange.do(exchange.too_slow_to_send)

    def write(self, head: AnswerHead, piece: bytes, end: bool) -> None:
        """Send a piece, and wait until it is on its way."""
        exchange = self.exchange
        settled, left = exchange.do(self._write, head, piece, end)
        while not settled:
            if not self._changed.wait(exchange.limits.write_timeout):
                exchange.do(exchange.too_slow_to_read, left)
            settled, left = exchange.do(self._look_settled)

    # What changes after a look is not missed.

    def _write(self, head: AnswerHead, piece: bytes, end: bool) -> tuple[bool, int]:
        self.exchange.write(head, piece, end)
        return self._look_settled()

    def _look_readable(self) -> bool:
        self._changed.clear()
        return self.exchange.readable

    def _look_settled(self) -> tuple[bool, int]:
        self._changed.clear()
        return self.exchange.settled


class _Body(io.RawIOBase):
    """The request's body; `wsgi.input` is a buffer around it."""

    def __init__(self, waiting: _Waiting) -> None:
        self._waiting = waiting

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        waiting = self._waiting
        exchange = waiting.exchange
        while True:
            piece = exchange.do(exchange.take, len(buffer))
            if piece is not None:
                buffer[: len(piece)] = piece
                return len(piece)
            waiting.until_readable()


class _Response:
    """One run of the application."""

    def __init__(self, exchange: Exchange, changed: threading.Event) -> None:
        self._exchange = exchange
        self._waiting = _Waiting(exchange, changed)
        self._head: AnswerHead | None = None
        self._begun = False

    def run(self, app: Callable[..., Iterable[bytes]]) -> None:
        """Call the application, and send what it says.

        Raises:
            ClientGone: nobody is there to read it.
            BaseException: the application's.
        """
        body = io.BufferedReader(_Body(self._waiting), _BUFFER)
        result = app(environ_of(self._exchange, body), self._start_response)
        try:
            self._send_all(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def _send_all(self, result: Iterable[bytes]) -> None:
        whole = isinstance(result, (list, tuple)) and len(result) == 1
        for piece in result:
            if type(piece) is not bytes:
                raise BadAnswer(f"the application gave a piece of type {type(piece).__name__}")
            if piece:
                self._write(piece, whole)
        if not self._exchange.done:
            self._write(b"", True)

    def _start_response(
        self, status: str, headers: Headers, exc_info: Any = None
    ) -> Callable[[bytes], None]:
        try:
            if exc_info is not None and self._begun:
                raise exc_info[1].with_traceback(exc_info[2])
            if exc_info is None and self._head is not None:
                raise BadAnswer("start_response was called twice, without exc_info")
        finally:
            # PEP 3333: or the traceback keeps this frame.
            exc_info = None
        fields = [(_latin(name), _latin(value)) for name, value in headers]
        self._head = AnswerHead(_status_of(status), fields, self._exchange.request.method)
        return self.write

    def write(self, piece: bytes) -> None:
        """What PEP 3333 has for applications that cannot do without."""
        if type(piece) is not bytes:
            raise BadAnswer(f"write() takes bytes, not {type(piece).__name__}")
        if piece:
            self._write(piece, False)

    def _write(self, piece: bytes, end: bool) -> None:
        if self._head is None:
            raise BadAnswer("the application gave an answer without a call of start_response")
        self._begun = True
        self._waiting.write(self._head, piece, end)


def _status_of(status: Any) -> int:
    number = status[:3] if isinstance(status, str) else ""
    if not number.isascii() or not number.isdigit() or status[3:4] not in ("", " "):
        raise BadAnswer(f"the status is {status!r}; it must be like '200 OK'")
    return int(number)


def _latin(value: Any) -> bytes:
    if not isinstance(value, str):
        raise BadAnswer(f"{value!r} in a header is no str")
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        raise BadAnswer(f"{value!r} in a header has characters beyond latin-1") from None


def environ_of(exchange: Exchange, body: Any) -> dict[str, Any]:
    """What PEP 3333 tells an application of a request."""
    request = exchange.request
    client, server = addresses(exchange.socket)
    fields = header_fields(request)
    host, port = _server_name(server, exchange.tls is not None, request.authority)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquoted(request.path).decode("latin-1"),
        "QUERY_STRING": request.query.decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{exchange.http_version}",
        "REQUEST_URI": request.target.decode("latin-1"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http" if exchange.tls is None else "https",
        "wsgi.input": body,
        # Its end is the body's, with or without a content-length.
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    if client is not None:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
    for key, value in _variables(fields):
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _variables(fields: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[str, str]]:
    for name, value in fields:
        # With an underscore it would look like another field, maybe one that a proxy vouches for.
        if b"_" in name or name in _HIDDEN:
            continue
        key = _OWN.get(name) or "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        yield key, value.decode("latin-1")


def _server_name(
    server: tuple[str, int | None] | None, secure: bool, host: bytes
) -> tuple[str, str]:
    """Where the server is, as PEP 3333 wants it also for sockets that have no port."""
    if server is not None and server[1] is not None:
        return server[0], str(server[1])
    name = host.decode("latin-1").rpartition(":")[0] or host.decode("latin-1") or "localhost"
    return name, "443" if secure else "80"
