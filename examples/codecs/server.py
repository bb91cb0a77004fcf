"""A service without protobuf: the messages are dataclasses, and JSON on the wire.

python server.py            # or another port than 50051: python server.py 8080
python client.py

With messages of another library: python server.py 50051 msgspec, betterproto2 or protobuf_py, and the same for the
client. But for where they come from, nothing changes.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from concurrent import futures
from typing import TYPE_CHECKING

import clarion

if TYPE_CHECKING:
    import json_messages as messages
else:
    kind = sys.argv[2] if len(sys.argv) > 2 else "json"
    messages = importlib.import_module(f"{kind}_messages")


def get(request: messages.Place, context: clarion.ServicerContext) -> messages.Report:
    if not request.name:
        context.abort(clarion.StatusCode.INVALID_ARGUMENT, "say which place")
    return messages.Report(place=request.name, celsius=21.5)


def watch(request: messages.Place, context: clarion.ServicerContext) -> Iterator[messages.Report]:
    for step in range(3):
        yield messages.Report(place=request.name, celsius=20 + step / 2)


def serve(port: str) -> None:
    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    messages.weather.add_to_server(
        server, messages.get.served_by(get), messages.watch.served_by(watch)
    )
    bound = server.add_insecure_port(f"[::]:{port}")
    server.start()
    print(f"Server started, listening on {bound}", flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=5).wait()
        print("Server stopped", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051"))
