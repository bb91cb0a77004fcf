"""The API server of a Kubernetes cluster, as far as watching EndpointSlices goes."""

from __future__ import annotations

import json
import queue
import ssl
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.credentials import CERTIFICATES
from support.http_servers import BoundedServer
from support.libraries import LIMIT

__all__ = ["ApiServer", "slice_of"]


def slice_of(*ports: int, name: str = "web-1", version: str = "1") -> dict[str, Any]:
    """A slice with a pod on the loopback for each port; slices have one port, so each is one of its own."""
    [port] = ports or (1,)
    return {
        "metadata": {"name": name, "resourceVersion": version},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "targetRef": {"kind": "Pod", "name": name}}]
        if ports
        else [],
        "ports": [{"name": "grpc", "port": port}],
    }


class ApiServer:
    """Lists `slices`, and sends what `send` is given to the watches.

    Attributes:
        slices: what a list has.
        answers: what comes in place of lists and watches, `(status, body)`, one after another.
        requests: what came, `list` or `watch VERSION`, in order.
        tokens: the Authorization header of each.
    """

    def __init__(self, *, tls: bool) -> None:
        self.slices: list[Any] = []
        self.answers: list[tuple[int, bytes]] = []
        self.requests: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.tokens: list[str | None] = []
        self._watches: set[queue.SimpleQueue[bytes]] = set()
        self._closing = False
        self._lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                owner._answer(self)

            def log_message(self, *arguments: Any) -> None: ...

        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
        self._server = BoundedServer(Handler, context)
        self.port = self._server.port
        self._server.start()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        query = parse_qs(url.query)
        assert url.path == "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
        assert query["labelSelector"] == ["kubernetes.io/service-name=web"]
        handler.close_connection = True
        self.tokens.append(handler.headers["Authorization"])
        watches = "watch" in query
        with self._lock:
            events: queue.SimpleQueue[bytes] = queue.SimpleQueue()
            status, body = self.answers.pop(0) if self.answers else (200, b"")
            if watches and status == 200 and not body:
                self._watches.add(events)
                if self._closing:
                    events.put(b"")
        self.requests.put(f"watch {query['resourceVersion'][0]}" if watches else "list")
        if status != 200 or body:
            self._whole(handler, status, body)
        elif watches:
            self._stream(handler, events)
        else:
            document = {"metadata": {"resourceVersion": "10"}, "items": self.slices}
            self._whole(handler, 200, json.dumps(document).encode())

    def _whole(self, handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _stream(self, handler: BaseHTTPRequestHandler, events: queue.SimpleQueue[bytes]) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            while data := events.get(timeout=LIMIT):
                # In two chunks, neither of which is a line.
                for part in filter(None, (data[:5], data[5:])):
                    handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            handler.wfile.write(b"0\r\n\r\n")
        except OSError:
            return
        finally:
            with self._lock:
                self._watches.discard(events)

    def send(self, kind: str, what: Any) -> None:
        """An event."""
        self.send_raw(json.dumps({"type": kind, "object": what}).encode() + b"\n")

    def send_raw(self, data: bytes) -> None:
        """Bytes of a watch; none end it."""
        with self._lock:
            for events in self._watches:
                events.put(data)

    def heard(self, expected: str) -> None:
        """Wait for a request."""
        got = self.requests.get(timeout=LIMIT)
        assert got == expected, got

    def close(self) -> None:
        self._server.refuse()
        with self._lock:
            # A watch that has been accepted may still be on its way.
            self._closing = True
        self.send_raw(b"")
        self._server.close()
