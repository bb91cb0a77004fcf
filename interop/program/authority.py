"""The authority of the credentials cases, on loopback: a token endpoint and a metadata server.

- `POST /token` takes a signed assertion and gives an access token (RFC 7523 §2.1);
- `GET /computeMetadata/v1/...` answers as a Compute Engine instance's metadata server does, with
  tokens of its default service account. Clients find it by the variable `GCE_METADATA_HOST`.

Access tokens are signed with the account's key, so a server can verify them by itself.
"""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any

from interop.program.tokens import PrivateKey, sign, verify

__all__ = ["ACCOUNT", "SCOPE", "Authority"]

ACCOUNT = "interop@clarion-tests.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/xapi.zoo"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_INSTANCE = "/computeMetadata/v1/instance/service-accounts/default/"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Metadata-Flavor", "Google")
        self.end_headers()
        self.wfile.write(body)

    def _token(self, scope: str) -> None:
        token = self.server.access_token(scope)
        document = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        self._answer(200, json.dumps(document).encode(), "application/json")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        form = dict(urllib.parse.parse_qsl(body.decode()))
        claims = verify(self.server.key, form.get("assertion", ""))
        if self.path != "/token" or form.get("grant_type") != _GRANT or claims is None:
            self._answer(400, b'{"error": "invalid_grant"}', "application/json")
            return
        self._token(claims.get("scope", ""))

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        texts = {
            _INSTANCE + "email": ACCOUNT,
            _INSTANCE + "scopes": SCOPE,
            "/computeMetadata/v1/project/project-id": "clarion-tests",
            "/computeMetadata/v1/universe/universe-domain": "googleapis.com",
            "/": "computeMetadata/",
        }
        if path == _INSTANCE + "token":
            self._token(SCOPE)
        elif path in texts:
            self._answer(200, texts[path].encode(), "text/plain")
        elif path.rstrip("/") == _INSTANCE.rstrip("/"):
            document = {"email": ACCOUNT, "scopes": [SCOPE], "aliases": ["default"]}
            self._answer(200, json.dumps(document).encode(), "application/json")
        else:
            self._answer(404, b"not found", "text/plain")


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, key: PrivateKey) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = key

    def access_token(self, scope: str) -> str:
        now = int(time.time())
        return sign(self.key, {"sub": ACCOUNT, "scope": scope, "iat": now, "exp": now + 3600})


class Authority:
    """Runs the authority; `key_file` makes what clients are handed."""

    def __init__(self, key: Path) -> None:
        self._pem = key.read_text()
        self._server = _Server(PrivateKey.from_pem(self._pem))
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def write_key_file(self, path: Path) -> None:
        """Write the service account's JSON key file."""
        document = {
            "type": "service_account",
            "project_id": "clarion-tests",
            "private_key_id": "interop",
            "private_key": self._pem,
            "client_email": ACCOUNT,
            "client_id": "1",
            "auth_uri": f"http://{self.host}/auth",
            "token_uri": f"http://{self.host}/token",
        }
        path.write_text(json.dumps(document))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
