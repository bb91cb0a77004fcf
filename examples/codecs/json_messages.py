"""The service with dataclasses, as JSON. Nothing but Clarion is needed."""

from __future__ import annotations

from dataclasses import dataclass

from clarion.codecs import JSONCodec, Service


@dataclass
class Place:
    name: str


@dataclass
class Report:
    place: str
    celsius: float


# What clients and servers have to agree on.
weather = Service("weather.Weather", JSONCodec())
get = weather.unary_unary("Get", Place, Report)
watch = weather.unary_stream("Watch", Place, Report)
