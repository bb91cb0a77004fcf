"""The messages of grpc.channelz.v1."""

from __future__ import annotations

# Fields have messages of theirs.
from google.protobuf import any_pb2 as _any_pb2  # noqa: F401
from google.protobuf import duration_pb2 as _duration_pb2  # noqa: F401
from google.protobuf import timestamp_pb2 as _timestamp_pb2  # noqa: F401
from google.protobuf import wrappers_pb2 as _wrappers_pb2  # noqa: F401

from clarion.channelz.contract import CHANNELZ
from clarion.service_protos import fill_module

fill_module(globals(), __name__, CHANNELZ)
