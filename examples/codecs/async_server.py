"""The weather server of server.py, with asyncio in place of threads."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import clarion.aio

if TYPE_CHECKING:
    import json_messages as messages
else:
    kind = sys.argv[2] if len(sys.argv) > 2 else "json"
    messages = importlib.import_module(f"{kind}_messages")


class Weather:
    """A class will do as well: its methods have the names of the service's."""

    async def Get(
        self, request: messages.Place, context: clarion.aio.ServicerContext
    ) -> messages.Report:
        if not request.name:
            await context.abort(clarion.StatusCode.INVALID_ARGUMENT, "say which place")
        return messages.Report(place=request.name, celsius=21.5)

    async def Watch(
        self, request: messages.Place, context: clarion.aio.ServicerContext
    ) -> AsyncIterator[messages.Report]:
        for step in range(3):
            yield messages.Report(place=request.name, celsius=20 + step / 2)


async def serve(port: str) -> None:
    server = clarion.aio.server()
    messages.weather.add_to_server(server, *messages.weather.servicer(Weather()))
    bound = server.add_insecure_port(f"[::]:{port}")
    await server.start()
    print(f"Server started, listening on {bound}", flush=True)
    try:
        await server.wait_for_termination()
    finally:
        # Ctrl-C cancels the line above. Calls that are running get five seconds to finish.
        await server.stop(grace=5)
        print("Server stopped", flush=True)


if __name__ == "__main__":
    # SIGTERM, from `kill` or a service manager, is to end the server like Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051")))
    except KeyboardInterrupt:
        pass
