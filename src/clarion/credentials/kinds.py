"""What the public credential objects hold: plain values, one class for each kind of security.

None of them shows keys or tokens in its `repr`, so that they do not get into logs.
"""

from __future__ import annotations

import contextvars
import dataclasses
import enum
from collections.abc import Callable
from typing import Any

__all__ = [
    "Alts",
    "CertificateConfiguration",
    "ChannelKind",
    "Composite",
    "DynamicSsl",
    "DynamicSslServer",
    "Insecure",
    "Local",
    "LocalConnectionType",
    "Plugin",
    "ServerKind",
    "Ssl",
    "SslServer",
    "Token",
    "bytes_or_none",
]

Pairs = tuple[tuple[bytes, bytes], ...]


@enum.unique
class LocalConnectionType(enum.Enum):
    """What local credentials take for a connection within the machine.

    Attributes:
        UDS: a Unix socket.
        LOCAL_TCP: TCP to a loopback address.
    """

    UDS = 0
    LOCAL_TCP = 1


def bytes_or_none(value: Any, name: str) -> bytes | None:
    """Check an argument that takes PEM text as bytes.

    Raises:
        TypeError: it is something else.
    """
    if value is None or isinstance(value, bytes):
        return value
    raise TypeError(f"{name} must be bytes (PEM), not {type(value).__name__}")


# Channels


@dataclasses.dataclass(frozen=True, slots=True, repr=False, eq=False, weakref_slot=True)
class Ssl:
    """TLS. PEM texts; without roots, those of the system; without revocation lists, nothing counts as revoked."""

    root_certificates: bytes | None
    private_key: bytes | None
    certificate_chain: bytes | None
    crls: bytes | None = None


@dataclasses.dataclass(frozen=True, slots=True, repr=False, eq=False, weakref_slot=True)
class DynamicSsl:
    """TLS with certificates that are asked for with each connection.

    `fetcher` may block, and may be called by several threads. It returns the same object while nothing changed.
    """

    fetcher: Callable[[], Ssl]


@dataclasses.dataclass(frozen=True, slots=True)
class Local:
    """No TLS, and only within the machine."""

    connection: LocalConnectionType


@dataclasses.dataclass(frozen=True, slots=True)
class Insecure:
    """No TLS."""


@dataclasses.dataclass(frozen=True, slots=True)
class Alts:
    """Google's Application Layer Transport Security, which works on Google's platform alone."""


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Composite:
    """A channel's security, and the call credentials of each call on it."""

    channel: Ssl | DynamicSsl | Local | Insecure | Alts
    calls: tuple[Plugin | Token, ...]


ChannelKind = Ssl | DynamicSsl | Local | Insecure | Alts | Composite


# Calls: call credentials are a tuple of these, in the order in which their metadata goes out.


@dataclasses.dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plugin:
    """An application's plugin, and the context variables where it was handed over."""

    plugin: Callable[..., Any]
    name: str
    context: contextvars.Context


@dataclasses.dataclass(frozen=True, slots=True, eq=False, repr=False)
class Token:
    """Metadata that is always the same."""

    metadata: tuple[tuple[str, str], ...]


# Servers


@dataclasses.dataclass(frozen=True, slots=True, repr=False, eq=False)
class CertificateConfiguration:
    """What a server proves itself with, and the roots of its clients' certificates."""

    pairs: Pairs
    root_certificates: bytes | None
    crls: bytes | None = None


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class SslServer:
    """TLS."""

    configuration: CertificateConfiguration
    require_client_auth: bool


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class DynamicSslServer:
    """TLS with certificates that are asked for with each connection."""

    initial: CertificateConfiguration
    fetcher: Callable[[], Any]
    require_client_auth: bool


ServerKind = SslServer | DynamicSslServer | Local | Insecure | Alts
