"""HTTP requests for keys and introspection: on threads apart, bounded in time, size and number.

Redirects are not followed: what answers is whom the program named. Plain HTTP is for this machine alone, unless the
program says otherwise.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Answer", "Endpoint", "FetchFailed"]


class FetchFailed(Exception):
    """There is no answer; the message says why, and quotes nothing of request or answer."""


class Answer(NamedTuple):
    """What came.

    Attributes:
        body: of the response, whose status was 200.
        max_age: for how many seconds it may be kept, if it says so.
    """

    body: bytes
    max_age: float | None


class Endpoint:
    """Where requests go.

    Args:
        url: an absolute URL.
        timeout: how long one request may take, in seconds.
        limit: how long the response may be, in bytes.
        ssl_context: for `https`; by default the system's roots.
        allow_http: plain HTTP is good enough, to other machines, too.

    Raises:
        ValueError: the URL cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        limit: int,
        ssl_context: ssl.SSLContext | None,
        allow_http: bool,
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"an absolute http(s) URL expected, not one of scheme {parts.scheme!r}"
            )
        if parts.username is not None or parts.password is not None:
            raise ValueError("the URL must not have a user name or password")
        if parts.scheme == "http" and not allow_http and not _is_loopback(parts.hostname):
            raise ValueError(
                f"http://{parts.hostname} is not protected: use https, or allow_http=True "
                "where the network is"
            )
        self.timeout = timeout
        self._host = parts.hostname
        self._port = parts.port
        self._secure = parts.scheme == "https"
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._limit = limit
        self._ssl_context = ssl_context

    def __repr__(self) -> str:
        return f"<endpoint at {self._host}>"

    def request(
        self, method: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request, and wait for its answer.

        Raises:
            FetchFailed: there is none, or another than 200.
        """
        connection = self._connection()
        # The timeout of sockets is for one read; a server that drips bytes must not take longer.
        watchdog = threading.Timer(self.timeout, _shut, [connection])
        watchdog.daemon = True
        watchdog.start()
        try:
            connection.request(method, self._path, body, dict(headers or {}))
            return self._read(connection.getresponse())
        except FetchFailed:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchFailed(f"{self._host} could not be asked: {_why(error)}") from None
        finally:
            watchdog.cancel()
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self._host, self._port, timeout=self.timeout)
        context = self._ssl_context
        if context is None:
            context = self._ssl_context = ssl.create_default_context()
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self.timeout, context=context
        )

    def _read(self, response: http.client.HTTPResponse) -> Answer:
        if response.status != 200:
            raise FetchFailed(f"{self._host} answered {response.status}")
        body = response.read(self._limit + 1)
        if len(body) > self._limit:
            raise FetchFailed(f"{self._host} answered more than {self._limit} bytes")
        if response.length:
            raise FetchFailed(f"{self._host} did not finish its answer")
        return Answer(body, _max_age(response.getheader("Cache-Control", "")))


def _shut(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _max_age(header: str) -> float | None:
    for part in header.lower().split(","):
        name, _, value = part.strip().partition("=")
        if name in ("no-store", "no-cache"):
            return 0.0
        if name == "max-age" and value.isdecimal() and len(value) < 10:
            return float(value)
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
