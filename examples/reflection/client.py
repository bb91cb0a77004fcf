"""Call a server without generated code: it says itself what it can be asked. See server.py for how to start it."""

from __future__ import annotations

import os
import sys

import clarion
import clarion.reflection


def explore(port: str) -> None:
    with clarion.reflect(f"localhost:{port}") as client:
        for name in client.services:
            if not name.startswith("grpc.reflection."):
                print(f"{name}: {', '.join(client[name].methods)}")
        # A dictionary, or the fields by name; the answer is a message.
        print(client.Greeter.SayHello({"name": "Alice"}, timeout=10).message)
        health = client["grpc.health.v1.Health"].Check(service="", timeout=10)
        print(clarion.reflection.to_dict(health))
        try:
            client.Greeter.SayHello(nam="Alice")
        except ValueError as error:
            print(error)


if __name__ == "__main__":
    explore(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051"))
