"""The root of every exception that a call raises to an application."""

from __future__ import annotations

__all__ = ["RpcError"]


class RpcError(Exception):
    """Raised when an RPC ended with a status other than OK."""
