"""Calls a service that uvicorn serves, by gRPC-Web, by Connect and by hand, and fetches the page beside it.

python client.py            # or another port than 50051: python client.py 8080
"""

from __future__ import annotations

import json
import sys
import urllib.request

import hello_pb2
import hello_pb2_grpc

import clarion


def greet(channel: clarion.Channel, name: str) -> str:
    with channel:
        stub = hello_pb2_grpc.GreeterStub(channel)
        reply: hello_pb2.HelloReply = stub.SayHello(hello_pb2.HelloRequest(name=name), timeout=10)
        return reply.message


def run(port: str) -> None:
    base = f"http://localhost:{port}"
    print("grpc-web:", greet(clarion.web_channel(base, protocol="grpc-web"), "Alice"))
    print("connect:", greet(clarion.web_channel(base, protocol="connect"), "Bob"))
    request = urllib.request.Request(
        base + "/example.Greeter/SayHello",
        data=json.dumps({"name": "Carol"}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        print("JSON:", json.load(answer)["message"])
    with urllib.request.urlopen(base + "/", timeout=10) as answer:
        print("page:", answer.read().decode())


if __name__ == "__main__":
    run(sys.argv[1] if len(sys.argv) > 1 else "50051")
