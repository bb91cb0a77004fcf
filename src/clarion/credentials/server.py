"""The credentials of servers (`grpc.ServerCredentials`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from clarion.credentials.kinds import (
    Alts,
    CertificateConfiguration,
    DynamicSslServer,
    Insecure,
    Local,
    LocalConnectionType,
    ServerKind,
    SslServer,
    bytes_or_none,
)

__all__ = [
    "ServerCertificateConfiguration",
    "ServerCredentials",
    "alts_server_credentials",
    "dynamic_ssl_server_credentials",
    "insecure_server_credentials",
    "kind_of_server",
    "local_server_credentials",
    "ssl_server_certificate_configuration",
    "ssl_server_credentials",
    "xds_server_credentials",
]


class ServerCredentials:
    """How a port is secured, for `Server.add_secure_port`. Made by the functions of this module."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials


class ServerCertificateConfiguration:
    """A server's keys and certificates. Made by `ssl_server_certificate_configuration`."""

    def __init__(self, certificate_configuration: Any) -> None:
        self._certificate_configuration = certificate_configuration


def kind_of_server(credentials: Any) -> ServerKind:
    """What `credentials` hold.

    Raises:
        TypeError: they are no server credentials.
    """
    kind = getattr(credentials, "_credentials", None)
    if isinstance(credentials, ServerCredentials) and isinstance(kind, ServerKind):
        return kind
    raise TypeError(
        "server credentials expected (ssl_server_credentials() makes some), "
        f"not {type(credentials).__name__}"
    )


def _configuration(pairs: Any, root_certificates: Any) -> CertificateConfiguration:
    checked = []
    for key, chain in pairs or ():
        for name, value in (("private key", key), ("certificate chain", chain)):
            if not isinstance(value, bytes):
                raise TypeError(f"a {name} must be bytes (PEM), not {type(value).__name__}")
        checked.append((key, chain))
    if not checked:
        raise ValueError("At least one private key-certificate chain pair is required!")
    return CertificateConfiguration(
        tuple(checked), bytes_or_none(root_certificates, "root_certificates")
    )


def ssl_server_credentials(
    private_key_certificate_chain_pairs: Iterable[tuple[bytes, bytes]],
    root_certificates: bytes | None = None,
    require_client_auth: bool = False,
) -> ServerCredentials:
    """Credentials for TLS.

    Args:
        private_key_certificate_chain_pairs: `(key, chain)`, PEM, keys not encrypted. Of several pairs a client
            gets the first whose certificate has the name that it asks for.
        root_certificates: whose certificates clients may have, PEM.
        require_client_auth: turn away clients without a certificate. Without it none is asked for, as with grpcio.

    Raises:
        ValueError: no pair, or `require_client_auth` without roots.
        TypeError: an argument is not bytes.
    """
    configuration = _configuration(private_key_certificate_chain_pairs, root_certificates)
    if require_client_auth and configuration.root_certificates is None:
        raise ValueError("Illegal to require client auth without providing root certificates!")
    return ServerCredentials(SslServer(configuration, bool(require_client_auth)))


def ssl_server_certificate_configuration(
    private_key_certificate_chain_pairs: Iterable[tuple[bytes, bytes]],
    root_certificates: bytes | None = None,
) -> ServerCertificateConfiguration:
    """What a fetcher of `dynamic_ssl_server_credentials` returns; arguments as of `ssl_server_credentials`.

    Raises:
        ValueError: no pair.
        TypeError: an argument is not bytes.
    """
    return ServerCertificateConfiguration(
        _configuration(private_key_certificate_chain_pairs, root_certificates)
    )


def dynamic_ssl_server_credentials(
    initial_certificate_configuration: ServerCertificateConfiguration,
    certificate_configuration_fetcher: Callable[[], ServerCertificateConfiguration | None],
    require_client_authentication: bool = False,
) -> ServerCredentials:
    """Credentials for TLS with certificates that may change while the server runs.

    Args:
        initial_certificate_configuration: what to begin with.
        certificate_configuration_fetcher: called with each new connection, on a thread where it may block.
            Returns a new configuration for this connection and those after it, or None to go on with the last
            one; so does an exception, which is logged.
        require_client_authentication: turn away clients without a certificate.

    Raises:
        TypeError: no configuration, or a fetcher that cannot be called.
    """
    if not isinstance(initial_certificate_configuration, ServerCertificateConfiguration):
        raise TypeError(
            "initial_certificate_configuration must come from ssl_server_certificate_configuration(), "
            f"not {type(initial_certificate_configuration).__name__}"
        )
    if not callable(certificate_configuration_fetcher):
        raise TypeError("certificate_configuration_fetcher must be callable")
    return ServerCredentials(
        DynamicSslServer(
            initial_certificate_configuration._certificate_configuration,
            certificate_configuration_fetcher,
            bool(require_client_authentication),
        )
    )


def insecure_server_credentials() -> ServerCredentials:
    """Credentials for a port without TLS."""
    return ServerCredentials(Insecure())


def local_server_credentials(
    local_connect_type: LocalConnectionType = LocalConnectionType.LOCAL_TCP,
) -> ServerCredentials:
    """Credentials for connections within the machine, without TLS; others are turned away.

    Args:
        local_connect_type: what connections must be.

    Raises:
        AttributeError: `local_connect_type` is no `LocalConnectionType`.
    """
    return ServerCredentials(Local(LocalConnectionType(local_connect_type.value)))


def alts_server_credentials() -> ServerCredentials:
    """Credentials for ALTS, which works on Google's platform and not here: `add_secure_port` raises."""
    return ServerCredentials(Alts())


def xds_server_credentials(fallback_credentials: ServerCredentials) -> ServerCredentials:
    """Credentials that come from an xDS control plane, which is not supported: the fallback is what counts.

    Args:
        fallback_credentials: what counts where there is no xDS.
    """
    return ServerCredentials(kind_of_server(fallback_credentials))
