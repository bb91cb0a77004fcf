"""The credentials of channels (`grpc.ChannelCredentials`)."""

from __future__ import annotations

from typing import Any

from clarion.credentials.call import CallCredentials, sources_of
from clarion.credentials.kinds import (
    Alts,
    ChannelKind,
    Composite,
    Insecure,
    Local,
    LocalConnectionType,
    Ssl,
    bytes_or_none,
)

__all__ = [
    "ChannelCredentials",
    "LocalConnectionType",
    "alts_channel_credentials",
    "composite_channel_credentials",
    "compute_engine_channel_credentials",
    "insecure_channel_credentials",
    "kind_of_channel",
    "local_channel_credentials",
    "ssl_channel_credentials",
    "xds_channel_credentials",
]


class ChannelCredentials:
    """How a channel is secured, for `secure_channel`. Made by the functions of this module."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials


def kind_of_channel(credentials: Any) -> ChannelKind:
    """What `credentials` hold.

    Raises:
        TypeError: they are no channel credentials.
    """
    kind = getattr(credentials, "_credentials", None)
    if isinstance(credentials, ChannelCredentials) and isinstance(kind, ChannelKind):
        return kind
    # Its type alone: what was passed instead may be a token or a key.
    raise TypeError(
        "channel credentials expected (ssl_channel_credentials() makes some), "
        f"not {type(credentials).__name__}"
    )


def ssl_channel_credentials(
    root_certificates: bytes | None = None,
    private_key: bytes | None = None,
    certificate_chain: bytes | None = None,
) -> ChannelCredentials:
    """Credentials for TLS. The server proves itself; with a key and a chain, so does this side.

    Key and certificates are read when a channel is made with them. What is wrong with them is what its calls end
    with (UNAVAILABLE), as with grpcio.

    Args:
        root_certificates: trusted certificates, PEM. None takes those of the file that the environment variable
            GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names, or else the system's.
        private_key: this side's key, PEM, not encrypted.
        certificate_chain: this side's certificate, and those between it and a root, PEM.

    Raises:
        TypeError: an argument is not bytes.
    """
    return ChannelCredentials(
        Ssl(
            bytes_or_none(root_certificates, "root_certificates"),
            bytes_or_none(private_key, "private_key"),
            bytes_or_none(certificate_chain, "certificate_chain"),
        )
    )


def insecure_channel_credentials() -> ChannelCredentials:
    """Credentials for a channel without TLS; always the same object."""
    return _INSECURE


_INSECURE = ChannelCredentials(Insecure())


def local_channel_credentials(
    local_connect_type: LocalConnectionType = LocalConnectionType.LOCAL_TCP,
) -> ChannelCredentials:
    """Credentials for a connection within the machine: no TLS, and call credentials are allowed on it.

    Args:
        local_connect_type: what it must be; the channel does not connect to anything else.

    Raises:
        AttributeError: `local_connect_type` is no `LocalConnectionType`.
    """
    return ChannelCredentials(Local(LocalConnectionType(local_connect_type.value)))


def alts_channel_credentials(service_accounts: Any = None) -> ChannelCredentials:
    """Credentials for ALTS, which works on Google's platform and not here: calls end with INTERNAL.

    Args:
        service_accounts: the accounts that the server may have.
    """
    return ChannelCredentials(Alts())


def xds_channel_credentials(
    fallback_credentials: ChannelCredentials | None = None,
) -> ChannelCredentials:
    """Credentials that come from an xDS control plane, which is not supported: the fallback is what counts.

    Args:
        fallback_credentials: what counts where there is no xDS; None: `ssl_channel_credentials()`.
    """
    if fallback_credentials is None:
        return ssl_channel_credentials()
    return ChannelCredentials(kind_of_channel(fallback_credentials))


def composite_channel_credentials(
    channel_credentials: ChannelCredentials, *call_credentials: CallCredentials
) -> ChannelCredentials:
    """Credentials for a channel each of whose calls has call credentials.

    Args:
        channel_credentials: how the channel is secured.
        call_credentials: whose metadata each call carries, in this order, before that of its own `credentials`.

    Raises:
        TypeError: one of the arguments is of another kind.
    """
    kind = kind_of_channel(channel_credentials)
    sources = tuple(source for each in call_credentials for source in sources_of(each))
    if isinstance(kind, Composite):
        return ChannelCredentials(Composite(kind.channel, kind.calls + sources))
    return ChannelCredentials(Composite(kind, sources))


def compute_engine_channel_credentials(call_credentials: CallCredentials) -> ChannelCredentials:
    """Credentials for Google's services from its compute engine: TLS with the system's roots.

    Args:
        call_credentials: those of the machine's service account.

    Raises:
        TypeError: they are no call credentials.
    """
    return composite_channel_credentials(ssl_channel_credentials(), call_credentials)
