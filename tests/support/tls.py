"""Servers and channels with credentials, and what is seen of them."""

from __future__ import annotations

from typing import Any

from support.credentials import client_tls, server_tls
from support.front_end import FrontEnd, Rig
from support.handlers import ServerCall
from support.simple import ECHOES

__all__ = ["SECURE", "Witness", "refused", "tls_rig"]

SECURE = {"transport_security_type": [b"ssl"], "security_level": [b"TSI_PRIVACY_AND_INTEGRITY"]}


class Witness:
    """A handler that keeps what the connection says about the client."""

    def __init__(self) -> None:
        self.auth: dict[str, list[bytes]] = {}
        self.identities: list[bytes] | None = None
        self.key: str | None = None
        self.peer = ""

    async def __call__(self, call: ServerCall) -> bytes:
        context: Any = call.context
        self.auth = {key: list(values) for key, values in context.auth_context().items()}
        identities = context.peer_identities()
        self.identities = None if identities is None else list(identities)
        self.key = context.peer_identity_key()
        self.peer = context.peer()
        return b"seen"


def tls_rig(front: FrontEnd, **arguments: Any) -> Rig:
    arguments.setdefault("credentials", server_tls(front.library))
    arguments.setdefault("client_credentials", client_tls(front.library))
    return front.rig(**{**ECHOES, **arguments})


def refused(rig: Rig) -> str:
    outcome = rig.call("unary_unary", [b"x"])
    assert (outcome.code, outcome.responses) == ("UNAVAILABLE", []), outcome
    return outcome.details
