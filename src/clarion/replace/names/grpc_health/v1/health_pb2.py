"""The messages of grpc.health.v1."""

from __future__ import annotations

from clarion.health.contract import HEALTH
from clarion.service_protos import fill_module

fill_module(globals(), __name__, HEALTH)
