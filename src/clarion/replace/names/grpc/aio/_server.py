"""Asyncio servers."""

from __future__ import annotations

from clarion.aio.aio_server import Server, server

__all__ = ["Server", "server"]
