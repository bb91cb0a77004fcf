"""Authorization policies (gRFC A43): which callers may call which methods.

Deny rules come first, then allow rules, and what matches none is denied. A policy with anything that is not
understood is no policy: part of it could be what protects.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from clarion.auth.audit import AuditCondition, AuditEvent, Auditing, AuditLogger, build_logger
from clarion.auth.connection import principals_of_connection
from clarion.auth.identities import CallInfo
from clarion.auth.json_objects import MalformedJson, read_object
from clarion.auth.patterns import Pattern

__all__ = ["Decision", "InvalidPolicy", "Policy", "principals_of"]

_HOP_BY_HOP = frozenset(
    (
        "connection",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


class InvalidPolicy(ValueError):
    """The policy cannot be used; the message says where and why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What a policy says of a call.

    Attributes:
        authorized: the call may go on.
        rule: the rule that decided; empty if none matched.
    """

    authorized: bool
    rule: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    principals: Sequence[Pattern]
    paths: Sequence[Pattern]
    headers: Sequence[tuple[str, Sequence[Pattern]]]

    def matches(self, path: str, principals: Sequence[str], headers: Mapping[str, str]) -> bool:
        if self.principals and not any(_any_matches(self.principals, each) for each in principals):
            return False
        if self.paths and not _any_matches(self.paths, path):
            return False
        for key, values in self.headers:
            value = headers.get(key)
            if value is None or not _any_matches(values, value):
                return False
        return True


def _any_matches(patterns: Sequence[Pattern], value: str) -> bool:
    return any(pattern.matches(value) for pattern in patterns)


def principals_of(call: CallInfo) -> list[str]:
    """By which names a policy knows a caller: those of the connection, then those of its verified identity."""
    found = principals_of_connection(call.auth_context)
    if call.identity is not None:
        found += [each for each in call.identity.principals if each not in found]
    return found


class Policy:
    """An authorization policy. Cannot be changed, and is used by many threads.

    Args:
        text: the policy, JSON as gRFC A43 and A59 have it.

    Attributes:
        name: the policy's name.

    Raises:
        InvalidPolicy: it cannot be used.
    """

    def __init__(self, text: str | bytes) -> None:
        try:
            document = read_object(text)
        except MalformedJson as error:
            raise InvalidPolicy(f"the policy cannot be read: {error}") from None
        reader = _Reader("the policy", document)
        self.name = reader.text("name")
        self._deny = _rules(reader, "deny_rules")
        self._allow = _rules(reader, "allow_rules")
        self._reads_headers = any(rule.headers for rule in (*self._deny, *self._allow))
        self._auditing = _auditing(reader.object("audit_logging_options"))
        reader.finish()
        if not self._allow:
            # Required; and who wants to deny all says so by a deny rule.
            raise InvalidPolicy("the policy: allow_rules must have a rule")

    def __repr__(self) -> str:
        return f"<clarion.auth.Policy {self.name!r}>"

    def current(self) -> Policy:
        """The policy that counts now: this one. See `PolicyFile`."""
        return self

    def decide(self, call: CallInfo) -> Decision:
        """Decide on a call. Nothing is logged; see `authorize`."""
        path, principals = call.method, principals_of(call)
        headers = _headers(call.metadata) if self._reads_headers else {}
        for rule in self._deny:
            if rule.matches(path, principals, headers):
                return Decision(False, rule.name)
        for rule in self._allow:
            if rule.matches(path, principals, headers):
                return Decision(True, rule.name)
        return Decision(False, "")

    def authorize(self, call: CallInfo) -> bool:
        """Decide on a call, and log that where the policy says so."""
        decision = self.decide(call)
        if self._auditing.condition.applies(decision.authorized):
            event = AuditEvent(
                call.method, _principal(call), self.name, decision.rule, decision.authorized
            )
            self._auditing.log(event)
        return decision.authorized


def _principal(call: CallInfo) -> str:
    """Who is responsible: the verified identity, or else the connection's first name."""
    if call.identity is not None and call.identity.principals:
        return call.identity.principals[0]
    return next((each for each in principals_of_connection(call.auth_context) if each), "")


