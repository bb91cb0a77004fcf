"""An issuer of tokens for the example: signs them, and publishes its public keys. A real one is a product of its own."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.parse
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

NAME = "https://issuer.example"
SCOPES = {"alice": "greet greet.loudly", "bob": "greet"}


class Issuer:
    """Serves `/keys`, `/token?user=NAME&for=AUDIENCE` and `/rotate` on a free port of this machine."""

    def __init__(self) -> None:
        self._number = 0
        self.rotate()
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data = issuer.answer(self.path).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def rotate(self) -> None:
        """Sign with another key from now on."""
        self._number += 1
        self._key = ec.generate_private_key(ec.SECP256R1())

    def answer(self, path: str) -> str:
        url = urllib.parse.urlsplit(path)
        if url.path == "/keys":
            public: dict[str, Any] = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
            return json.dumps({"keys": [{**public, "kid": str(self._number), "use": "sig"}]})
        if url.path == "/rotate":
            self.rotate()
            return ""
        asked = dict(urllib.parse.parse_qsl(url.query))
        now = int(time.time())
        claims = {
            "iss": NAME,
            "sub": asked["user"],
            "aud": asked["for"],
            "scope": SCOPES[asked["user"]],
            "iat": now,
            "exp": now + 300,
        }
        return jwt.encode(claims, self._key, "ES256", {"kid": str(self._number)})

    def stop(self) -> None:
        self._server.shutdown()
