"""Ask for the weather once, then watch it."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

import clarion

if TYPE_CHECKING:
    import json_messages as messages
else:
    kind = sys.argv[2] if len(sys.argv) > 2 else "json"
    messages = importlib.import_module(f"{kind}_messages")


def ask(port: str) -> None:
    with clarion.insecure_channel(f"localhost:{port}") as channel:
        get = messages.get.on(channel)
        watch = messages.watch.on(channel)
        report = get(messages.Place(name="Bergen"), timeout=10)
        print(f"{report.place}: {report.celsius}")
        for report in watch(messages.Place(name="Bergen"), timeout=10):
            print(f"{report.place}: {report.celsius}")
        try:
            get(messages.Place(name=""), timeout=10)
        except clarion.RpcError as error:
            print(f"refused: {error.details()}")


if __name__ == "__main__":
    ask(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051"))
