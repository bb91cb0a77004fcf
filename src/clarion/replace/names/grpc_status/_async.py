"""The same for calls of asyncio channels."""

from __future__ import annotations

from clarion.rich_errors import from_aio_call as from_call

__all__ = ["from_call"]