def _headers(metadata: Sequence[tuple[str, str | bytes]]) -> dict[str, str]:
    """Text by key, several of a key with commas between."""
    found: dict[str, str] = {}
    for key, value in metadata:
        if isinstance(value, str):
            found[key] = f"{found[key]},{value}" if key in found else value
    return found


class _Reader:
    """Takes members out of a JSON object; at the end none may be left."""

    def __init__(self, where: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise InvalidPolicy(f"{where}: must be an object")
        self.where = where
        self._left = dict(value)

    def take(self, name: str, kind: type, otherwise: Any) -> Any:
        value = self._left.pop(name, otherwise)
        if not isinstance(value, kind):
            raise InvalidPolicy(f"{self.where}: {name} must be {_WORDS[kind]}")
        return value

    def text(self, name: str) -> str:
        value: str = self.take(name, str, "")
        if not value:
            raise InvalidPolicy(f"{self.where}: {name} is missing")
        return value

    def several(self, name: str) -> list[Any]:
        found: list[Any] = self.take(name, list, [])
        return found

    def object(self, name: str) -> _Reader:
        return _Reader(f"{self.where}: {name}", self.take(name, dict, {}))

    def patterns(self, name: str) -> list[Pattern]:
        values = self.several(name)
        if not all(isinstance(each, str) for each in values):
            raise InvalidPolicy(f"{self.where}: {name} must be texts")
        return [Pattern(each) for each in values]

    def finish(self) -> None:
        if self._left:
            raise InvalidPolicy(f"{self.where}: {', '.join(map(repr, self._left))} is not known")


_WORDS = {str: "text", list: "a list", dict: "an object", bool: "true or false"}


def _rules(policy: _Reader, name: str) -> list[_Rule]:
    rules = [
        _rule(_Reader(f"{policy.where}: {name}[{index}]", each))
        for index, each in enumerate(policy.several(name))
    ]
    names = [rule.name for rule in rules]
    if len(set(names)) != len(names):
        raise InvalidPolicy(f"{policy.where}: two {name} have the same name")
    return rules


def _rule(reader: _Reader) -> _Rule:
    name = reader.text("name")
    reader.where += f" {name!r}"
    source, request = reader.object("source"), reader.object("request")
    reader.finish()
    principals, paths = source.patterns("principals"), request.patterns("paths")
    headers = [
        _header(_Reader(f"{request.where}: headers[{index}]", each))
        for index, each in enumerate(request.several("headers"))
    ]
    source.finish()
    request.finish()
    return _Rule(name, principals, paths, headers)


def _header(reader: _Reader) -> tuple[str, list[Pattern]]:
    key = reader.text("key").lower()
    values = reader.patterns("values")
    reader.finish()
    if not values:
        raise InvalidPolicy(f"{reader.where}: values is missing")
    if key.startswith((":", "grpc-")) or key in _HOP_BY_HOP:
        raise InvalidPolicy(f"{reader.where}: {key!r} cannot be matched (gRFC A43)")
    if key.endswith("-bin") or key == "content-type":
        raise InvalidPolicy(f"{reader.where}: {key!r} is not text that policies see")
    return key, values


def _auditing(reader: _Reader) -> Auditing:
    word = reader.take("audit_condition", str, "NONE")
    if word not in AuditCondition.__members__:
        known = ", ".join(AuditCondition.__members__)
        raise InvalidPolicy(f"{reader.where}: audit_condition must be one of {known}")
    # gRFC A59's schema has the first name, its text and all implementations the second.
    entries = [*reader.several("audit_logger"), *reader.several("audit_loggers")]
    reader.finish()
    loggers = [
        logger
        for index, entry in enumerate(entries)
        if (logger := _logger(_Reader(f"{reader.where}: audit_loggers[{index}]", entry)))
    ]
    return Auditing(AuditCondition[word], loggers)


def _logger(reader: _Reader) -> AuditLogger | None:
    name = reader.text("name")
    config = reader.take("config", dict, {})
    optional = reader.take("is_optional", bool, False)
    reader.finish()
    try:
        logger = build_logger(name, config)
    except ValueError as error:
        if optional:
            return None
        raise InvalidPolicy(f"{reader.where}: {name!r} does not take its config: {error}") from None
    if logger is None and not optional:
        raise InvalidPolicy(
            f"{reader.where}: no audit logger is called {name!r}; register_audit_logger adds one"
        )
    return logger
