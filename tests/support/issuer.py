"""An issuer of tokens on a loopback port: a key set, introspection, and tokens, good and bad."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from concurrent import futures
from http.server import BaseHTTPRequestHandler
from typing import Any

from support.http_servers import BoundedServer
from support.libraries import LIMIT

__all__ = [
    "AUDIENCE",
    "ISSUER",
    "Issuer",
    "b64",
    "claims",
    "finish",
    "forge",
    "jwk",
    "mint",
    "private_key",
]

ISSUER = "https://issuer.test"
AUDIENCE = "greeter"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@functools.cache
def private_key(kind: str, number: int = 0) -> Any:
    """A key of a kind, `RSA`, `RSA-1024`, `P-256`, `P-384`, `P-521` or `Ed25519`; the same one for the same number."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if kind.startswith("RSA"):
        return rsa.generate_private_key(65537, int(kind.partition("-")[2] or 2048))
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
    return ec.generate_private_key(curves[kind]())


def jwk(key: Any, **members: Any) -> dict[str, Any]:
    """The public part of a key as an entry of a key set."""
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

    name = type(key).__name__
    kind: Any = RSAAlgorithm if "RSA" in name else OKPAlgorithm if "Ed" in name else ECAlgorithm
    entry: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    return {**entry, **members}


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims; a change to None leaves a claim out."""
    now = int(time.time())
    found = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "iat": now,
        "exp": now + 300,
        "scope": "read write",
        "roles": ["reader"],
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


def mint(
    key: Any, algorithm: str = "RS256", headers: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A signed token."""
    import jwt

    return jwt.encode(claims(**changes), key, algorithm, {"kid": "1", **(headers or {})})


def forge(
    header: dict[str, Any] | bytes,
    payload: dict[str, Any] | bytes | None = None,
    secret: bytes | None = None,
) -> str:
    """A token of any parts; signed with HMAC-SHA256 where there is a secret."""
    parts = [
        b64(part if isinstance(part, bytes) else json.dumps(part).encode())
        for part in (header, claims() if payload is None else payload)
    ]
    signed = ".".join(parts)
    signature = b"x" * 32
    if secret is not None:
        signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{b64(signature)}"


def finish(steps: Any) -> Any:
    """What an authenticator's or key source's steps come to."""
    try:
        while True:
            pending = next(steps)
            assert futures.wait([pending.future], LIMIT).done, "nothing came"
    except StopIteration as done:
        return done.value


class Issuer:
    """Answers requests with what a test says.

    Attributes:
        keys: the entries of the key set at `/keys`.
        headers: more headers of each answer.
        status: of each answer.
        introspect: the answer about a token at `/introspect`.
        requests: `(path, headers, form)` of those that came.
        gate: where each answer waits.
    """

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.status = 200
        self.body: bytes | None = None
        self.introspect: Callable[[str], dict[str, Any]] = lambda token: {"active": False}
        self.requests: list[tuple[str, Any, dict[str, str]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Semaphore(0)
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer._answer(self, b"")

            def do_POST(self) -> None:
                issuer._answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: Any) -> None: ...

        self._server = BoundedServer(Handler)

    def __enter__(self) -> Issuer:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.port}{path}"

    def _answer(self, handler: Any, body: bytes) -> None:
        form = dict(urllib.parse.parse_qsl(body.decode()))
        self.requests.append((handler.path, handler.headers, form))
        self.arrived.release()
        self.gate.wait(LIMIT)
        if self.body is not None:
            answer = self.body
        elif handler.path == "/keys":
            answer = json.dumps({"keys": self.keys}).encode()
        else:
            answer = json.dumps(self.introspect(form.get("token", ""))).encode()
        try:
            handler.send_response(self.status)
            for name, value in self.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(answer)))
            handler.end_headers()
            handler.wfile.write(answer)
        except OSError:
            # Whoever asked has gone.
            handler.close_connection = True
