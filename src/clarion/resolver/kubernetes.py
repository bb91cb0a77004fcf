"""`kubernetes:`: the pods of a service, as the API server of the cluster tells when they come and go.

    kubernetes:///service.namespace:port          kubernetes://api-server:port/service.namespace:port

Without a namespace it is this pod's; the port is a name or a number, as in `KubernetesService`. Every pod that is ready is
a server; its IPv4 and its IPv6 address are two ways to it.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Final

from clarion.resolver.endpoint_slices import KubernetesService
from clarion.resolver.resolver import Resolution, Resolver, ResolverHelper
from clarion.resolver.target import Target, parse_host_port

__all__ = ["RESOLVER", "KubernetesResolver", "parse_service"]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_FORM = "kubernetes:///service.namespace:port"
_API_PORT = 443


class KubernetesResolver(Resolver):
    """Watches the EndpointSlices of a service."""

    scheme = "kubernetes"

    def __init__(self, target: Target, helper: ResolverHelper) -> None:
        super().__init__(target, helper)
        self._service, server = parse_service(target.rest)
        self._server = server or helper.option("clarion.kubernetes_api_server") or ""
        self._backoff = helper.backoff()
        self._salt = int(helper.random() * 2**32)
        self._watcher: Any = None
        self._closed = False

    @classmethod
    def authority(cls, rest: str) -> str:
        """See `Resolver`."""
        parse_service(rest)
        return rest.rpartition("/")[2]

    def start(self) -> None:
        """See `Resolver`."""
        self.helper.apart(self._run)

    def close(self) -> None:
        """See `Resolver`."""
        self._closed = True
        watcher = self._watcher
        if watcher is not None:
            watcher.stop()

    def _run(self) -> None:
        """Watch until the end; on a thread of its own."""
        api = import_module("clarion.name_lookup.kubernetes_api")
        watcher = api.Watcher(self._service, self._server, self._salt, self._backoff, self._say)
        # Whichever comes second, this or `close`, sees the other.
        self._watcher = watcher
        if self._closed:
            watcher.stop()
        watcher.run()

    def _say(self, resolution: Resolution) -> None:
        if not self._closed:
            self.helper.update(resolution)


def parse_service(rest: str) -> tuple[KubernetesService, str]:
    """Parse what follows `kubernetes:`; returns the service, and the API server's URL where the target names one.

    Raises:
        ValueError: it is not of the form; says what is wrong.
    """
    target = f"kubernetes:{rest}"
    server, separator, name = rest.removeprefix("//").partition("/")
    if not rest.startswith("//") or not separator:
        raise ValueError(f"target {target!r}: the form is {_FORM}")
    if server:
        server = f"https://{parse_host_port(server, target, default_port=_API_PORT)}"
    name, colon, port = name.partition(":")
    service, _, within = name.partition(".")
    # `service.namespace.svc.cluster.local` is what the service is called in the cluster's DNS.
    namespace, _, domain = within.partition(".")
    if not _LABEL.fullmatch(service) or ("." in name and not _LABEL.fullmatch(namespace)):
        raise ValueError(f"target {target!r} names no service; the form is {_FORM}")
    if domain and domain.split(".")[0] != "svc":
        raise ValueError(f"target {target!r}: {name!r} is no service; the form is {_FORM}")
    numbered = port.isascii() and port.isdigit()
    if colon and not (0 < int(port[:6]) < 65536 if numbered else _LABEL.fullmatch(port)):
        raise ValueError(f"target {target!r}: {port!r} is neither a port's name nor its number")
    return KubernetesService(service, namespace, port), server


RESOLVER: Final = KubernetesResolver
