"""Asks the service without gRPC on the wire: the stub is that of gRPC, the channel speaks Connect or gRPC-Web over HTTP/1.1.

python web_client.py        # or another port than 50051: python web_client.py 8080
"""

from __future__ import annotations

import asyncio
import sys

import hello_pb2
import hello_pb2_grpc

import clarion


def by_connect(url: str) -> None:
    # Messages are JSON, so that they can be read on the way.
    with clarion.web_channel(url, codec="json") as channel:
        stub = hello_pb2_grpc.GreeterStub(channel)
        print("Connect:", stub.SayHello(hello_pb2.HelloRequest(name="Alice"), timeout=10).message)


async def by_grpc_web(url: str) -> None:
    async with clarion.aio.web_channel(url, protocol="grpc-web") as channel:
        stub = hello_pb2_grpc.GreeterStub(channel)
        reply = await stub.SayHello(hello_pb2.HelloRequest(name="Bob"), timeout=10)
        print("gRPC-Web:", reply.message)


def elsewhere(url: str) -> None:
    # The path of a URL goes before that of the method, as gateways have it; this server has nothing there.
    with clarion.web_channel(url + "/elsewhere") as channel:
        stub = hello_pb2_grpc.GreeterStub(channel)
        try:
            stub.SayHello(hello_pb2.HelloRequest(name="Carol"), timeout=10)
        except clarion.RpcError as error:
            print(f"elsewhere: {error.code().name}: {error.details()}")


if __name__ == "__main__":
    base = f"http://localhost:{sys.argv[1] if len(sys.argv) > 1 else '50051'}"
    by_connect(base)
    asyncio.run(by_grpc_web(base))
    elsewhere(base)
