"""What `web_channel` takes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

import clarion
import clarion.aio
from clarion.web.client.targets import Place, read_place

pytest.importorskip("h11", reason="h11 is not installed")


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("localhost:8080", Place("localhost:8080")),
        ("unix:/tmp/x", Place("unix:/tmp/x")),
        ("http://a.example", Place("dns:///a.example:80", b"", "a.example", False)),
        ("HTTP://a.example/", Place("dns:///a.example:80", b"", "a.example", False)),
        ("https://a.example", Place("dns:///a.example:443", b"", "a.example", True)),
        ("https://a:8443/x/y/", Place("dns:///a:8443", b"/x/y", "a:8443", True)),
        (
            "http://B\u00fccher.example:81",
            Place("dns:///xn--bcher-kva.example:81", b"", "xn--bcher-kva.example:81", False),
        ),
        ("http://[::1]:80/x%20y", Place("dns:///[::1]:80", b"/x%20y", "[::1]:80", False)),
    ],
)
def test_targets(target: str, place: Place) -> None:
    assert read_place(target) == read_place(target.encode()) == place


def test_targets_that_are_no_text() -> None:
    with pytest.raises(ValueError, match="is not UTF-8"):
        read_place(b"http://a\xff")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("http://", "names no host"),
        ("http://a:port", "cannot be read"),
        ("http://[::1", "cannot be read"),
        ("http://\u00fc..a", "is no name"),
        ("https://me:secret@a", "user or password"),
        ("https://a/?x=1", "a query or a fragment"),
        ("https://a/#", "a query or a fragment"),
        ("https://a/x y", "%-encoded"),
    ],
)
def test_urls_that_are_none(target: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        read_place(target)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("make", [clarion.web_channel, clarion.aio.web_channel])
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"protocol": "grpc"}, "protocol is 'grpc'; it must be one of connect"),
        ({"codec": "xml"}, "codec is 'xml'"),
        ({"http": "3"}, "http is '3'"),
        ({"get": True, "protocol": "grpc-web"}, "get=True is for Connect"),
        ({"max_connections": 0}, "max_connections is 0"),
        ({"max_url": 0}, "max_url is 0"),
        ({"idle_timeout": 0}, "idle_timeout is 0"),
        ({"idle_timeout": None}, "idle_timeout is None; it must be a number"),
        ({"credentials": clarion.ssl_channel_credentials()}, "use https://"),
    ],
)
def test_arguments_that_cannot_be(make: Any, arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make("http://localhost:1", **arguments)


@pytest.mark.parametrize("make", [clarion.web_channel, clarion.aio.web_channel])
def test_credentials_that_are_none(make: Any) -> None:
    with pytest.raises(TypeError):
        make("https://localhost:1", credentials="secret")


def test_the_option_is_not_for_applications() -> None:
    with pytest.raises(TypeError, match=r"is for clarion\.web_channel"):
        clarion.insecure_channel("localhost:1", options=[("clarion.web_channel", 1)])


def test_without_h11(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "h11", None)
    with pytest.raises(clarion.errors.LocalError, match="clarion-rpc\\[web\\]"):
        clarion.web_channel("http://localhost:1")
    clarion.web_channel("http://localhost:1", http="2").close()
