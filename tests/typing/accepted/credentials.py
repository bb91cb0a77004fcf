"""Credentials of channels, calls and servers, as grpcio's authentication guide has them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import assert_type

import places_pb2
import places_pb2_grpc

import clarion as grpc


class Plugin(grpc.AuthMetadataPlugin):
    def __init__(self, token: Callable[[str], str]) -> None:
        self._token = token

    def __call__(
        self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback
    ) -> None:
        print(context.service_url, context.method_name)
        callback((("x-signature", self._token(context.method_name)),), None)


def client() -> None:
    channel_credentials = grpc.ssl_channel_credentials(
        root_certificates=Path("ca.pem").read_bytes()
    )
    assert_type(channel_credentials, grpc.ChannelCredentials)
    call_credentials = grpc.metadata_call_credentials(Plugin(str.upper), name="signature")
    assert_type(call_credentials, grpc.CallCredentials)
    both = grpc.composite_channel_credentials(
        channel_credentials, call_credentials, grpc.access_token_call_credentials("token")
    )
    with grpc.secure_channel("localhost:50051", both, options=()) as channel:
        stub = places_pb2_grpc.PlacesStub(channel)
        stub.Get(places_pb2.Point(), credentials=call_credentials)


async def client_aio() -> None:
    async with grpc.aio.secure_channel(
        "localhost:50051", grpc.local_channel_credentials(grpc.LocalConnectionType.UDS)
    ) as channel:
        stub = places_pb2_grpc.PlacesStub(channel)
        await stub.Get(
            places_pb2.Point(),
            credentials=grpc.composite_call_credentials(
                grpc.access_token_call_credentials("a"), grpc.access_token_call_credentials("b")
            ),
        )


def server(key: bytes, chain: bytes) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
    credentials = grpc.ssl_server_credentials(
        ((key, chain),), root_certificates=None, require_client_auth=False
    )
    assert_type(credentials, grpc.ServerCredentials)
    assert_type(server.add_secure_port("[::]:50051", credentials), int)
    configuration = grpc.ssl_server_certificate_configuration([(key, chain)])
    grpc.aio.server().add_secure_port(
        "[::]:50052", grpc.dynamic_ssl_server_credentials(configuration, lambda: configuration)
    )
