"""Channels for what the suite's calls want, of either front end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from connectrpc.conformance.v1 import config_pb2, service_pb2_grpc

import clarion
from clarion.web.codec import client_codec

__all__ = ["Channels"]

_SERVICE = "connectrpc.conformance.v1.ConformanceService"
_PROTOCOLS = {config_pb2.PROTOCOL_CONNECT: "connect", config_pb2.PROTOCOL_GRPC_WEB: "grpc-web"}
_VERSIONS = {config_pb2.HTTP_VERSION_1: "1.1", config_pb2.HTTP_VERSION_2: "2"}
_COMPRESSIONS = {
    config_pb2.COMPRESSION_IDENTITY: clarion.Compression.NoCompression,
    config_pb2.COMPRESSION_GZIP: clarion.Compression.Gzip,
    config_pb2.COMPRESSION_DEFLATE: clarion.Compression.Deflate,
}


class Channels:
    """The channels of one process.

    Args:
        front_end: `clarion` or `clarion.aio`.

    Attributes:
        opened: all of them.
    """

    def __init__(self, front_end: Any) -> None:
        self._front_end = front_end
        self._stubs: dict[tuple[Any, ...], Any] = {}
        self._lock = threading.Lock()
        self.opened: list[Any] = []

    def stub(self, wanted: Any) -> Any:
        """The service's stub for a call.

        Raises:
            ValueError: the suite wants what the configuration said that we have not.
        """
        if wanted.service and wanted.service != _SERVICE:
            raise ValueError(f"there is no service {wanted.service}")
        key = (
            *(wanted.host, wanted.port, wanted.protocol, wanted.http_version, wanted.codec),
            *(wanted.compression, wanted.message_receive_limit, wanted.use_get_http_method),
            *(wanted.server_tls_cert, wanted.client_tls_creds.cert),
        )
        with self._lock:
            if key not in self._stubs:
                channel = self._open(wanted)
                self.opened.append(channel)
                self._stubs[key] = service_pb2_grpc.ConformanceServiceStub(channel)
            return self._stubs[key]

    def _open(self, wanted: Any) -> Any:
        options = []
        if wanted.message_receive_limit:
            options.append(("grpc.max_receive_message_length", wanted.message_receive_limit))
        common: dict[str, Any] = {
            "options": options,
            "compression": _COMPRESSIONS[wanted.compression],
        }
        address = f"{wanted.host}:{wanted.port}"
        credentials = _credentials(wanted) if wanted.server_tls_cert else None
        json = wanted.codec == config_pb2.CODEC_JSON
        if wanted.protocol != config_pb2.PROTOCOL_GRPC:
            return self._front_end.web_channel(
                f"http{'s' if credentials else ''}://{address}",
                protocol=_PROTOCOLS[wanted.protocol],
                codec="json" if json else "proto",
                http=_VERSIONS[wanted.http_version],
                credentials=credentials,
                get=wanted.use_get_http_method,
                half_duplex=True,
                **common,
            )
        if credentials is None:
            channel = self._front_end.insecure_channel(address, **common)
        else:
            channel = self._front_end.secure_channel(address, credentials, **common)
        return _Json(channel) if json else channel


def _credentials(wanted: Any) -> Any:
    own = wanted.client_tls_creds
    return clarion.ssl_channel_credentials(
        root_certificates=wanted.server_tls_cert,
        private_key=own.key or None,
        certificate_chain=own.cert or None,
    )


class _Json:
    """A channel of gRPC whose messages are JSON (`application/grpc+json`)."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self.close = channel.close

    def __getattr__(self, name: str) -> Callable[..., Any]:
        make = getattr(self._channel, name)

        def made(
            path: str, request_serializer: Any, response_deserializer: Any, **more: Any
        ) -> Any:
            codec = client_codec(path, request_serializer, response_deserializer, "json")
            assert codec is not None

            def encode(message: Any) -> bytes:
                return codec.encode(message)

            encode.content_subtype = "json"  # type: ignore[attr-defined]
            return make(path, encode, codec.decode, **more)

        return made
