"""The request that asks for a WebSocket, and the head of the answer that agrees to it (RFC 6455 §4.2).

Rules it keeps: what is wrong with the request is said by HTTP, before the application hears of it. What the application adds
to the answer can neither end the head early nor say what is the protocol's to say.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable

from wsproto.utilities import generate_accept_token

from clarion.web.apps.answers import BadAnswer, checked_fields
from clarion.web.errors import HttpRefusal
from clarion.web.http1.hop import CONNECTION

__all__ = ["Handshake"]

Fields = tuple[tuple[bytes, bytes], ...]

_VERSION = b"13"
_NONCE = 16
_OWN = b"sec-websocket-"
_NO_BODY = (b"content-length", b"content-encoding")


class Handshake:
    """One request for a WebSocket.

    Args:
        method: its method.
        fields: its header fields, in lower case, with those of the connection.

    Attributes:
        subprotocols: what the client offers, best first.
        extensions: the extensions that it offers, each with its parameters.

    Raises:
        HttpRefusal: it is none, or of another version.
    """

    def __init__(self, method: bytes, fields: Iterable[tuple[bytes, bytes]]) -> None:
        lists: dict[bytes, bytes] = {}
        for name, value in fields:
            lists[name] = lists[name] + b"," + value if name in lists else value
        if method != b"GET":
            raise HttpRefusal(405, "a WebSocket is opened with GET", ((b"allow", b"GET"),))
        upgrade = _words(lists.get(b"upgrade", b"").lower())
        connection = _words(lists.get(b"connection", b"").lower())
        if "websocket" not in upgrade or "upgrade" not in connection:
            raise HttpRefusal(
                400,
                "the request has sec-websocket-key, and not both `connection: upgrade` and `upgrade: websocket`; "
                "a proxy on the way may have dropped them",
            )
        if lists.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in lists:
            raise HttpRefusal(400, "a request for a WebSocket has no body")
        version = lists.get(b"sec-websocket-version")
        if version != _VERSION:
            # §4.4
            status = 400 if version is None else 426
            said: Fields = ((b"sec-websocket-version", _VERSION),)
            if version is not None:
                # RFC 9110 §15.5.22
                said += ((b"upgrade", b"websocket"), (b"connection", b"upgrade"))
            raise HttpRefusal(status, "the WebSocket's version is not 13", said)
        self._key = lists.get(b"sec-websocket-key", b"")
        if not _is_key(self._key):
            raise HttpRefusal(400, "sec-websocket-key is not 16 bytes in base64")
        self.subprotocols = _words(lists.get(b"sec-websocket-protocol", b""))
        self.extensions = _words(lists.get(b"sec-websocket-extensions", b""))

    def answer(
        self,
        subprotocol: str | None,
        extension: str | None,
        fields: Iterable[tuple[bytes, bytes]],
    ) -> Fields:
        """The fields of the answer that agrees.

        Args:
            subprotocol: the one that the application chose.
            extension: the one that is agreed to, with its parameters.
            fields: what the application adds.

        Raises:
            BadAnswer: the application said what cannot be sent.
        """
        head = [
            (b"upgrade", b"websocket"),
            (b"connection", b"upgrade"),
            (b"sec-websocket-accept", generate_accept_token(self._key)),
        ]
        if subprotocol is not None:
            if subprotocol not in self.subprotocols:
                offered = ", ".join(self.subprotocols)[:200] or "none"
                raise BadAnswer(
                    f"the application chose the subprotocol {subprotocol!r}; the client offers {offered}"
                )
            head.append((b"sec-websocket-protocol", subprotocol.encode()))
        if extension is not None:
            head.append((b"sec-websocket-extensions", extension.encode()))
        for name, value in checked_fields(fields):
            if name.startswith(_OWN):
                raise BadAnswer(
                    f"{name.decode()} is the server's to say; `subprotocol` is a key of websocket.accept"
                )
            if name not in CONNECTION and name not in _NO_BODY:
                head.append((name, value))
        return tuple(head)


def _words(value: bytes) -> list[str]:
    """The elements of a list, which are tokens but for the parameters of extensions."""
    words = (word.strip() for word in value.decode("latin-1").split(","))
    return [word for word in words if word.isascii() and word.isprintable() and word]


def _is_key(value: bytes) -> bool:
    try:
        return len(binascii.a2b_base64(value, strict_mode=True)) == _NONCE
    except binascii.Error:
        return False
