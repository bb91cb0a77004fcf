"""Watch a price change five times, then lose interest."""

from __future__ import annotations

import itertools
import os
import sys

import prices_pb2
import prices_pb2_grpc

import clarion


def watch(port: str) -> None:
    with clarion.insecure_channel(f"localhost:{port}") as channel:
        stub = prices_pb2_grpc.PricesStub(channel)
        # The call is an iterator of responses: the loop waits for each one.
        call = stub.Watch(prices_pb2.WatchRequest(symbol="CLRN"))
        for price in itertools.islice(call, 5):
            print(f"{price.symbol} {price.cents / 100:.2f}")
        # The server would go on for ever. This tells it to stop.
        call.cancel()


if __name__ == "__main__":
    watch(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051"))
