"""The interfaces of asyncio servers and contexts."""

from __future__ import annotations

from clarion.aio import Server, ServicerContext

__all__ = ["Server", "ServicerContext"]
