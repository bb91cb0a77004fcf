"""Interceptors and handlers of `clarion.auth`, the same for both front ends."""

from __future__ import annotations

from typing import Any

import clarion.auth
from support.front_end import FrontEnd, Rig
from support.handlers import ServerCall
from support.libraries import PATTERNS

__all__ = ["TOKENS", "Caller", "authenticate", "authorize", "bearer", "rig"]

TOKENS = {
    "alice-and-her-secret": clarion.auth.Identity(
        method="token",
        subject="alice",
        scopes=frozenset({"read", "write"}),
        roles=frozenset({"admin"}),
    ),
    "bob-and-his-own-secret": "bob",
}


def _of(front: FrontEnd) -> Any:
    return clarion.auth if front.name == "sync" else clarion.auth.aio


def authenticate(front: FrontEnd, *authenticators: Any, **options: Any) -> Any:
    return _of(front).AuthenticationInterceptor(*authenticators, **options)


def authorize(front: FrontEnd, policy: Any) -> Any:
    return _of(front).AuthorizationInterceptor(policy)


def bearer(token: str) -> list[tuple[str, str | bytes]]:
    return [("authorization", f"Bearer {token}")]


class Caller:
    """Handlers that keep who called."""

    def __init__(self) -> None:
        self.calls = 0
        self.identity: Any = None
        self.auth: dict[str, list[bytes]] = {}

    async def one(self, call: ServerCall) -> bytes:
        self.calls += 1
        context: Any = call.context
        self.identity = clarion.auth.identity(context)
        self.auth = context.auth_context()
        return b"answer"

    async def many(self, call: ServerCall) -> None:
        await call.write(await self.one(call))


def rig(front: FrontEnd, *interceptors: Any, **options: Any) -> tuple[Rig, Caller]:
    """A server with these interceptors, and a channel to it."""
    caller = Caller()
    handlers = {each: caller.many if each.endswith("stream") else caller.one for each in PATTERNS}
    return front.rig(**handlers, interceptors=interceptors, **options), caller
