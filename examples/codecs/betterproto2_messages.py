"""The service with messages of betterproto2: `pip install betterproto2`.

The classes are what its compiler makes of weather.proto, and short enough to write by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import betterproto2

from clarion.codecs import Betterproto2Codec, Service


@dataclass(eq=False, repr=False)
class Place(betterproto2.Message):
    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class Report(betterproto2.Message):
    place: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    celsius: float = betterproto2.field(2, betterproto2.TYPE_DOUBLE)


weather = Service("weather.Weather", Betterproto2Codec())
get = weather.unary_unary("Get", Place, Report)
watch = weather.unary_stream("Watch", Place, Report)
