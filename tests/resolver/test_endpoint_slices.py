"""EndpointSlices: what is asked for, what events mean, and which pods are servers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.resolver.endpoint_slices import BadAnswer, Gone, KubernetesService, SliceWatch

SERVICE = KubernetesService("web", "shop", "grpc")
PORTS = [{"name": "grpc", "port": 5000}, {"name": "http", "port": 80}]


def pod(address: str, name: str | None = None, **more: Any) -> dict[str, Any]:
    target = {"kind": "Pod", "namespace": "shop", "name": name, "uid": f"uid-{name}"}
    return {"addresses": [address], **({"targetRef": target} if name else {}), **more}


def piece(
    *pods: Any, name: str = "web-1", family: str = "IPv4", ports: Any = PORTS, version: str = "2"
) -> dict[str, Any]:
    metadata = {"name": name, "resourceVersion": version}
    return {"metadata": metadata, "addressType": family, "endpoints": list(pods), "ports": ports}


def listed(*pieces: Any, service: KubernetesService = SERVICE) -> SliceWatch:
    watch = SliceWatch(service)
    document = {"metadata": {"resourceVersion": "1"}, "items": list(pieces)}
    watch.listed(json.dumps(document).encode())
    return watch


def event(watch: SliceWatch, kind: str, what: Any) -> bool:
    return watch.event(json.dumps({"type": kind, "object": what}).encode() + b"\n")


def hosts(watch: SliceWatch) -> list[list[str]]:
    endpoints, error = watch.endpoints()
    assert error == ""
    return sorted([str(each) for each in one.addresses] for one in endpoints)


def test_what_is_asked_for() -> None:
    where = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
    label = "labelSelector=kubernetes.io%2Fservice-name%3Dweb"
    assert SliceWatch(SERVICE).path(300) == f"{where}?{label}"
    assert listed().path(300) == (
        f"{where}?{label}&watch=1&allowWatchBookmarks=true&resourceVersion=1&timeoutSeconds=300"
    )


def test_a_list_and_events() -> None:
    watch = listed(piece(pod("10.0.0.1", "a"), pod("10.0.0.2", "b")))
    assert hosts(watch) == [["10.0.0.1:5000"], ["10.0.0.2:5000"]]
    assert event(watch, "ADDED", piece(pod("10.0.0.3", "c"), name="web-2", version="3"))
    assert watch.version == "3"
    assert hosts(watch) == [["10.0.0.1:5000"], ["10.0.0.2:5000"], ["10.0.0.3:5000"]]
    assert event(watch, "MODIFIED", piece(pod("10.0.0.2", "b"), version="4"))
    assert hosts(watch) == [["10.0.0.2:5000"], ["10.0.0.3:5000"]]
    assert event(watch, "DELETED", piece(name="web-2", version="5"))
    assert event(watch, "DELETED", piece(name="unheard-of", version="6"))
    assert hosts(watch) == [["10.0.0.2:5000"]]
    assert not event(watch, "BOOKMARK", {"metadata": {"resourceVersion": "99"}})
    assert "resourceVersion=99&" in watch.path(1)


def test_a_version_that_is_forgotten() -> None:
    watch = listed(piece(pod("10.0.0.1")))
    with pytest.raises(Gone):
        event(watch, "ERROR", {"kind": "Status", "code": 410, "message": "too old"})
    assert "watch" not in watch.path(1)
    # What was known holds until the list.
    assert hosts(watch) == [["10.0.0.1:5000"]]
    watch = listed()
    with pytest.raises(Gone):
        watch.refused(410, b"")
    assert watch.version == ""


def test_a_watch_that_fails() -> None:
    watch = listed()
    with pytest.raises(BadAnswer, match="the watch failed: no more"):
        event(watch, "ERROR", {"code": 500, "message": "no more"})
    assert watch.version == ""
    watch = listed()
    watch.failed()
    assert watch.version == ""


READY, UNREADY = {"ready": True}, {"ready": False}
SERVING = {"ready": False, "serving": True, "terminating": True}
DYING = {"ready": False, "serving": False, "terminating": True}


@pytest.mark.parametrize(
    ("conditions", "chosen"),
    [
        ([READY, UNREADY, SERVING], [0]),
        ([{}, None, UNREADY], [0, 1]),
        ([{"ready": None}, DYING], [0]),
        ([UNREADY, SERVING, DYING], [1]),
        ([UNREADY, DYING], []),
    ],
)
def test_which_pods_are_servers(conditions: list[Any], chosen: list[int]) -> None:
    watch = listed(
        piece(*(pod(f"10.0.0.{at}", conditions=each) for at, each in enumerate(conditions)))
    )
    assert hosts(watch) == [[f"10.0.0.{at}:5000"] for at in chosen]


def test_both_addresses_of_a_pod_are_one_server() -> None:
    watch = listed(
        piece(pod("10.0.0.1", "a", zone="north"), pod("10.0.0.2", "b")),
        piece(pod("fd00::1", "a"), name="web-6", family="IPv6"),
        piece(pod("10.0.0.1", "a"), name="web-again"),
        piece({"addresses": ["web.test"]}, name="web-names", family="FQDN"),
    )
    assert hosts(watch) == [["10.0.0.1:5000", "[fd00::1]:5000"], ["10.0.0.2:5000"]]
    attributes = [dict(each.attributes) for each in watch.endpoints()[0]]
    assert sorted(attributes, key=str) == [{"locality": "north"}, {}]


def test_clients_have_orders_of_their_own() -> None:
    orders = set()
    for salt in range(20):
        watch = SliceWatch(SERVICE, salt)
        pods = [pod(f"10.0.0.{number}") for number in range(5)]
        document = {"metadata": {"resourceVersion": "1"}, "items": [piece(*pods)]}
        watch.listed(json.dumps(document).encode())
        orders.add(watch.endpoints()[0][0])
        document["items"] = [piece(*reversed(pods))]
        before = watch.endpoints()
        watch.listed(json.dumps(document).encode())
        assert watch.endpoints() == before
    assert len(orders) > 1


@pytest.mark.parametrize(
    ("wanted", "ports", "port"),
    [
        ("http", PORTS, 80),
        ("80", PORTS, 80),
        ("", PORTS, 5000),
        ("", [{"port": 7}], 7),
        ("", [{"name": "any", "port": 7}], 7),
        ("9", [], 9),
        ("9", None, 9),
        ("9", [{"name": "", "port": None}], 9),
    ],
)
def test_ports(wanted: str, ports: Any, port: int) -> None:
    watch = listed(
        piece(pod("10.0.0.1"), ports=ports), service=KubernetesService("web", "shop", wanted)
    )
    assert hosts(watch) == [[f"10.0.0.1:{port}"]]


@pytest.mark.parametrize(
    ("wanted", "ports", "why"),
    [
        ("admin", PORTS, "service web.shop has no port admin; its pods have grpc=5000, http=80"),
        ("81", PORTS, "service web.shop has no port 81; its pods have grpc=5000, http=80"),
        ("http", [], "service web.shop has no port http; its pods have none"),
        (
            "",
            [{"port": 1}, {"name": "b", "port": 2}],
            "service web.shop has several ports, or none, and the target names none: b=2, unnamed=1",
        ),
    ],
)
def test_ports_that_are_not_there(wanted: str, ports: Any, why: str) -> None:
    service = KubernetesService("web", "shop", wanted)
    assert listed(piece(pod("10.0.0.1"), ports=ports), service=service).endpoints() == ((), why)
    # No pods, no ports: that is how the slice of a service without pods looks.
    assert listed(piece(ports=[]), service=service).endpoints() == ((), "")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "the answer: must be an object"),
        (b"{}", "metadata.resourceVersion: must be a string"),
        (b'{"metadata": 1}', "metadata: must be an object"),
        (b'{"metadata": {"resourceVersion": "1"}, "items": {}}', "items: must be a list"),
        (b'{"items": [1]}', r"items\[0\]: must be an object"),
        (b'{"items": [{"metadata": {}}]}', r"items\[0\].metadata.name: must be a string"),
    ],
)
def test_malformed_lists(body: bytes, problem: str) -> None:
    with pytest.raises(BadAnswer, match=problem):
        SliceWatch(SERVICE).listed(body)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"addressType": None}, "object.addressType: must be a string"),
        ({"endpoints": [{}]}, r"endpoints\[0\].addresses: must be a list of strings"),
        ({"endpoints": [{"addresses": []}]}, r"endpoints\[0\].addresses: must be"),
        ({"endpoints": [{"addresses": [1]}]}, r"endpoints\[0\].addresses: must be"),
        ({"endpoints": [pod("here")]}, r"endpoints\[0\].addresses: 'here' is no IPv4 address"),
        ({"endpoints": [pod("::1")]}, r"endpoints\[0\].addresses: '::1' is no IPv4 address"),
        (
            {"endpoints": [pod("1.1.1.1", conditions={"ready": 1})]},
            r"endpoints\[0\].conditions.ready: must be true or false",
        ),
        ({"ports": [{"port": 0}]}, r"ports\[0\].port: must be a number from 1 to 65535"),
        ({"ports": [{"port": True}]}, r"ports\[0\].port: must be a number"),
        ({"ports": [{"name": 1, "port": 1}]}, r"ports\[0\].name: must be a string"),
    ],
)
def test_malformed_slices(change: dict[str, Any], problem: str) -> None:
    watch = listed(piece(pod("10.0.0.1")))
    with pytest.raises(BadAnswer, match=problem):
        event(watch, "MODIFIED", piece(pod("10.0.0.1")) | change)
    assert hosts(watch) == [["10.0.0.1:5000"]]


def test_an_unknown_event() -> None:
    with pytest.raises(BadAnswer, match="type: 'RENAMED' is no kind of event"):
        event(listed(), "RENAMED", piece())


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (500, b"", "HTTP status 500"),
        (500, b"plain words", "HTTP status 500: plain words"),
        (404, b'{"message": "not here"}', "HTTP status 404: not here"),
        (404, b"[]", "HTTP status 404"),
        (
            403,
            b'{"message": "forbidden"}',
            (
                "HTTP status 403: forbidden; the pod's service account needs a Role in namespace 'shop' with the verbs "
                "list and watch on endpointslices (API group discovery.k8s.io)"
            ),
        ),
    ],
)
def test_refusals(status: int, body: bytes, text: str) -> None:
    watch = listed()
    assert watch.refused(status, body) == text
    assert watch.version == "1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 70_000) | st.sampled_from(["IPv4", "1.1.1.1", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                "items metadata name resourceVersion addressType endpoints addresses ports port".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_anything_is_a_list_or_refused(document: Any) -> None:
    watch = SliceWatch(SERVICE)
    try:
        watch.listed(json.dumps(document).encode())
    except BadAnswer:
        return
    watch.endpoints()
