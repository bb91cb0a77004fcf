"""A token server on loopback that answers as it is told, and keeps what it was asked."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any

from support.http_servers import BoundedServer

__all__ = ["Asked", "TokenServer"]


class Asked:
    """One request."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: str) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))


class TokenServer:
    """Use it in a `with`.

    Args:
        context: for TLS, or None.

    Attributes:
        asked: what came, in order.
        answer: makes the status and the JSON object, or bytes, of an answer; may block. By default tokens `t1`, `t2` ...
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], tuple[int, Any]] = self._tokens
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _serve(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(size).decode()
                headers = {key.lower(): value for key, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, body)
                with outer._lock:
                    outer.asked.append(asked)
                status, content = outer.answer(asked)
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                if status in (301, 302, 307):
                    self.send_header("location", outer.url)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _serve

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = BoundedServer(Handler, context)
        self.host = f"127.0.0.1:{self._server.port}"
        self.url = f"http{'s' if context else ''}://{self.host}/token"

    def _tokens(self, asked: Asked) -> tuple[int, Any]:
        return 200, {
            "access_token": f"t{len(self.asked)}",
            "token_type": "Bearer",
            "expires_in": 3600,
        }

    def __enter__(self) -> TokenServer:
        self._server.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.close()
