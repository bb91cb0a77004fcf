"""A server that logs its calls in a binary log (gRFC A16).

python server.py            # or another port than 50051, and a file: python server.py 8080 calls.binlog
clarion binlog print calls.binlog
"""

from __future__ import annotations

import signal
import sys
from concurrent import futures

from google.protobuf.wrappers_pb2 import StringValue

import clarion


def greet(request: StringValue, context: clarion.ServicerContext) -> StringValue:
    if not request.value:
        context.abort(clarion.StatusCode.INVALID_ARGUMENT, "say whom to greet")
    return StringValue(value=f"Hello, {request.value}!")


def serve(port: str, path: str) -> None:
    # What was written so far is on disk when the block ends.
    with clarion.binary_log.start(path, "example.Greeter/*", max_bytes=10_000_000):
        server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
        handler = clarion.unary_unary_rpc_method_handler(
            greet, StringValue.FromString, StringValue.SerializeToString
        )
        server.add_generic_rpc_handlers(
            (clarion.method_handlers_generic_handler("example.Greeter", {"Greet": handler}),)
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
    serve(*(sys.argv[1:3] + ["50051", "calls.binlog"][len(sys.argv) - 1 :]))
