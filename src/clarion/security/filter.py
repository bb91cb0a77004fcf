"""TLS without a socket: ciphertext in, plaintext out, and the other way.

Whoever uses a filter does so from one thread at a time.
"""

from __future__ import annotations

import ssl

from clarion.security.failures import PeerClosed, PlainText, explain
from clarion.trace_points import tell

__all__ = ["ALPN", "HTTP1", "TlsFilter"]

ALPN = "h2"
HTTP1 = "http/1.1"

# TLS has no larger record (RFC 8446 §5.1).
_RECORD = 16_384
# The record types of TLS; the version's first octet follows, which is 3 from SSL 3 to TLS 1.3.
_RECORD_TYPES = (20, 21, 22, 23)
# A fatal alert (RFC 8446 §6), so that a client without TLS learns what this port expects.
_PROTOCOL_VERSION = bytes.fromhex("15 0303 0002 02 46")


class TlsFilter:
    """One connection's TLS.

    Args:
        context: how.
        server_side: whether the peer is the client.
        server_name: whom a client expects, by name or IP address.
        session: a client's session to resume.

    Attributes:
        ssl: the object of the `ssl` module.
        failure: why nothing more can be read, once that is so.
        peer_closed: the peer said that it sends no more.
        gone: the peer closed the connection in the handshake.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_name: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.ssl = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_side,
            server_hostname=server_name,
            session=session,
        )
        self.server_name = server_name
        self.failure: str | None = None
        self.peer_closed = False
        self.gone = False
        self._heard = False

    def handshake(self, data: bytes | None) -> bool:
        """Take what came from the peer, and go on with the handshake.

        Args:
            data: nothing to begin with; None: the peer closed the connection.

        Returns:
            Whether the handshake is over. Either way there may be something to send; see `take`.

        Raises:
            ssl.SSLError: it failed; there may be a last word to send. `explain` puts it into words.
        """
        if data is None:
            self.gone = True
            raise PeerClosed("the peer closed the connection during the TLS handshake")
        if data:
            if not self._heard and (
                data[0] not in _RECORD_TYPES or data[1:2] not in (b"", b"\x03")
            ):
                if self.ssl.server_side:
                    self._outgoing.write(_PROTOCOL_VERSION)
                raise PlainText(data)
            self._heard = True
            self._incoming.write(data)
        try:
            self.ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            tell("tls", self._about, f"the handshake failed: {explain(error, self)}")
            raise
        cipher = self.ssl.cipher()
        words = [self.ssl.version(), cipher and cipher[0], self.ssl.selected_alpn_protocol()]
        words.append("resumed" if self.ssl.session_reused else "")
        tell("tls", self._about, f"the handshake is over: {', '.join(filter(None, words))}")
        return True

    @property
    def _about(self) -> str:
        return "server" if self.ssl.server_side else f"client of {self.server_name}"

    @property
    def speaks_http2(self) -> bool:
        """Whether both sides agreed on HTTP/2."""
        return self.ssl.selected_alpn_protocol() == ALPN

    def decrypt(self, data: bytes) -> bytes:
        """Take what came from the peer; return what it meant, as far as that is complete.

        What ends the stream is in `failure` and `peer_closed` after it.
        """
        incoming = self._incoming
        if data:
            incoming.write(data)
        read = self.ssl.read
        parts: list[bytes] = []
        try:
            while True:
                part = read(_RECORD)
                if not part:
                    self.peer_closed = True
                    break
                parts.append(part)
                if not incoming.pending and not self.ssl.pending():
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.peer_closed = True
        except ssl.SSLError as error:
            self.failure = explain(error, self)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def encrypt(self, data: bytes | memoryview) -> bytes:
        """Return what to send for `data`, and before it what else there is to send."""
        # Into memory there are no partial writes.
        self.ssl.write(data)
        return self._outgoing.read()

    @property
    def pending(self) -> bool:
        """Whether TLS itself has something to send."""
        return self._outgoing.pending > 0

    def take(self) -> bytes:
        """What TLS itself has to send."""
        return self._outgoing.read()

    def close(self) -> bytes:
        """Say that this side sends no more (RFC 8446 §6.1); returns what to send."""
        try:
            self.ssl.unwrap()
        except (ssl.SSLError, ValueError):
            # The peer's answer is not waited for.
            pass
        return self._outgoing.read()
