"""`init_gevent`, as `grpc.experimental.gevent` has it."""

from __future__ import annotations

from clarion.experimental.gevent import init_gevent

__all__ = ["init_gevent"]
