"""What Kubernetes says about the pods of a service: EndpointSlices (discovery.k8s.io/v1), listed and then watched.

The protocol without its HTTP: `SliceWatch` says what to ask for, and hears what comes. A list gives all slices and a
version; a watch from that version gives an event for each change, and bookmarks, which carry nothing but newer versions.
A version that the server has forgotten (410 Gone) means to list again.
(https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes)
"""

from __future__ import annotations

import ipaddress
import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from clarion.resolver.endpoint import Endpoint
from clarion.resolver.target import Address, HostPort

__all__ = ["BadAnswer", "Gone", "KubernetesService", "SliceWatch"]

_GONE = 410
# What a refusal's text may take of an error message.
_MOST_TEXT = 300


class BadAnswer(Exception):
    """The API server's answer is none; the message says what is wrong with it, and where."""


class Gone(Exception):
    """The version is too old: list again."""


class KubernetesService(NamedTuple):
    """What a target names.

    Attributes:
        name: the service.
        namespace: where it is, or "" for the namespace of this pod.
        port: a port's name, or its number on the pods; "" where the service has one port only, or one named `grpc`.
    """

    name: str
    namespace: str
    port: str = ""


class _Pod(NamedTuple):
    key: str
    host: str
    ready: bool
    fallback: bool
    zone: str


class _Slice(NamedTuple):
    pods: tuple[_Pod, ...]
    # By name; None stands for every port.
    ports: tuple[tuple[str, int | None], ...]


class SliceWatch:
    """The slices of one service.

    Args:
        service: the service, with its namespace.
        salt: any number: brings the endpoints into an order of this client's own, so that clients which go to the
            first one do not all go to the same.

    Attributes:
        version: what a watch goes on from; "" means that a list is due.
    """

    def __init__(self, service: KubernetesService, salt: int = 0) -> None:
        self.version = ""
        self._service = service
        self._salt = salt
        self._slices: dict[str, _Slice] = {}

    def path(self, seconds: int) -> str:
        """What to GET: a list, or a watch that the server ends after `seconds`."""
        query = {"labelSelector": f"kubernetes.io/service-name={self._service.name}"}
        if self.version:
            query |= {
                "watch": "1",
                "allowWatchBookmarks": "true",
                "resourceVersion": self.version,
                "timeoutSeconds": str(seconds),
            }
        where = f"/apis/discovery.k8s.io/v1/namespaces/{self._service.namespace}/endpointslices"
        return f"{where}?{urlencode(query)}"

    def listed(self, body: bytes) -> None:
        """The answer to a list.

        Raises:
            BadAnswer: it is none.
        """
        document = _Part(_json(body), "")
        slices = dict(_read_slice(item) for item in document.items("items"))
        self.version = document.part("metadata").text("resourceVersion")
        self._slices = slices

    def event(self, line: bytes) -> bool:
        """A line of the answer to a watch; returns whether the endpoints may have changed.

        Raises:
            Gone: the version is too old.
            BadAnswer: it is none.
        """
        event = _Part(_json(line), "")
        kind = event.text("type")
        what = event.part("object")
        if kind == "ERROR":
            self.version = ""
            if what.value.get("code") == _GONE:
                raise Gone
            raise BadAnswer(f"the watch failed: {_message(what.value)}")
        if kind == "BOOKMARK":
            self.version = what.part("metadata").text("resourceVersion")
            return False
        name, read = _read_slice(what)
        if kind in ("ADDED", "MODIFIED"):
            self._slices[name] = read
        elif kind == "DELETED":
            self._slices.pop(name, None)
        else:
            raise BadAnswer(f"type: {kind!r} is no kind of event")
        self.version = what.part("metadata").text("resourceVersion")
        return True

    def failed(self) -> None:
        """What was heard made no sense: begin anew."""
        self.version = ""

    def refused(self, status: int, body: bytes) -> str:
        """An answer that is not 200, in words.

        Raises:
            Gone: the version is too old.
        """
        if status == _GONE:
            self.version = ""
            raise Gone
        try:
            said = _message(json.loads(body))
        except (ValueError, RecursionError):
            said = body[:_MOST_TEXT].decode("utf-8", "replace")
        text = f"HTTP status {status}: {said}" if said else f"HTTP status {status}"
        if status in (401, 403):
            namespace = self._service.namespace
            text += (
                f"; the pod's service account needs a Role in namespace {namespace!r} with the verbs list and watch "
                "on endpointslices (API group discovery.k8s.io)"
            )
        return text

    def endpoints(self) -> tuple[tuple[Endpoint, ...], str]:
        """The servers; and why there are none although there are pods, or ""."""
        found: dict[str, list[tuple[_Pod, int]]] = {}
        other: set[str] = set()
        missed = False
        for each in self._slices.values():
            port = self._port(each)
            if port is None:
                # A service without pods has a slice without ports.
                missed = missed or bool(each.pods)
                other.update(f"{name or 'unnamed'}={number}" for name, number in each.ports)
                continue
            for pod in each.pods:
                found.setdefault(pod.key, []).append((pod, port))
        if missed and not found:
            what = f"service {self._service.name}.{self._service.namespace}"
            there = ", ".join(sorted(other)) or "none"
            if self._service.port:
                return (), f"{what} has no port {self._service.port}; its pods have {there}"
            return (), f"{what} has several ports, or none, and the target names none: {there}"
        return self._chosen(found), ""

    def _chosen(self, found: dict[str, list[tuple[_Pod, int]]]) -> tuple[Endpoint, ...]:
        """Those that are ready; if none is, those that still serve while they end, as kube-proxy does."""
        ready = {key: pods for key, pods in found.items() if any(pod.ready for pod, _ in pods)}
        serving = {key: pods for key, pods in found.items() if any(pod.fallback for pod, _ in pods)}
        chosen = ready or serving
        order = sorted(chosen, key=lambda key: (zlib.crc32(f"{self._salt} {key}".encode()), key))
        endpoints = []
        for key in order:
            pods = chosen[key]
            addresses: dict[Address, None] = {HostPort(pod.host, port): None for pod, port in pods}
            zones = [pod.zone for pod, _ in pods if pod.zone]
            endpoints.append(Endpoint(tuple(addresses), {"locality": zones[0]} if zones else {}))
        return tuple(endpoints)

    def _port(self, one: _Slice) -> int | None:
        wanted = self._service.port
        if wanted.isdigit():
            number = int(wanted)
            # No ports at all: a headless service that names none, whose pods may listen anywhere.
            fits = not one.ports or any(port in (number, None) for _, port in one.ports)
            return number if fits else None
        if not wanted and len(one.ports) == 1:
            return one.ports[0][1]
        return dict(one.ports).get(wanted or "grpc")


