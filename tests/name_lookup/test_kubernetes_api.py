"""Channels to a service of Kubernetes, with an API server that the tests say."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clarion.name_lookup import kubernetes_api
from clarion.resolver.backoff import Backoff
from clarion.resolver.endpoint_slices import KubernetesService
from clarion.resolver.resolver import Resolution
from support.api_server import LIMIT, ApiServer, slice_of
from support.credentials import CERTIFICATES
from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import load
from support.loops import LoopThread

WEB = KubernetesService("web", "shop", "grpc")


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture(params=["sync", "aio"])
def front(request: pytest.FixtureRequest, loop: LoopThread) -> Iterator[FrontEnd]:
    front = FrontEnd(load("clarion"), request.param, loop)
    yield front
    front.close()


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that a pod has."""
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "namespace").write_text("shop\n")
    shutil.copy(CERTIFICATES / "ca.pem", tmp_path / "ca.crt")
    monkeypatch.setattr(kubernetes_api, "SERVICE_ACCOUNT", tmp_path)
    return tmp_path


@pytest.fixture
def api() -> Iterator[ApiServer]:
    server = ApiServer(tls=False)
    yield server
    server.close()


@pytest.fixture
def secure_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    server = ApiServer(tls=True)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    yield server
    server.close()


class Watching:
    """A watcher on a thread, and what it says."""

    def __init__(self, server: str, service: KubernetesService = WEB) -> None:
        self.said: queue.SimpleQueue[Resolution] = queue.SimpleQueue()
        self.watcher = kubernetes_api.Watcher(
            service, server, 0, Backoff(0.01, 0.02, lambda: 0.5), self.said.put
        )
        self._thread = threading.Thread(target=self.watcher.run, daemon=True)
        self._thread.start()

    def next(self) -> Any:
        found = self.said.get(timeout=LIMIT)
        return found.error or [str(each.addresses[0]) for each in found.endpoints]

    def close(self) -> None:
        self.watcher.stop()
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()


@pytest.fixture
def watching(api: ApiServer, account: Path) -> Iterator[Watching]:
    api.slices = [slice_of(1)]
    watching = Watching(f"http://127.0.0.1:{api.port}")
    yield watching
    watching.close()


def _named(name: bytes) -> Any:
    async def handler(call: ServerCall) -> bytes:
        return name

    return handler


