"""Key sets behind a URL: kept, renewed, and asked for no more often than allowed."""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent import futures
from typing import Any

import pytest

pytest.importorskip("jwt", reason="PyJWT is not installed: the extra `auth`")

from clarion.auth import AuthenticationFailed, JwtAuthenticator, RemoteJwks, VerifierUnavailable
from clarion.auth.fetching import Endpoint, FetchFailed
from support.auth import authenticate, bearer, rig
from support.front_end import FrontEnd
from support.issuer import AUDIENCE, ISSUER, Issuer, finish, jwk, mint, private_key
from support.libraries import LIMIT, PATTERNS

ONE, TWO = private_key("P-256"), private_key("P-256", 1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keys(issuer: Issuer, **options: Any) -> RemoteJwks:
    return RemoteJwks(issuer.url("/keys"), **options)


def token(key: Any = ONE, kid: str = "1") -> str:
    return mint(key, "ES256", {"kid": kid})


def find(source: RemoteJwks, kid: str | None = "1") -> Any:
    return finish(source.find("ES256", kid))


def settle(source: RemoteJwks) -> None:
    """Wait for the fetch that goes on beside."""
    flight = source._flight
    if flight is not None:
        futures.wait([flight], LIMIT)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_server_fetches_keys_with_the_first_token(
    front: FrontEnd, issuer: Issuer, pattern: str
) -> None:
    issuer.keys = [jwk(ONE, kid="1")]
    verifier = JwtAuthenticator(keys(issuer), issuer=ISSUER, audience=AUDIENCE)
    called, caller = rig(front, authenticate(front, verifier))
    for _ in range(2):
        assert called.call(pattern, [b"x"], metadata=bearer(token())).code == "OK"
    assert caller.identity.subject == "alice"
    unknown = called.call(pattern, [b"x"], metadata=bearer(token(TWO, "2")))
    assert (unknown.code, unknown.details) == (
        "UNAUTHENTICATED",
        "the token is signed with an unknown key",
    )
    assert len(issuer.requests) == 1


def test_the_event_loop_and_other_calls_go_on_while_keys_are_fetched(
    front: FrontEnd, issuer: Issuer
) -> None:
    issuer.keys = [jwk(ONE, kid="1")]
    issuer.gate.clear()
    verifier = JwtAuthenticator(keys(issuer), issuer=ISSUER, audience=AUDIENCE)
    called, caller = rig(front, authenticate(front, verifier, exempt=["*UnaryStream"]))
    waiting = [called.open("unary_unary", [b"x"], metadata=bearer(token())) for _ in range(5)]
    assert issuer.arrived.acquire(timeout=LIMIT)
    assert called.call("unary_stream", [b"x"]).code == "OK"
    assert caller.calls == 1
    issuer.gate.set()
    assert [call.finish().code for call in waiting] == ["OK"] * 5
    assert len(issuer.requests) == 1


def test_one_fetch_serves_all_who_wait(issuer: Issuer) -> None:
    issuer.keys = [jwk(ONE, kid="1")]
    issuer.gate.clear()
    source = keys(issuer)
    with futures.ThreadPoolExecutor(8) as pool:
        found = [pool.submit(find, source) for _ in range(8)]
        assert issuer.arrived.acquire(timeout=LIMIT)
        issuer.gate.set()
        assert all(each.result(LIMIT) is not None for each in found)
    assert len(issuer.requests) == 1


def test_rotation_is_found_by_an_unknown_name_but_not_too_often(
    issuer: Issuer, clock: Clock
) -> None:
    issuer.keys = [jwk(ONE, kid="1")]
    source = keys(issuer, clock=clock, min_interval=30)
    assert find(source) is not None
    for number in range(50):
        assert find(source, f"made up {number}") is None
    assert len(issuer.requests) == 1
    issuer.keys = [jwk(TWO, kid="2")]
    clock.now += 31
    assert find(source, "2") is not None
    assert len(issuer.requests) == 2
    # The old one is gone.
    assert find(source, "1") is None
    assert len(issuer.requests) == 2


def test_known_keys_do_not_wait_for_a_renewal(issuer: Issuer, clock: Clock) -> None:
    issuer.keys = [jwk(ONE, kid="1")]
    source = keys(issuer, clock=clock, max_age=600)
    assert find(source) is not None
    clock.now += 601
    issuer.gate.clear()
    with pytest.raises(StopIteration):
        next(source.find("ES256", "1"))
    assert issuer.arrived.acquire(timeout=LIMIT)
    assert issuer.arrived.acquire(timeout=LIMIT)
    issuer.keys = [jwk(TWO, kid="2")]
    issuer.gate.set()
    settle(source)
    assert find(source, "2") is not None


def test_a_set_that_cannot_be_renewed_is_used_on_for_a_while(
    issuer: Issuer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.keys = [jwk(ONE, kid="1")]
    source = keys(issuer, clock=clock, max_age=600, max_stale=100)
    assert find(source) is not None
    issuer.status = 500
    clock.now += 650
    assert find(source) is not None
    settle(source)
    assert "answered 500" in caplog.text
    clock.now += 51
    with pytest.raises(VerifierUnavailable, match="cannot be had now"):
        find(source)
    issuer.status = 200
    clock.now += 31
    assert find(source) is not None


@pytest.mark.parametrize(
    ("header", "fresh_for"),
    [("max-age=60", 60), ("public, Max-Age=60", 60), ("max-age=99999999", 600), ("no-store", 30)],
)
def test_what_the_answer_says_of_its_age(
    issuer: Issuer, clock: Clock, header: str, fresh_for: float
) -> None:
    issuer.keys = [jwk(ONE, kid="1")]
    issuer.headers["Cache-Control"] = header
    source = keys(issuer, clock=clock, max_age=600, min_interval=30)
    find(source)
    clock.now += fresh_for - 1
    find(source)
    settle(source)
    assert len(issuer.requests) == 1
    clock.now += 1
    find(source)
    settle(source)
    assert len(issuer.requests) == 2


@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [
        (b"not JSON", 200, {}),
        (b'{"keys": []}', 200, {}),
        (b"x" * ((1 << 20) + 1), 200, {}),
        (None, 404, {}),
        (None, 302, {"Location": "http://127.0.0.1:1/keys"}),
    ],
    ids=["no JSON", "no keys", "too long", "not found", "redirect"],
)
def test_answers_that_are_no_key_set(
    front: FrontEnd, issuer: Issuer, body: bytes | None, status: int, headers: dict[str, str]
) -> None:
    issuer.body, issuer.status, issuer.headers = body, status, headers
    verifier = JwtAuthenticator(keys(issuer), issuer=ISSUER, audience=AUDIENCE)
    called, caller = rig(front, authenticate(front, verifier))
    outcome = called.call("unary_unary", [b"x"], metadata=bearer(token()))
    assert outcome.code == "UNAVAILABLE"
    assert outcome.details == "the keys of the token's issuer cannot be had now"
    assert caller.calls == 0


def test_an_issuer_that_does_not_answer(issuer: Issuer) -> None:
    issuer.gate.clear()
    with pytest.raises(VerifierUnavailable):
        find(keys(issuer, timeout=0.05))
    issuer.gate.set()


def test_an_issuer_that_answers_byte_by_byte() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            sock, _ = listening.accept()
            with sock, contextlib.suppress(OSError):
                sock.recv(4096)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not over.wait(0.01):
                    sock.sendall(b"x")

        over = threading.Event()
        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/keys"
        endpoint = Endpoint(url, timeout=0.3, limit=1 << 20, ssl_context=None, allow_http=False)
        try:
            with pytest.raises(FetchFailed):
                endpoint.request("GET")
        finally:
            over.set()
            thread.join(LIMIT)


def test_nobody_waits_for_a_fetch_that_is_lost(issuer: Issuer, clock: Clock) -> None:
    issuer.keys = [jwk(ONE, kid="1")]
    source = keys(issuer, clock=clock)
    lost = source._take_off(clock.now)
    steps = source.find("ES256", "1")
    assert next(steps).future is lost
    clock.now += 31
    # Another may begin where the one before has not come back.
    assert find(source) is not None


@pytest.mark.parametrize(
    "url", ["http://issuer.test/keys", "ftp://x/y", "file:///etc/passwd", "https://", "/keys"]
)
def test_urls_that_are_not_taken(url: str) -> None:
    with pytest.raises(ValueError):
        RemoteJwks(url)
    with pytest.raises(ValueError, match="user name"):
        RemoteJwks("https://user:word@issuer.test/keys")
    assert "issuer.test" in repr(RemoteJwks("http://issuer.test/keys", allow_http=True))


def test_https(issuer: Issuer) -> None:
    # The issuer speaks no TLS; that is said, and nothing is taken from it.
    url = issuer.url("/keys").replace("http:", "https:")
    with pytest.raises(VerifierUnavailable):
        find(RemoteJwks(url, timeout=2))
    assert not issuer.requests


def test_threads_that_look_at_once(issuer: Issuer) -> None:
    issuer.keys = [jwk(ONE, kid="1")]
    source = keys(issuer)
    start = threading.Barrier(4)

    def look(number: int) -> Any:
        start.wait(LIMIT)
        with pytest.raises(AuthenticationFailed):
            finish(
                JwtAuthenticator(source, issuer="x", audience="y").verify(token(TWO, f"{number}"))
            )
        return find(source)

    with futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(look, range(4)))
    assert len(issuer.requests) <= 2
