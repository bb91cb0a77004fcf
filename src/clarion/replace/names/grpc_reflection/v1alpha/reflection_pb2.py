"""The messages of grpc.reflection.v1alpha."""

from __future__ import annotations

from clarion.reflection.contract import V1ALPHA
from clarion.service_protos import fill_module

fill_module(globals(), __name__, V1ALPHA)
