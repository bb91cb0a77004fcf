"""Services in an application of Starlette, which uvicorn runs. With FastAPI it is the same.

clarion protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. hello.proto
python server.py            # or another port than 50051: python server.py 8080; or: uvicorn server:app --port 50051
python client.py
"""

from __future__ import annotations

import os
import sys

import hello_pb2
import hello_pb2_grpc
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import clarion
import clarion.asgi


class GreeterServicer(hello_pb2_grpc.GreeterServicer):
    async def SayHello(
        self, request: hello_pb2.HelloRequest, context: clarion.aio.ServicerContext
    ) -> hello_pb2.HelloReply:
        return hello_pb2.HelloReply(message=f"Hello, {request.name}!")


async def front_page(request: Request) -> PlainTextResponse:
    return PlainTextResponse("Greetings are at /example.Greeter/SayHello")


services = clarion.asgi.Application()
hello_pb2_grpc.add_GreeterServicer_to_server(GreeterServicer(), services)

# What the routes before it do not know goes to the services, which start and stop with the application.
app = Starlette(
    routes=[Route("/", front_page), Mount("/", services)],
    lifespan=services.lifespan,
)


def serve(port: str) -> None:
    config = uvicorn.Config(app, host="localhost", port=int(port), log_level="warning")
    sock = config.bind_socket()
    sock.listen()
    print(f"Server started, listening on {sock.getsockname()[1]}", flush=True)
    try:
        uvicorn.Server(config).run(sockets=[sock])
    except KeyboardInterrupt:
        # So uvicorn ends, when all requests are answered.
        print("Server stopped", flush=True)


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051"))
