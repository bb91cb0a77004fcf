"""The arithmetic of the matrix: flags, tokens, reasons and the page, without running a peer."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pytest

from interop.cases import CASES
from interop.harness.cells import Cell, Direction, Key, Sizes, flags_of, keys
from interop.harness.document import document
from interop.harness.peers import PEERS, Python
from interop.harness.processes import Finished
from interop.harness.reasons import reason
from interop.harness.toolchains import Missing, build
from interop.program.flags import CERTIFICATES, client_flags
from interop.program.identity import Identity, Verifier
from interop.program.tokens import PrivateKey, sign, verify

KEY = PrivateKey.from_pem((CERTIFICATES / "service-account.key").read_text())


@pytest.mark.parametrize(
    ("words", "tls"),
    [([], False), (["--use_tls"], True), (["--use_tls=true"], True), (["--use_tls=false"], False)],
)
def test_switches(words: list[str], tls: bool) -> None:
    assert client_flags(words).use_tls is tls


def test_a_switch_that_is_neither() -> None:
    with pytest.raises((SystemExit, argparse.ArgumentTypeError)):
        client_flags(["--use_tls=perhaps"])


def test_tokens() -> None:
    token = sign(KEY, {"sub": "someone"})
    assert verify(KEY, token) == {"sub": "someone"}
    other = PrivateKey.from_pem((CERTIFICATES / "server1.key").read_text())
    head, _, signature = token.split(".")
    forged = sign(other, {"sub": "someone else"}).split(".")[1]
    assert verify(other, token) is None
    assert verify(KEY, f"{head}.{forged}.{signature}") is None
    for damaged in ("", "a.b.c", token[:-4], token + "AAAA"):
        assert verify(KEY, damaged) is None


def test_identities() -> None:
    verifier = Verifier(CERTIFICATES / "service-account.key")
    late = {"sub": "a", "scope": "b", "exp": time.time() + 600}
    token = sign(KEY, late)
    assert verifier.identify([("authorization", f"Bearer {token}")]) == Identity("a", "b")
    expired = sign(KEY, {**late, "exp": time.time() - 1})
    for metadata in ([], [("authorization", token)], [("authorization", f"Bearer {expired}")]):
        assert verifier.identify(metadata) == Identity()


def test_cells_of_a_peer() -> None:
    secure = [case.name for case in CASES.values() if case.secure]
    peers = {peer.name: keys(peer, list(CASES)) for peer in PEERS}
    for name, found in peers.items():
        assert len(set(found)) == len(found)
        assert not [key for key in found if key.case in secure and not key.tls]
        directions = {key.direction for key in found}
        assert len(directions) == (1 if name.startswith("clarion") else 2)


def test_flags_of_a_cell() -> None:
    def flags(case: str, *, official: bool) -> list[str]:
        key = Key("js", Direction.SERVER, "aio", True, case)
        return flags_of(key, 1, {"oauth_scope": "x"}, Sizes(7, 9), official=official)

    assert "--soak_iterations=7" in flags("rpc_soak", official=True)
    assert "--oauth_scope=x" in flags("per_rpc_creds", official=True)
    assert "--concurrent_calls=9" in flags("concurrent_large_unary", official=False)
    assert "--concurrent_calls=9" not in flags("concurrent_large_unary", official=True)


def test_reasons_are_about_others() -> None:
    for peer in PEERS:
        for key in keys(peer, list(CASES)):
            if peer.name.startswith("clarion"):
                assert reason(key) is None
    plain = Key("go", Direction.SERVER, "sync", False, "large_unary")
    assert reason(plain) is None


def test_the_page() -> None:
    peer = Python("grpc", "sync")
    peer.version = "9.9"
    keys_ = [Key(peer.name, Direction.CLIENT, "sync", False, case) for case in list(CASES)[:3]]
    cells = [
        Cell(keys_[0], Finished(0, "", 0.1)),
        Cell(keys_[1], Finished(1, "words", 0.1), "It cannot."),
        Cell(keys_[2], Finished(1, "went | wrong", 0.1)),
    ]
    page = document([peer], {"other": "`x` is not on the path"}, cells, Sizes(7, 9))
    assert "| grpcio (sync) | 9.9 | 1 | 1 | 1 |" in page
    assert "skipped: `x` is not on the path" in page
    row = [line for line in page.splitlines() if line.startswith(f"| `{keys_[1].case}`")]
    assert row[0].split("|")[2].strip() == "- 1"
    assert "1. It cannot." in page
    assert "7 calls in a soak, 9 concurrent ones" in page
    assert "`went / wrong`" in page


def test_a_build_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interop.harness.toolchains.BUILD", tmp_path)
    source = tmp_path / "source"
    source.write_text("one")
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)

    for _ in range(2):
        build("x", [source], make)
    assert len(made) == 1
    source.write_text("two")

    def fail(_: Path) -> None:
        raise Missing("no compiler")

    for _ in range(2):
        with pytest.raises(Missing):
            build("x", [source], fail)
    build("x", [source], make)
    assert len(made) == 2
