"""Audit logs (gRFC A59) and policies in files."""

from __future__ import annotations

import gc
import json
import logging
import os
import queue
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clarion.auth import (
    AuditEvent,
    AuditLogger,
    CallInfo,
    Identity,
    InvalidPolicy,
    Policy,
    PolicyFile,
    register_audit_logger,
)
from support.auth import authorize, rig
from support.front_end import FrontEnd
from support.libraries import LIMIT

TLS = {
    "transport_security_type": [b"ssl"],
    "x509_pem_cert": [b"PEM"],
    "peer_uri": [b"spiffe://foo/user1"],
    "peer_dns": [b"foo"],
}


class Kept(AuditLogger):
    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.config: Mapping[str, Any] = {}

    def log(self, event: AuditEvent) -> None:
        self.events.append(event)


@pytest.fixture
def kept() -> Kept:
    """A logger that policies call `kept`."""
    kept = Kept()

    def build(config: Mapping[str, Any]) -> AuditLogger:
        if config.get("bad"):
            raise ValueError("it is bad")
        kept.config = config
        return kept

    register_audit_logger("kept", build)
    return kept


def policy(condition: str | None, *loggers: Any, name: str = "loggers") -> str:
    options: dict[str, Any] = {f"audit_{name}": loggers or [{"name": "kept"}]}
    if condition is not None:
        options["audit_condition"] = condition
    allow = [{"name": "allow", "request": {"paths": ["/a/*"]}}]
    deny = [{"name": "deny", "request": {"paths": ["/a/denied"]}}]
    return json.dumps(
        {"name": "p", "allow_rules": allow, "deny_rules": deny, "audit_logging_options": options}
    )


@pytest.mark.parametrize(
    ("condition", "logged"),
    [
        (None, []),
        ("NONE", []),
        ("ON_ALLOW", ["/a/b"]),
        ("ON_DENY", ["/a/denied", "/c/d"]),
        ("ON_DENY_AND_ALLOW", ["/a/b", "/a/denied", "/c/d"]),
    ],
)
def test_conditions(kept: Kept, condition: str | None, logged: list[str]) -> None:
    found = Policy(policy(condition))
    assert [found.authorize(CallInfo(path)) for path in ("/a/b", "/a/denied", "/c/d")] == [
        True,
        False,
        False,
    ]
    assert [event.rpc_method for event in kept.events] == logged


def test_what_is_logged(kept: Kept) -> None:
    found = Policy(policy("ON_DENY_AND_ALLOW", {"name": "kept", "config": {"a": 1}}))
    assert kept.config == {"a": 1}
    alice = Identity(method="jwt", subject="alice", principals=("jwt:i#alice",))
    found.authorize(CallInfo("/a/b", (), TLS))
    found.authorize(CallInfo("/a/denied", (), TLS, identity=alice))
    found.authorize(CallInfo("/c/d", (), {"transport_security_type": [b"ssl"]}))
    assert kept.events == [
        AuditEvent("/a/b", "spiffe://foo/user1", "p", "allow", True),
        AuditEvent("/a/denied", "jwt:i#alice", "p", "deny", False),
        AuditEvent("/c/d", "", "p", "", False),
    ]


def test_the_first_draft_of_the_name(kept: Kept) -> None:
    Policy(policy("ON_ALLOW", name="logger")).authorize(CallInfo("/a/b"))
    assert len(kept.events) == 1


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    found = Policy(policy("ON_ALLOW", {"name": "stdout_logger"}))
    found.authorize(CallInfo('/a/"quoted"\n', (), TLS))
    (line,) = capsys.readouterr().out.splitlines()
    entry = json.loads(line)["grpc_audit_log"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", entry.pop("timestamp"))
    assert entry == {
        "rpc_method": '/a/"quoted"\n',
        "principal": "spiffe://foo/user1",
        "policy_name": "p",
        "matched_rule": "allow",
        "authorized": True,
    }


def test_loggers_that_are_optional(kept: Kept) -> None:
    for name, config in (("nobody", {}), ("kept", {"bad": True})):
        logger = {"name": name, "config": config}
        with pytest.raises(InvalidPolicy, match=name):
            Policy(policy("ON_DENY", logger))
        Policy(policy("ON_DENY", {**logger, "is_optional": True}, {"name": "kept"}))


def test_a_logger_that_fails_decides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(AuditLogger):
        def log(self, event: AuditEvent) -> None:
            raise RuntimeError("the disk is full")

    register_audit_logger("failing", lambda config: Failing())
    found = Policy(policy("ON_DENY_AND_ALLOW", {"name": "failing"}))
    assert found.authorize(CallInfo("/a/b"))
    assert not found.authorize(CallInfo("/c/d"))
    assert "the disk is full" in caplog.text


def test_calls_to_servers_are_logged(front: FrontEnd, kept: Kept) -> None:
    called, _ = rig(front, authorize(front, Policy(policy("ON_DENY"))))
    assert called.call("unary_unary", [b"x"]).code == "PERMISSION_DENIED"
    assert kept.events == [AuditEvent("/test.Service/UnaryUnary", "", "p", "", False)]


# Files


def named(name: str) -> str:
    return json.dumps({"name": name, "allow_rules": [{"name": "all"}]})


def replace(path: Path, text: str) -> None:
    other = path.with_suffix(".new")
    other.write_text(text)
    os.replace(other, path)


def test_a_file_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "policy.json"
    path.write_text(named("one"))
    with PolicyFile(path, interval=3600) as file:
        assert file.current().name == "one"
        assert not file.reload()
        replace(path, named("two"))
        assert file.reload()
        assert file.current().name == "two"
        for bad in ("{", named(""), '{"name": "none"}'):
            replace(path, bad)
            caplog.clear()
            assert not file.reload()
            assert not file.reload()
            assert file.current().name == "two"
            assert caplog.text.count("the last policy still is") == 1
        path.unlink()
        assert not file.reload()
        assert "No such file" in caplog.text
        assert file.current().name == "two"
        path.write_text(named("three"))
        assert file.reload()
        assert file.current().name == "three"


def test_a_first_file_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    with pytest.raises(OSError):
        PolicyFile(path)
    path.write_text("{}")
    with pytest.raises(InvalidPolicy):
        PolicyFile(path)
    with pytest.raises(ValueError, match="positive"):
        PolicyFile(path, 0)


def test_a_server_follows_its_file(front: FrontEnd, tmp_path: Path, kept: Kept) -> None:
    path = tmp_path / "policy.json"
    path.write_text(named("open"))
    told: queue.SimpleQueue[None] = queue.SimpleQueue()

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.put(None)

    log, watch = logging.getLogger("clarion.auth"), Watch()
    log.addHandler(watch)
    before = log.level
    log.setLevel(logging.INFO)
    try:
        with PolicyFile(path, interval=0.01) as file:
            called, _ = rig(front, authorize(front, file))
            assert called.call("unary_unary", [b"x"]).code == "OK"
            replace(path, policy("NONE"))
            told.get(timeout=LIMIT)
            assert called.call("unary_unary", [b"x"]).code == "PERMISSION_DENIED"
            replace(path, "{")
            told.get(timeout=LIMIT)
            assert called.call("unary_unary", [b"x"]).code == "PERMISSION_DENIED"
    finally:
        log.setLevel(before)
        log.removeHandler(watch)


def test_the_watching_ends_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(named("one"))
    before = set(threading.enumerate())
    file = PolicyFile(path, interval=3600)
    (watching,) = set(threading.enumerate()) - before
    del file
    gc.collect()
    watching.join(LIMIT)
    assert not watching.is_alive()
