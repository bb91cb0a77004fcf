"""Clients of gRPC-Web and Connect: the stubs are those of gRPC."""

from __future__ import annotations

from typing import assert_type

import places_pb2
import places_pb2_grpc

import clarion
from clarion import aio


def get(url: str) -> places_pb2.Place:
    with clarion.web_channel(url, protocol="grpc-web", http="2") as channel:
        assert_type(channel, clarion.Channel)
        place = places_pb2_grpc.PlacesStub(channel).Get(places_pb2.Point(), timeout=5)
        assert_type(place, places_pb2.Place)
        return place


async def get_json(url: str, token: str) -> places_pb2.Place:
    credentials = clarion.composite_channel_credentials(
        clarion.ssl_channel_credentials(), clarion.access_token_call_credentials(token)
    )
    async with aio.web_channel(
        url,
        codec="json",
        get=True,
        credentials=credentials,
        options=[("grpc.max_receive_message_length", 1 << 20)],
        compression=clarion.Compression.Gzip,
    ) as channel:
        assert_type(channel, aio.Channel)
        return await places_pb2_grpc.PlacesStub(channel).Get(places_pb2.Point())
