"""The greeting server of server.py, with asyncio in place of threads."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import hello_pb2
import hello_pb2_grpc

import clarion.aio


class GreeterServicer(hello_pb2_grpc.GreeterServicer):
    """The methods are coroutines: while one waits, the others run."""

    async def SayHello(
        self, request: hello_pb2.HelloRequest, context: clarion.aio.ServicerContext
    ) -> hello_pb2.HelloResponse:
        return hello_pb2.HelloResponse(message=f"Hello, {request.name}! (from gRPC server)")


async def serve(port: str) -> None:
    server = clarion.aio.server()
    hello_pb2_grpc.add_GreeterServicer_to_server(GreeterServicer(), server)
    bound = server.add_insecure_port(f"[::]:{port}")
    await server.start()
    print(f"Server started, listening on {bound}", flush=True)
    try:
        await server.wait_for_termination()
    finally:
        # Ctrl-C cancels the line above. Calls that are running get five seconds to finish.
        await server.stop(grace=5)
        print("Server stopped", flush=True)


if __name__ == "__main__":
    # SIGTERM, from `kill` or a service manager, is to end the server like Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051")))
    except KeyboardInterrupt:
        pass
