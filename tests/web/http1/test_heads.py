"""Heads of HTTP/1.1 requests: which are refused, and what becomes of the others."""

from __future__ import annotations

from typing import Any

import pytest

h11 = pytest.importorskip("h11", reason="h11 is not installed")

from clarion.web.http1.heads import Refused, check_size, request_fields  # noqa: E402


def _request(target: bytes = b"/a.B/C", host: bytes = b"x.example", **more: Any) -> Any:
    arguments = {"method": b"POST", "target": target, "headers": [(b"host", host)]} | more
    return h11.Request(**arguments)


@pytest.mark.parametrize(
    ("target", "authority", "path"),
    [
        (b"/a.B/C", b"x.example", b"/a.B/C"),
        (b"/a.B/C?d=e#f", b"x.example", b"/a.B/C?d=e"),
        (b"http://y.example:81/a.B/C", b"y.example:81", b"/a.B/C"),
        (b"HTTPS://y.example", b"y.example", b"/"),
        (b"http://y.example?d=e", b"y.example", b"/?d=e"),
    ],
)
def test_targets(target: bytes, authority: bytes, path: bytes) -> None:
    head = request_fields(_request(target), b"http")
    assert head.fields == (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", authority),
        (b":path", path),
    )


@pytest.mark.parametrize(
    ("request_", "status", "why"),
    [
        (_request(b"*"), 400, "no path"),
        (_request(b"a.B/C"), 400, "no path"),
        (_request(host=b"x.example/y"), 400, "the host is none"),
        (_request(b"http://x y/a.B/C".replace(b" ", b"@")), 400, "the host is none"),
        (_request(b"x.example:443", method=b"CONNECT"), 405, "CONNECT"),
        (_request(http_version=b"2.0"), 505, "not HTTP/1.1"),
    ],
)
def test_what_is_not_served(request_: Any, status: int, why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        request_fields(request_, b"http")
    assert caught.value.status == status


def test_sizes() -> None:
    request = _request()
    size = len(b"POST /a.B/C HTTP/1.1\r\nhost: x.example\r\n\r\n")
    check_size(request, size)
    with pytest.raises(Refused, match=rf"has {size} bytes \(max_head is {size - 1}\)") as caught:
        check_size(request, size - 1)
    assert caught.value.status == 431
