"""Whom a server believes: bearers of tokens signed by the test authority's key."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interop.program.tokens import PrivateKey, verify

__all__ = ["Identity", "Verifier"]


@dataclass(frozen=True)
class Identity:
    """A caller's e-mail, and what its token is good for."""

    username: str = ""
    scope: str = ""


class Verifier:
    """Tells callers by their `authorization` metadata."""

    def __init__(self, key_file: Path) -> None:
        self._key = PrivateKey.from_pem(key_file.read_text())

    def identify(self, metadata: Iterable[tuple[str, Any]]) -> Identity:
        """The caller; an empty identity if there is no token, or none to believe."""
        for key, value in metadata:
            kind, _, token = value.partition(" ") if key == "authorization" else ("", "", "")
            if kind.lower() == "bearer":
                claims = verify(self._key, token)
                if claims is not None and claims.get("exp", 0) > time.time():
                    username = claims.get("sub") or claims.get("iss", "")
                    return Identity(username, claims.get("scope", ""))
        return Identity()