def _read_slice(part: _Part) -> tuple[str, _Slice]:
    name = part.part("metadata").text("name")
    family = {"IPv4": 4, "IPv6": 6}.get(part.text("addressType"))
    pods = []
    # Names (`FQDN`) are deprecated, and nothing writes them.
    for endpoint in part.items("endpoints") if family is not None else []:
        host = endpoint.strings("addresses")[0]
        try:
            if ipaddress.ip_address(host).version != family:
                raise ValueError
        except ValueError:
            raise BadAnswer(
                f"{endpoint.path}.addresses: {host!r} is no IPv{family} address"
            ) from None
        conditions = endpoint.part("conditions")
        # What is not said counts as true, but for `terminating`.
        ready = conditions.flag("ready", True)
        serving = conditions.flag("serving", ready)
        ending = conditions.flag("terminating", False)
        pods.append(
            _Pod(_key(endpoint, host), host, ready, serving and ending, endpoint.text("zone", ""))
        )
    ports = tuple((port.text("name", ""), port.port()) for port in part.items("ports"))
    return name, _Slice(tuple(pods), ports)


def _key(endpoint: _Part, host: str) -> str:
    """The same for the IPv4 and the IPv6 address of a pod, which are in different slices."""
    target = endpoint.part("targetRef").value
    if not target.get("name"):
        return host
    return "/".join(str(target.get(each, "")) for each in ("kind", "namespace", "name", "uid"))


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"not JSON: {error}") from None


def _message(status: Any) -> str:
    """The text in a Status object."""
    said = status.get("message") if isinstance(status, dict) else None
    return str(said or "")[:_MOST_TEXT]


class _Part:
    """A JSON object, and where it is in what came."""

    def __init__(self, value: Any, path: str) -> None:
        self.path = path
        if not isinstance(value, dict):
            raise BadAnswer(f"{path or 'the answer'}: must be an object")
        self.value: Mapping[str, Any] = value

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def part(self, name: str) -> _Part:
        """A member that is an object; one that is not there is empty."""
        value = self.value.get(name)
        return _Part({} if value is None else value, self._at(name))

    def items(self, name: str) -> list[_Part]:
        """A member that is a list of objects; one that is not there is empty."""
        value = self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise BadAnswer(f"{self._at(name)}: must be a list")
        return [_Part(each, f"{self._at(name)}[{index}]") for index, each in enumerate(value)]

    def strings(self, name: str) -> list[str]:
        """A member that is a list of strings, one at least."""
        value = self.value.get(name)
        if not (isinstance(value, list) and value and all(isinstance(each, str) for each in value)):
            raise BadAnswer(f"{self._at(name)}: must be a list of strings")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """A member that is a string."""
        value = self.value.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise BadAnswer(f"{self._at(name)}: must be a string")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """A member that is true or false."""
        value = self.value.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise BadAnswer(f"{self._at(name)}: must be true or false")
        return value

    def port(self) -> int | None:
        """The port's number; None: every port."""
        value = self.value.get("port")
        if value is None or (type(value) is int and 0 < value < 65536):
            return value
        raise BadAnswer(f"{self._at('port')}: must be a number from 1 to 65535")
