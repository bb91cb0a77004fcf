"""Call the greeting server once. See server.py for how to start it."""

from __future__ import annotations

import os
import sys

import hello_pb2
import hello_pb2_grpc

import clarion


def greet(port: str) -> None:
    # A channel stands for the server; `with` closes its connections at the end.
    with clarion.insecure_channel(f"localhost:{port}") as channel:
        stub = hello_pb2_grpc.GreeterStub(channel)
        # A call looks like a function. The deadline, in seconds, is good style: without one it
        # could wait for ever.
        response = stub.SayHello(hello_pb2.HelloRequest(name="Alice"), timeout=10)
        print(f"Received from server: {response.message}")


if __name__ == "__main__":
    greet(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051"))
