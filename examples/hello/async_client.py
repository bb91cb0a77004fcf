"""Call the greeting server once, from asyncio. Either server answers."""

from __future__ import annotations

import asyncio
import os
import sys

import hello_pb2
import hello_pb2_grpc

import clarion.aio


async def greet(port: str) -> None:
    async with clarion.aio.insecure_channel(f"localhost:{port}") as channel:
        stub = hello_pb2_grpc.GreeterStub(channel)
        response = await stub.SayHello(hello_pb2.HelloRequest(name="Alice"), timeout=10)
        print(f"Received from server: {response.message}")


if __name__ == "__main__":
    asyncio.run(greet(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051")))
