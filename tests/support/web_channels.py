"""A front end whose channels speak gRPC-Web or Connect, and a raw HTTP/1.1 server that answers as a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from clarion.web import WebOptions
from support.clients import AioClient, Client, SyncClient
from support.front_end import FrontEnd
from support.handlers import Handler
from support.libraries import LIMIT, Library
from support.loops import LoopThread
from support.servers import Server

__all__ = ["RawRequest", "RawServer", "WebFront", "answer"]


class _WebSyncClient(SyncClient):
    def __init__(self, library: Library, target: str, **options: Any) -> None:
        self.library = library
        self.raw = library.root.web_channel(target, **options)


class _WebAioClient(AioClient):
    def __init__(self, library: Library, target: str, loop: LoopThread, **options: Any) -> None:
        self.library = library
        self.loop = loop
        self.raw = loop.call(lambda: library.aio.web_channel(target, **options))


class WebFront(FrontEnd):
    """See the module. `web` are arguments of `web_channel` for all of its channels."""

    def __init__(self, library: Library, name: str, loop: LoopThread, **web: Any) -> None:
        super().__init__(library, name, loop)
        self.web = web

    def serve(self, handlers: dict[str, Handler], **options: Any) -> Server:
        options["options"] = [*(options.get("options") or ()), ("clarion.web", WebOptions())]
        return super().serve(handlers, **options)

    def connect(
        self,
        target: str,
        *,
        options: Sequence[tuple[str, Any]] = (),
        compression: str | None = None,
        credentials: Any = None,
        **more: Any,
    ) -> Client:
        arguments = {
            **self.web,
            "options": options,
            "compression": self.library.compression(compression),
            "credentials": credentials,
            **more,
        }
        client: Client
        if self.name == "sync":
            client = _WebSyncClient(self.library, target, **arguments)
        else:
            client = _WebAioClient(self.library, target, self.loop, **arguments)
        self._opened.append(client)
        return client


@dataclass
class RawRequest:
    """What came: the request line's parts, fields with names in lower case, and the body."""

    method: str
    target: str
    fields: dict[str, str]
    body: bytes


def answer(status: str, content_type: str, body: bytes, *more: str) -> bytes:
    """An answer in one piece."""
    lines = [f"HTTP/1.1 {status}", f"content-type: {content_type}", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, *more, "", ""]).encode() + body


class RawServer:
    """Answers each request with what `script` makes of it; None closes the connection without a word."""

    def __init__(self, script: Callable[[RawRequest], bytes | None]) -> None:
        self.script = script
        self.requests: list[RawRequest] = []
        self.connections = 0
        self._answered = threading.Semaphore(0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, sock.makefile("rb") as file:
            try:
                while (request := self._read(file)) is not None:
                    self.requests.append(request)
                    said = self.script(request)
                    if said is None:
                        return
                    sock.sendall(said)
                    self._answered.release()
            except OSError:
                return

    def _read(self, file: Any) -> RawRequest | None:
        line = file.readline().decode()
        if not line:
            return None
        method, target, _ = line.split()
        fields = {}
        while (line := file.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        body = b""
        if "chunked" in fields.get("transfer-encoding", ""):
            while size := int(file.readline(), 16):
                body += file.read(size)
                file.readline()
            file.readline()
        else:
            body = file.read(int(fields.get("content-length", 0)))
        return RawRequest(method, target, fields, body)

    def wait_answered(self) -> None:
        """Until there was another answer."""
        assert self._answered.acquire(timeout=LIMIT), "there was no answer"

    def hang_up(self) -> None:
        """Close all connections."""
        for sock in self._open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        # Wakes the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        # First, so that no connection is missed.
        self._threads[0].join(LIMIT)
        self.hang_up()
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive()
