"""Call a server only while it is well. See server.py for how to start it."""

from __future__ import annotations

import json
import os
import sys

import clarion

# What the owner of a service would publish with its name. pick_first does not look at health, round_robin does.
CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": "example.Greeter"},
}


def greet(port: str) -> None:
    target = f"localhost:{port}"
    options = [("grpc.service_config", json.dumps(CONFIG))]
    with (
        clarion.insecure_channel(target, options) as channel,
        # One that does not look at health, to play the operator.
        clarion.insecure_channel(target) as operator,
    ):
        hello = channel.unary_unary("/example.Greeter/SayHello")
        print(hello(b"Alice", timeout=10).decode())
        operator.unary_unary("/example.Greeter/Break")(b"", timeout=10)
        print(f"not now: {until_it_fails(hello)}")
        operator.unary_unary("/example.Greeter/Mend")(b"", timeout=10)
        # A call that may wait is sent when the server is well again.
        print(hello(b"Alice", timeout=10, wait_for_ready=True).decode())


def until_it_fails(hello: clarion.UnaryUnaryMultiCallable) -> str:
    """The channel is told at once, but a call may be quicker."""
    while True:
        try:
            hello(b"Alice", timeout=10)
        except clarion.RpcError as error:
            return error.code().name


if __name__ == "__main__":
    greet(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051"))
