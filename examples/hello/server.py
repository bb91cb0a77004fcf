"""A greeting server with a thread pool.

Generate the code, start the server, and call it from a second terminal:

    clarion protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. hello.proto
    python server.py            # or another port than 50051: python server.py 8080
    python client.py
"""

from __future__ import annotations

import os
import signal
import sys
from concurrent import futures

import hello_pb2
import hello_pb2_grpc

import clarion


class GreeterServicer(hello_pb2_grpc.GreeterServicer):
    """Each method of the service in hello.proto becomes a method here."""

    def SayHello(
        self, request: hello_pb2.HelloRequest, context: clarion.ServicerContext
    ) -> hello_pb2.HelloResponse:
        return hello_pb2.HelloResponse(message=f"Hello, {request.name}! (from gRPC server)")


def serve(port: str) -> None:
    # Up to ten calls run at the same time, each on its own thread.
    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    hello_pb2_grpc.add_GreeterServicer_to_server(GreeterServicer(), server)
    # [::] means every address of this machine. Port 0 would mean any free port.
    bound = server.add_insecure_port(f"[::]:{port}")
    server.start()
    print(f"Server started, listening on {bound}", flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        # Calls that are running get five seconds to finish; new ones are refused.
        server.stop(grace=5).wait()
        print("Server stopped", flush=True)


if __name__ == "__main__":
    # SIGTERM, from `kill` or a service manager, is to end the server like Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051"))
