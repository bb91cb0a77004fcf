"""A server that says what it can be asked.

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
import clarion.health
import clarion.reflection


class GreeterServicer(hello_pb2_grpc.GreeterServicer):
    def SayHello(
        self, request: hello_pb2.HelloRequest, context: clarion.ServicerContext
    ) -> hello_pb2.HelloReply:
        return hello_pb2.HelloReply(message=f"Hello, {request.name}!")


def serve(port: str) -> None:
    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    hello_pb2_grpc.add_GreeterServicer_to_server(GreeterServicer(), server)
    clarion.health.add_service(server)
    # Whatever services the server has when somebody asks, those it tells of.
    clarion.reflection.add_service(server)
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
