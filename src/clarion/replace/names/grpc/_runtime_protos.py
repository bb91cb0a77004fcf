"""`.proto` files at run time."""

from __future__ import annotations

from clarion import protos, protos_and_services, services

__all__ = ["protos", "protos_and_services", "services"]
