"""One HTTP request to a token server, with the standard library, on the calling thread.

Tokens and secrets go in the request, so: no plain text but within the machine or where the caller says so, no redirects,
no proxy by chance, a limit to the answer and to the time. Nothing of the request is in an error.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import urllib.parse
from collections.abc import Mapping
from typing import Any

from clarion.credentials.call import CallCredentialsError
from clarion.status import StatusCode

__all__ = ["Endpoint", "basic", "form"]

# In bytes; tokens are a few thousand.
_LIMIT = 1 << 20
# In seconds, for each of connecting, sending and waiting for the answer.
_TIMEOUT = 10.0
# A server that says one of these may be well the next time (RFC 9110 §15).
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_ERROR_CODE = re.compile("[a-z_]{1,64}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Endpoint:
    """Where tokens come from.

    Args:
        url: `https://...`, or `http://` of this machine.
        context: for TLS; None: the system's roots.
        plain: allow `http://` of other machines, too.

    Raises:
        ValueError: another scheme, or no host.
    """

    def __init__(
        self, url: str, context: ssl.SSLContext | None = None, *, plain: bool = False
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("a token server's URL is https://HOST[:PORT]/PATH")
        if parts.scheme == "http" and not plain and parts.hostname not in _LOOPBACK:
            raise ValueError(
                f"secrets are not sent to {parts.hostname} over plain text: use https://"
            )
        self._secure = parts.scheme == "https"
        self._host: str = parts.hostname
        self._port = parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._context = context

    def get(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """As `post`."""
        return self._ask("GET", None, headers)

    def post(self, body: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """Send `body` and return the JSON object that comes back.

        Raises:
            CallCredentialsError: no answer, none with status 200, or another thing than a JSON object.
        """
        return self._ask("POST", body.encode("ascii"), headers)

    def _ask(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, Any]:
        try:
            status, content = self._exchange(method, body, headers)
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or getattr(error, "reason", None)
            raise CallCredentialsError(
                f"the token server {self._host} cannot be asked: {why or type(error).__name__}",
                StatusCode.UNAVAILABLE,
            ) from None
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if status != 200:
            raise CallCredentialsError(
                f"the token server {self._host} refused: HTTP {status}{_error(answer)}",
                StatusCode.UNAVAILABLE if status in _PASSING else StatusCode.UNAUTHENTICATED,
            )
        if not isinstance(answer, dict):
            raise CallCredentialsError(f"the token server {self._host} sent no JSON object")
        return answer

    def _exchange(
        self, method: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection
        if self._secure:
            context = self._context or ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=_TIMEOUT, context=context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT)
        try:
            connection.request(method, self._path, body, dict(headers))
            # A connection does not close what a response still has to read.
            with connection.getresponse() as response:
                status = response.status
                content = response.read(_LIMIT + 1)
        finally:
            connection.close()
        if len(content) > _LIMIT:
            raise CallCredentialsError(f"the answer of the token server {self._host} is too long")
        return status, content


def _error(answer: Any) -> str:
    """The error code of RFC 6749 §5.2. The description is the server's prose, and might quote the request."""
    code = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(code, str) and _ERROR_CODE.fullmatch(code):
        return f", {code}"
    return ""


def form(fields: Mapping[str, str | None]) -> str:
    """`application/x-www-form-urlencoded`; None leaves a field out."""
    return urllib.parse.urlencode({key: value for key, value in fields.items() if value})


def basic(name: str, secret: str) -> str:
    """The header value with which a client proves itself (RFC 6749 §2.3.1)."""
    pair = f"{urllib.parse.quote_plus(name)}:{urllib.parse.quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
