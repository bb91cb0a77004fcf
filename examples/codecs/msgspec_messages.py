"""The service with msgspec's structs, as JSON: `pip install "clarion-rpc[msgspec]"`."""

from __future__ import annotations

import msgspec

from clarion.codecs import MsgspecCodec, Service


class Place(msgspec.Struct):
    name: str


class Report(msgspec.Struct):
    place: str
    celsius: float


# With "msgpack" besides, a server takes calls in both; a client uses the first.
weather = Service("weather.Weather", MsgspecCodec("json"), MsgspecCodec("msgpack"))
get = weather.unary_unary("Get", Place, Report)
watch = weather.unary_stream("Watch", Place, Report)
