"""Watching EndpointSlices at the API server of a Kubernetes cluster, over HTTP/1.1, on the calling thread.

In a pod, the server's address is in the environment, and its authority and this pod's token are in files. Both are read
anew for each request: tokens expire within the hour, and the kubelet writes new ones. A token goes over TLS only.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from clarion.resolver.backoff import Backoff
from clarion.resolver.endpoint_slices import BadAnswer, Gone, KubernetesService, SliceWatch
from clarion.resolver.resolver import Resolution

__all__ = ["SERVICE_ACCOUNT", "Watcher"]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# Seconds. The server ends a watch after the second one, and says something, a bookmark at least, about every minute.
_ANSWER_TIMEOUT = 15.0
_WATCH_SECONDS = 300
_WATCH_TIMEOUT = 150.0
# A watch that ended sooner than that, in seconds, is not begun again without a pause.
_SHORT = 1.0
# Bytes. A slice has at most 1,000 endpoints; the answer to a list has all slices of a service.
_MOST_OF_AN_EVENT = 8 << 20
_MOST_OF_A_LIST = 128 << 20
_MOST_OF_AN_ERROR = 64 << 10


class _Refused(Exception):
    """The server answered, but not with what it was asked for."""


class _NoServer(Exception):
    """It is not known whom to ask."""


class Watcher:
    """Says which endpoints a service has, and why that is not known, until it is stopped.

    Args:
        service: the service.
        server: the API server's URL, or "" for the one of this cluster.
        salt: see `SliceWatch`.
        backoff: how long to wait between attempts that fail.
        say: hears; on the thread that runs `run`.
    """

    def __init__(
        self,
        service: KubernetesService,
        server: str,
        salt: int,
        backoff: Backoff,
        say: Callable[[Resolution], None],
    ) -> None:
        self._service = service
        self._server = server
        self._salt = salt
        self._backoff = backoff
        self._say = say
        self._stopped = threading.Event()
        self._connection: http.client.HTTPConnection | None = None

    def stop(self) -> None:
        """End `run` soon; from any thread."""
        self._stopped.set()
        connection = self._connection
        sock = connection.sock if connection is not None else None
        if sock is not None:
            try:
                # Not what TLS makes of it, which is for the thread that reads.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                # It came to its end by itself.
                return

    def run(self) -> None:
        """Watch, until stopped."""
        try:
            watch = SliceWatch(self._with_namespace(), self._salt)
        except OSError as error:
            self._say(
                Resolution(
                    error=f"the target names no namespace, and this is no pod, which would have one: {error}"
                )
            )
            return
        while not self._stopped.is_set():
            pause = False
            try:
                pause = not self._ask(watch)
            except Gone:
                pause = True
            except Exception as error:
                if isinstance(error, BadAnswer):
                    watch.failed()
                if not self._stopped.is_set():
                    self._say(Resolution(error=self._explain(error)))
                pause = True
            if pause:
                self._stopped.wait(self._backoff.next())

    def _with_namespace(self) -> KubernetesService:
        service = self._service
        if service.namespace:
            return service
        namespace = (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
        return service._replace(namespace=namespace)

    def _explain(self, error: Exception) -> str:
        if isinstance(error, _NoServer):
            return str(error)
        where = f"the Kubernetes API server {self._server or self._url()}"
        if isinstance(error, _Refused):
            return f"{where} refused: {error}"
        if isinstance(error, BadAnswer):
            return f"{where} sent a malformed answer: {error}"
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"{where}: {why}"

    # One request

    def _ask(self, watch: SliceWatch) -> bool:
        """List or watch; returns whether the next request may follow at once."""
        connection = self._connection = self._connect()
        try:
            connection.connect()
            if self._stopped.is_set():
                return True
            lists = not watch.version
            connection.request("GET", watch.path(_WATCH_SECONDS), headers=self._headers())
            response = connection.getresponse()
            if response.status != 200:
                raise _Refused(watch.refused(response.status, response.read(_MOST_OF_AN_ERROR)))
            if lists:
                self._read_list(watch, response)
                return True
            connection.sock.settimeout(_WATCH_TIMEOUT)
            return self._read_events(watch, response)
        finally:
            self._connection = None
            connection.close()

    def _read_list(self, watch: SliceWatch, response: http.client.HTTPResponse) -> None:
        body = response.read(_MOST_OF_A_LIST + 1)
        if len(body) > _MOST_OF_A_LIST:
            raise BadAnswer(f"a list of more than {_MOST_OF_A_LIST} bytes")
        watch.listed(body)
        self._publish(watch)

    def _read_events(self, watch: SliceWatch, response: http.client.HTTPResponse) -> bool:
        began = time.monotonic()
        heard = False
        while line := response.readline(_MOST_OF_AN_EVENT + 1):
            if self._stopped.is_set():
                return True
            if len(line) > _MOST_OF_AN_EVENT:
                raise BadAnswer(f"an event of more than {_MOST_OF_AN_EVENT} bytes")
            if not line.strip():
                continue
            if not line.endswith(b"\n"):
                # Cut off in the middle; the next watch begins with it.
                break
            if watch.event(line):
                self._publish(watch)
            heard = True
            self._backoff.reset()
        if time.monotonic() - began >= _SHORT:
            self._backoff.reset()
            return True
        return heard

    def _publish(self, watch: SliceWatch) -> None:
        endpoints, error = watch.endpoints()
        if not self._stopped.is_set():
            self._say(Resolution(error=error) if error else Resolution(endpoints))

    def _connect(self) -> http.client.HTTPConnection:
        url = urlsplit(self._server or self._url())
        if url.scheme not in ("http", "https") or not url.hostname:
            raise _Refused(
                f"{self._server!r} is no URL of an API server, such as https://host:6443"
            )
        if url.scheme == "http":
            return http.client.HTTPConnection(url.hostname, url.port, timeout=_ANSWER_TIMEOUT)
        authority = SERVICE_ACCOUNT / "ca.crt"
        context = ssl.create_default_context(cafile=authority if authority.exists() else None)
        return http.client.HTTPSConnection(
            url.hostname, url.port, timeout=_ANSWER_TIMEOUT, context=context
        )

    def _url(self) -> str:
        """This cluster's API server."""
        host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
        if not host:
            raise _NoServer(
                "this is no pod: the environment has no KUBERNETES_SERVICE_HOST; name the Kubernetes API server in the "
                "target, kubernetes://server:port/service.namespace:port"
            )
        host = f"[{host}]" if ":" in host else host
        return f"https://{host}:{os.environ.get('KUBERNETES_SERVICE_PORT') or 443}"

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "clarion"}
        if isinstance(self._connection, http.client.HTTPSConnection):
            try:
                token = (SERVICE_ACCOUNT / "token").read_text(encoding="utf-8").strip()
            except FileNotFoundError:
                return headers
            headers["Authorization"] = f"Bearer {token}"
        return headers
