"""The arithmetic of the web's matrix: wires, cells, what clients print, reasons, the page; without running a peer."""

from __future__ import annotations

import pytest

from interop.cases import CASES as GRPC_CASES
from interop.cases import WEB_CASES
from interop.harness.cells import Direction
from interop.harness.processes import Finished
from interop.web.alike import REQUESTS, Answer, Difference, Request, compare
from interop.web.cells import CASES, GRPC_WEB_CASES, Cell, Key, Wire, keys, wires
from interop.web.document import Comparison, document
from interop.web.matrix import results
from interop.web.peers import PEERS, WebPeer
from interop.web.reasons import reason

WIRE = Wire("connect", "2", "json")


class Peer(WebPeer):
    name, title, version = "it", "It", "1.0"
    calls = wires("connect/*")
    securities = (False,)


def test_every_case_has_a_program() -> None:
    assert set(CASES) <= {*GRPC_CASES, *WEB_CASES}
    assert set(GRPC_WEB_CASES) <= set(CASES)


def test_wires() -> None:
    assert len(wires("*")) == 12
    assert wires("grpc/*") == (Wire("grpc", "2"), Wire("grpc", "2", "json"))
    assert {wire.codec for wire in wires("grpc-web-text/*")} == {"proto"}
    assert WIRE.title == "Connect, HTTP/2"


def test_gRPC_web_has_eleven_cases_for_text_and_nine_for_binary() -> None:
    found = keys("it", Direction.SERVER, wires("grpc-web*/1.1/proto"), [False], GRPC_WEB_CASES)
    for protocol, number in (("grpc-web-text", 11), ("grpc-web", 9)):
        own = [key for key in found if key.wire.protocol == protocol and key.front_end == "aio"]
        assert len(own) == number


def test_http_1_1_has_no_full_duplex() -> None:
    found = keys("it", Direction.CLIENT, wires("connect/*/proto"), [True], CASES, ["sync"])
    by_http = {http: {key.case for key in found if key.wire.http == http} for http in ("1.1", "2")}
    assert by_http["2"] - by_http["1.1"] == {"ping_pong", "cancel_after_first_response"}
    assert all(key.tls and key.front_end == "sync" for key in found)


def test_cells_of_a_peer_are_of_the_chosen_cases() -> None:
    found = Peer().keys(["large_unary", "ping_pong"])
    assert {key.direction for key in found} == {Direction.SERVER}
    # Two codecs over HTTP/2, and for one of the cases over HTTP/1.1; both front ends.
    assert len(found) == 2 * (4 + 2)


def test_what_clients_print() -> None:
    output = "noise\na: passed\nb: failed: no: really\nc: unsupported: cannot\nother: passed\n"
    found = results(["a", "b", "c", "d"], Finished(1, "c: unsupported: cannot", 0.1, output))
    assert found == {
        "a": (True, "passed"),
        "b": (False, "failed: no: really"),
        "c": (False, "unsupported: cannot"),
        "d": (False, "exit status 1: c: unsupported: cannot"),
    }
    assert results(["a"], Finished(None, "", 1.0)) == {"a": (False, "took too long")}


def test_every_reason_is_of_a_cell() -> None:
    everything = [key for peer in PEERS for key in peer.keys(CASES)]
    explained = [key for key in everything if reason(key)]
    assert 0 < len(explained) < len(everything) / 4
    assert not any(key.peer.startswith("clarion-") for key in explained)


def _cell(case: str, *, passed: bool, words: str = "", why: str | None = None) -> Cell:
    return Cell(Key("it", Direction.SERVER, "aio", False, WIRE, case), passed, words, why)


def test_the_page() -> None:
    cells = [
        _cell("empty_unary", passed=True),
        _cell("empty_unary", passed=False, words="unsupported", why="It cannot."),
        _cell("large_unary", passed=False, words="a | b"),
    ]
    difference = Difference("small", "body", b"a", b"b")
    page = document([Peer()], {"That": "absent"}, cells, Comparison(5, [difference]))
    assert "| It | 1.0 | Clarion's server | 1 | 1 | 1 |" in page
    assert "| That | skipped: absent |  |  |  |  |" in page
    assert "| `empty_unary` | 1/2 - 1 |" in page
    assert "1. It cannot." in page
    assert "| `large_unary` | 0/1 FAIL |" in page
    assert "- `large_unary`, aio, plain, connect/2/json: `a / b`" in page
    assert "5 requests, 1 differences" in page
    assert "- differs: small: body" in page
    left_out = document([], {}, [], Comparison(0, [], "no Envoy"))
    assert "Not compared: no Envoy" in left_out


@pytest.mark.parametrize(
    ("kind", "through", "directly", "same"),
    [
        # Pieces of base64 with their own padding are the same octets.
        ("application/grpc-web-text", b"AA==AQI=", b"AAEC", True),
        ("application/grpc-web", b"AA==AQI=", b"AAEC", False),
        # Envoy leaves gRPC's percent signs in messages; Clarion must not.
        ("application/json", b'{"message":"%41","code":"x"}', b'{"code":"x","message":"A"}', True),
        ("application/json", b'{"message":"A"}', b'{"message":"%41"}', False),
        ("application/connect+proto", b"\2\0\0\0\x02{}", b"\2\0\0\0\x03{ }", True),
        ("application/connect+proto", b"\0\0\0\0\x01a", b"\0\0\0\0\x01b", False),
    ],
)
def test_what_is_alike(
    monkeypatch: pytest.MonkeyPatch, kind: str, through: bytes, directly: bytes, same: bool
) -> None:
    answers = {
        1: Answer(200, (("content-type", kind), ("date", "now"), ("server", "envoy")), through),
        2: Answer(200, (("content-type", kind),), directly),
    }
    monkeypatch.setattr("interop.web.alike.ask", lambda port, request, version: answers[port])
    found = compare(1, 2, "1.1", [Request("it", "/", {}, b"")])
    assert [each.what for each in found] == ([] if same else ["body"])


def test_fields_and_statuses_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {1: Answer(200, (("a", "b"),), b""), 2: Answer(500, (), b"")}
    monkeypatch.setattr("interop.web.alike.ask", lambda port, request, version: answers[port])
    found = compare(1, 2, "2", REQUESTS[:1])
    assert [each.what for each in found] == ["status", "fields"]