def test_pods_come_and_go(front: FrontEnd, secure_api: ApiServer, account: Path) -> None:
    servers = [front.serve({"unary_unary": _named(name)}) for name in (b"a", b"b")]
    first, second = (server.ports[0] for server in servers)
    secure_api.slices = [slice_of(first)]
    client = front.connect(
        "kubernetes:///web:grpc",
        options=[("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}')],
    )

    def answers(wanted: set[bytes]) -> None:
        seen: set[bytes] = set()
        for _ in range(2000):
            outcome = client.call(SERVICE + camel("unary_unary"), "unary_unary", [b""])
            assert outcome.code == "OK", outcome.details
            seen = (seen | set(outcome.responses)) if seen <= wanted else set(outcome.responses)
            if seen == wanted:
                return
        raise AssertionError(seen)

    answers({b"a"})
    secure_api.heard("list")
    secure_api.heard("watch 10")
    secure_api.send("ADDED", slice_of(second, name="web-2", version="11"))
    answers({b"a", b"b"})
    (account / "token").write_text("second")
    secure_api.send("DELETED", slice_of(first, version="12"))
    for _ in range(2000):
        outcome = client.call(SERVICE + camel("unary_unary"), "unary_unary", [b""])
        assert outcome.code == "OK", outcome.details
        if outcome.responses == [b"b"]:
            break
    answers({b"b"})
    secure_api.send_raw(b"")
    secure_api.heard("watch 12")
    assert secure_api.tokens == ["Bearer first", "Bearer first", "Bearer second"]


def test_a_refusal_says_which_permission_is_missing(
    front: FrontEnd, api: ApiServer, account: Path
) -> None:
    api.answers = [(403, b'{"kind": "Status", "message": "User cannot list"}')]
    client = front.connect(
        "kubernetes:///web.shop:grpc",
        options=[("clarion.kubernetes_api_server", f"http://127.0.0.1:{api.port}")],
    )
    outcome = client.call(SERVICE + camel("unary_unary"), "unary_unary", [b""])
    assert outcome.code == "UNAVAILABLE"
    assert "HTTP status 403: User cannot list" in outcome.details
    assert "needs a Role in namespace 'shop' with the verbs list and watch" in outcome.details


def test_bookmarks_and_versions_that_are_too_old(api: ApiServer, watching: Watching) -> None:
    assert watching.next() == ["127.0.0.1:1"]
    api.heard("list")
    api.heard("watch 10")
    api.send("BOOKMARK", {"metadata": {"resourceVersion": "50"}})
    api.send_raw(b"\n")
    api.send_raw(b"")
    api.heard("watch 50")
    api.slices = [slice_of(2)]
    api.send("ERROR", {"kind": "Status", "code": 410})
    api.heard("list")
    assert watching.next() == ["127.0.0.1:2"]
    api.heard("watch 10")
    api.answers = [(410, b"")]
    api.send_raw(b"")
    api.heard("watch 10")
    api.heard("list")
    assert watching.next() == ["127.0.0.1:2"]


def test_malformed_answers(api: ApiServer, watching: Watching) -> None:
    assert watching.next() == ["127.0.0.1:1"]
    api.heard("list")
    api.heard("watch 10")
    api.answers = [(200, b"<html>")]
    api.send_raw(b"{\n")
    assert "sent a malformed answer: not JSON" in watching.next()
    assert "sent a malformed answer: not JSON" in watching.next()
    assert watching.next() == ["127.0.0.1:1"]
    for _ in range(2):
        api.heard("list")
    api.heard("watch 10")
    # A line without its end is what a lost connection leaves.
    api.send_raw(b'{"type": "ADD')
    api.send_raw(b"")
    api.heard("watch 10")


def test_answers_that_are_too_long(
    api: ApiServer, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes_api, "_MOST_OF_A_LIST", 1000)
    monkeypatch.setattr(kubernetes_api, "_MOST_OF_AN_EVENT", 100)
    api.answers = [(200, b"x" * 1001)]
    watching = Watching(f"http://127.0.0.1:{api.port}")
    assert "a list of more than 1000 bytes" in watching.next()
    assert watching.next() == []
    for expected in ("list", "list", "watch 10"):
        api.heard(expected)
    api.send_raw(b"x" * 200 + b"\n")
    assert "an event of more than 100 bytes" in watching.next()
    watching.close()


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("", "this is no pod: the environment has no KUBERNETES_SERVICE_HOST"),
        ("ftp://x", "'ftp://x' is no URL of an API server"),
        ("http://127.0.0.1:x", "Port could not be cast"),
    ],
)
def test_no_server(account: Path, monkeypatch: pytest.MonkeyPatch, server: str, why: str) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    watching = Watching(server)
    assert why in watching.next()
    watching.close()


def test_a_server_that_is_not_there(api: ApiServer, account: Path) -> None:
    port = api.port
    api.close()
    watching = Watching(f"http://127.0.0.1:{port}")
    assert (
        watching.next() == f"the Kubernetes API server http://127.0.0.1:{port}: Connection refused"
    )
    watching.close()


def test_a_server_that_is_not_trusted(secure_api: ApiServer, account: Path) -> None:
    shutil.copy(CERTIFICATES / "other-ca.pem", account / "ca.crt")
    watching = Watching("")
    assert "certificate verify failed" in watching.next()
    watching.close()
    assert secure_api.tokens == []


def test_no_namespace(account: Path) -> None:
    (account / "namespace").unlink()
    watching = Watching("", KubernetesService("web", ""))
    assert "the target names no namespace, and this is no pod" in watching.next()
    watching.close()


def test_no_token_goes_over_plain_text(api: ApiServer, watching: Watching) -> None:
    assert watching.next() == ["127.0.0.1:1"]
    assert api.tokens[0] is None


def test_an_account_without_a_token(secure_api: ApiServer, account: Path) -> None:
    (account / "token").unlink()
    watching = Watching("")
    assert watching.next() == []
    watching.close()
    assert secure_api.tokens[0] is None
