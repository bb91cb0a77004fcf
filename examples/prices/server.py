"""Server streaming: the handler is a generator, and each value it yields is sent at once.

clarion protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. prices.proto
python server.py            # or another port than 50051: python server.py 8080
python client.py
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent import futures

import prices_pb2
import prices_pb2_grpc

import clarion

# The "market": each change in cents, over and over.
CHANGES = (+25, -10, +5, +40, -30)
SECONDS_BETWEEN_CHANGES = 0.1


class PricesServicer(prices_pb2_grpc.PricesServicer):
    def Watch(
        self, request: prices_pb2.WatchRequest, context: clarion.ServicerContext
    ) -> Iterator[prices_pb2.Price]:
        if not request.symbol:
            context.abort(clarion.StatusCode.INVALID_ARGUMENT, "say which symbol to watch")
        # Set when the call ends for any reason: the client cancelled, left, or ran out of time.
        ended = threading.Event()
        context.add_callback(ended.set)
        cents = 10_000
        for change in itertools.cycle(CHANGES):
            yield prices_pb2.Price(symbol=request.symbol, cents=cents)
            cents += change
            if ended.wait(SECONDS_BETWEEN_CHANGES):
                return


def serve(port: str) -> None:
    # A stream keeps its thread for as long as it lives: ten threads serve ten watchers.
    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    prices_pb2_grpc.add_PricesServicer_to_server(PricesServicer(), server)
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
