"""Credentials of google-auth as call credentials; here with ones that work like them, in tests/behaviour with real ones."""

from __future__ import annotations

import sys
import threading
import types
from typing import Any

import pytest

from clarion import credentials
from clarion.credentials.call import CallCredentialsError, describe_call, sources_of
from clarion.credentials.fetch import fetch
from clarion.credentials.google import GoogleAuth
from clarion.credentials.kinds import Plugin
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode

CONTEXT = describe_call(True, "host", "/p.S/M")


class Credentials:
    """What `google.auth.credentials.Credentials` has of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.error: Exception | None = None
        self.request: Any = None

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        self.asked.append((method, url))
        self.request = request
        if self.error is not None:
            raise self.error
        headers["Authorization"] = "Bearer t"
        headers["x-goog-user-project"] = "p"


def _fetch(made: Any) -> Any:
    got: list[Any] = []
    fetch(sources_of(made), CONTEXT, lambda work: work(), got.append)
    return got[0]


def test_they_are_taken_wherever_call_credentials_are() -> None:
    google = Credentials()
    for made in (
        google,
        credentials.metadata_call_credentials(google),
        credentials.composite_call_credentials(google),  # type: ignore[arg-type]
    ):
        assert _fetch(made) == (
            (b"authorization", b"Bearer t"),
            (b"x-goog-user-project", b"p"),
        )
    assert google.asked == [("M", "https://host/p.S")] * 3


def test_their_name_for_logs() -> None:
    [source] = sources_of(credentials.metadata_call_credentials(Credentials()))  # type: ignore[arg-type]
    assert isinstance(source, Plugin)
    assert source.name == "Credentials"


def test_what_they_raise() -> None:
    google = Credentials()
    google.error = RuntimeError("no token today")
    assert _fetch(google) == Outcome(
        StatusCode.UNAVAILABLE,
        "Getting metadata from plugin failed with error: no token today",
    )
    google.error = None
    assert not isinstance(_fetch(google), Outcome)


def test_one_asks_at_a_time_and_no_other_call_has_a_thread_meanwhile() -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Slow(Credentials):
        def before_request(self, *arguments: Any) -> None:
            inside.set()
            assert go_on.wait(10)
            super().before_request(*arguments)

    google = Slow()
    plugin = GoogleAuth(google)
    answers: list[Any] = []

    def ask() -> None:
        plugin(CONTEXT, lambda metadata, error: answers.append(error))

    first = threading.Thread(target=ask)
    first.start()
    assert inside.wait(10)
    for _ in range(3):
        # It returns at once: who is inside answers this call as well.
        ask()
    assert answers == []
    go_on.set()
    first.join(10)
    assert answers == [None] * 4


@pytest.mark.parametrize("there", ["requests", "urllib3", None])
def test_their_transport_is_their_own(there: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def module(name: str) -> types.ModuleType:
        fake = types.ModuleType(name)

        def request(*pool: Any) -> Any:
            made.append(name)
            return lambda url: (name, url, pool)

        fake.Request = request  # type: ignore[attr-defined]
        fake.PoolManager = lambda: "pool"  # type: ignore[attr-defined]
        return fake

    for kind in ("requests", "urllib3"):
        name = f"google.auth.transport.{kind}"
        monkeypatch.setitem(sys.modules, name, module(kind) if kind == there else None)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "urllib3", module("urllib3"))
    google = Credentials()
    _fetch(google)
    assert made == []
    if there is None:
        with pytest.raises(ImportError, match=r"pip install 'google-auth\[requests\]'"):
            google.request("url")
        return
    pool = ("pool",) if there == "urllib3" else ()
    assert google.request("url") == google.request("url") == (there, "url", pool)
    assert made == [there]


def test_the_codes_of_call_credentials() -> None:
    assert CallCredentialsError("x").code is StatusCode.UNAUTHENTICATED
    with pytest.raises(ValueError, match="UNAUTHENTICATED or UNAVAILABLE"):
        CallCredentialsError("x", StatusCode.INTERNAL)


@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize("code", [StatusCode.UNAUTHENTICATED, StatusCode.UNAVAILABLE])
def test_a_plugin_says_how_its_call_ends(
    raises: bool, code: StatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    def plugin(context: Any, callback: Any) -> None:
        error = CallCredentialsError("refused", code)
        if raises:
            raise error
        callback(None, error)

    assert _fetch(credentials.metadata_call_credentials(plugin)) == Outcome(code, "refused")
    assert caplog.text == ""


@pytest.mark.parametrize("wrong", ["secret-token", b"secret-token"])
def test_what_was_passed_by_mistake_is_not_shown(wrong: Any) -> None:
    for take in (
        sources_of,
        credentials.channel.kind_of_channel,
        credentials.server.kind_of_server,
        lambda value: credentials.dynamic_ssl_server_credentials(value, lambda: None),
    ):
        with pytest.raises(TypeError) as raised:
            take(wrong)
        assert "secret" not in str(raised.value)
        assert type(wrong).__name__ in str(raised.value)
