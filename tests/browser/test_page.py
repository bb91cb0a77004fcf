"""The page of examples/browser in Chromium: each of its clients through every case, over HTTP/1.1 and HTTP/2, from the origin of
the services and from another. `make browser` has all combinations of front end, version of HTTP and kind of origin, `make test` two of them.
"""

from __future__ import annotations

import itertools
import os
import re
from typing import Any

import pytest

# The first test waits for what all need.
pytestmark = pytest.mark.timeout(240)

FULL = os.environ.get("CLARION_BROWSER") == "required"

PLAIN, TLS = ("sync", "plain"), ("sync", "tls")
AIO_PLAIN, AIO_TLS = ("aio", "plain"), ("aio", "tls")
BARS = [PLAIN, TLS, AIO_PLAIN, AIO_TLS] if FULL else [PLAIN, AIO_TLS]
PLACES = (
    list(itertools.product(BARS, ("same", "other")))
    if FULL
    else [(PLAIN, "same"), (AIO_TLS, "other")]
)

# What answers to unary calls and to streams have for a content type.
CLIENTS = {
    "connect-json": ("application/json", "application/connect+json"),
    "connect-binary": ("application/proto", "application/connect+proto"),
    "grpc-web": ("application/grpc-web+proto",) * 2,
    "google-text": ("application/grpc-web-text+proto",) * 2,
    "google-binary": ("application/grpc-web+proto",) * 2,
}
# XMLHttpRequest gives bytes, other than text, only when it has all of them.
AT_ONCE = "google-binary"
MENU = "4 drinks on the menu"


def choose(page: Any, client: str) -> None:
    """Has the page use a client; the first is in use from the beginning."""
    if client != "connect-json":
        page.click(f"label:has([value={client}])")


def order(page: Any, drink: str) -> int:
    page.select("#drink", drink)
    page.click("#order button")
    text = page.text("#order-result", rf"^Order \d+: \d+ . {drink}, ")
    return int(text.split()[1].rstrip(":"))


def check_unary(page: Any) -> None:
    page.text("#order-result", MENU)
    assert page.texts("#drink option")[1] == "cappuccino, 3.40 €"
    page.fill("#cups", "3")
    order(page, "cappuccino")
    page.text("#order-result", r"^Order \d+: 3 . cappuccino, 10[.]20 €$")


def check_stream(page: Any, bar: Any) -> None:
    number = order(page, "espresso")
    page.click("#watch")
    bar.expect(f"Order {number}: somebody watches")
    page.text("#watch-result", "^Ready, after 8 updates$")
    assert page.texts("#steps li") == ["grinding", "heating", "brewing", "pouring", "ready"]
    page.click("#collect")
    page.text("#deadline-result", "^Here you are: 3 . espresso$")


def check_failing_stream(page: Any) -> None:
    order(page, "décaf")
    page.click("#watch")
    page.text("#watch-result", "^RESOURCE_EXHAUSTED there is no décaf left$")
    assert page.texts("#steps li") == ["grinding", "heating"]


def check_cancellation(page: Any, bar: Any, client: str) -> None:
    number = order(page, "cold brew")
    page.click("#watch")
    bar.expect(f"Order {number}: somebody watches")
    if client != AT_ONCE:
        # It arrives while the stream goes on, for hours.
        page.text("#steps", "^grinding$")
    page.click("#stop")
    page.text("#watch-result", "^CANCELED .*you stopped it$")
    bar.expect(f"Order {number}: nobody watches")


def check_deadline(page: Any, bar: Any) -> None:
    number = order(page, "cold brew")
    page.fill("#seconds", "0.3")
    page.click("#collect")
    page.text("#deadline-result", "^DEADLINE_EXCEEDED ")
    bar.expect(f"Order {number}: nobody waits")


def check_errors(page: Any) -> None:
    page.click("#wrong")
    page.text("#error-result", "^INVALID_ARGUMENT we cannot make that")
    assert page.texts("#error-result li") == [
        "drink is not on the menu",
        "cups must be between 1 and 8",
    ]
    page.click("#missing")
    page.text("#error-result", "^NOT_FOUND there is no order 999$")


def check_network(page: Any, client: str, version: str) -> None:
    """All went by the protocol and the version of HTTP that it should, and the browser complains of nothing."""
    seen = page.seen()
    calls = [answer for answer in seen["answers"] if "/example.coffee.Bar/" in answer["url"]]
    unary, stream = CLIENTS[client]
    # The first client asks for the menu before another is chosen.
    for answer in calls if client == "connect-json" else calls[1:]:
        method = answer["url"].partition("Bar/")[2].partition("?")[0]
        assert answer["protocol"] == version
        # Errors of unary calls are JSON in Connect.
        expected = stream if method == "Watch" else unary
        if answer["status"] != 200:
            assert client.startswith("connect")
            expected = "application/json"
        assert answer["mimeType"] == expected
        is_get = client.startswith("connect") and method == "Menu"
        assert answer["method"] == ("GET" if is_get else "POST")
    for message in seen["console"]:
        # What Connect has errors for, the browser says of every status.
        assert client.startswith("connect"), message
        assert re.search(r"the server responded with a status of (400|504)", message["text"])


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("bar", "origin"),
    PLACES,
    indirect=["bar"],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else value,
)
def test_client(page: Any, bar: Any, origin: str, client: str) -> None:
    page.open(bar.same_origin if origin == "same" else bar.other_origin)
    page.text("#order-result", MENU)
    version = "h2" if bar.same_origin.startswith("https") else "http/1.1"
    choose(page, client)
    check_unary(page)
    check_stream(page, bar)
    check_failing_stream(page)
    check_cancellation(page, bar, client)
    check_deadline(page, bar)
    check_errors(page)
    page.screenshot(f"{client}-{version.replace('/', '')}-{origin}-origin")
    check_network(page, client, version)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("bar", BARS if FULL else [AIO_TLS], indirect=True, ids="-".join)
def test_a_page_of_an_origin_that_is_not_allowed(page: Any, bar: Any, client: str) -> None:
    # A name is another origin than the address that it stands for.
    page.open(bar.other_origin.replace("127.0.0.1", "localhost", 1))
    page.text("#order-result", "^[A-Z]+ .*")
    choose(page, client)
    page.text("#order-result", "^[A-Z]+ .*")
    page.click("#wrong")
    page.text("#error-result", "^[A-Z]+ .*")
    assert page.texts("#error-result li") == []
    seen = page.seen()
    assert not any("Bar/Order" in answer["url"] for answer in seen["answers"])
    refused = {failure["cors"] for failure in seen["failures"] if "Bar/Order" in failure["url"]}
    assert refused == {"PreflightMissingAllowOriginHeader"}


@pytest.mark.parametrize("bar", BARS, indirect=True, ids="-".join)
def test_a_tab_that_is_closed_ends_its_calls(page: Any, bar: Any) -> None:
    page.open(bar.same_origin)
    page.text("#order-result", MENU)
    number = order(page, "cold brew")
    page.click("#watch")
    bar.expect(f"Order {number}: somebody watches")
    page.close()
    bar.expect(f"Order {number}: nobody watches")
