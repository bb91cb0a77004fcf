"""Channels that speak gRPC-Web or Connect; see docs/web.md, "Clients"."""

from __future__ import annotations

__all__: list[str] = []
