"""The service with messages of protobuf-py: `pip install protobuf-py protoc-gen-py`.

clarion protoc -I. --py_out=. weather.proto
"""

from __future__ import annotations

from weather_pb import Place, Report

from clarion.codecs import ProtobufPyCodec, Service

weather = Service("weather.Weather", ProtobufPyCodec())
get = weather.unary_unary("Get", Place, Report)
watch = weather.unary_stream("Watch", Place, Report)
