"""The weather client of client.py, with asyncio."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from typing import TYPE_CHECKING

import clarion.aio

if TYPE_CHECKING:
    import json_messages as messages
else:
    kind = sys.argv[2] if len(sys.argv) > 2 else "json"
    messages = importlib.import_module(f"{kind}_messages")


async def ask(port: str) -> None:
    async with clarion.aio.insecure_channel(f"localhost:{port}") as channel:
        get = messages.get.on(channel)
        watch = messages.watch.on(channel)
        report = await get(messages.Place(name="Bergen"), timeout=10)
        print(f"{report.place}: {report.celsius}")
        async for report in watch(messages.Place(name="Bergen"), timeout=10):
            print(f"{report.place}: {report.celsius}")
        try:
            await get(messages.Place(name=""), timeout=10)
        except clarion.aio.AioRpcError as error:
            print(f"refused: {error.details()}")


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051")))
