"""What programs say about who they are and whom they trust: the credentials of channels, calls and servers.

These objects only say it. What makes TLS of it is `clarion.security`, which needs the `ssl` module; this package
does no I/O.
"""

from __future__ import annotations

from clarion.credentials.call import (
    AuthMetadataContext,
    AuthMetadataPlugin,
    AuthMetadataPluginCallback,
    CallCredentials,
    access_token_call_credentials,
    composite_call_credentials,
    metadata_call_credentials,
)
from clarion.credentials.channel import (
    ChannelCredentials,
    LocalConnectionType,
    alts_channel_credentials,
    composite_channel_credentials,
    compute_engine_channel_credentials,
    insecure_channel_credentials,
    local_channel_credentials,
    ssl_channel_credentials,
    xds_channel_credentials,
)
from clarion.credentials.server import (
    ServerCertificateConfiguration,
    ServerCredentials,
    alts_server_credentials,
    dynamic_ssl_server_credentials,
    insecure_server_credentials,
    local_server_credentials,
    ssl_server_certificate_configuration,
    ssl_server_credentials,
    xds_server_credentials,
)

__all__ = [
    "AuthMetadataContext",
    "AuthMetadataPlugin",
    "AuthMetadataPluginCallback",
    "CallCredentials",
    "ChannelCredentials",
    "LocalConnectionType",
    "ServerCertificateConfiguration",
    "ServerCredentials",
    "access_token_call_credentials",
    "alts_channel_credentials",
    "alts_server_credentials",
    "composite_call_credentials",
    "composite_channel_credentials",
    "compute_engine_channel_credentials",
    "dynamic_ssl_server_credentials",
    "insecure_channel_credentials",
    "insecure_server_credentials",
    "local_channel_credentials",
    "local_server_credentials",
    "metadata_call_credentials",
    "ssl_channel_credentials",
    "ssl_server_certificate_configuration",
    "ssl_server_credentials",
    "xds_channel_credentials",
    "xds_server_credentials",
]
