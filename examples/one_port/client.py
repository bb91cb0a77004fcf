"""Asks the service by gRPC and by plain HTTP, and the site for its page, all on one port.

python client.py            # or another port than 50051: python client.py 8080
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request

import hello_pb2
import hello_pb2_grpc

import clarion


def run(port: str) -> None:
    with clarion.insecure_channel(f"localhost:{port}") as channel:
        stub = hello_pb2_grpc.GreeterStub(channel)
        print("gRPC:", stub.SayHello(hello_pb2.HelloRequest(name="Alice"), timeout=10).message)
    base = f"http://localhost:{port}"
    request = urllib.request.Request(
        base + "/example.Greeter/SayHello",
        data=json.dumps({"name": "Bob"}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        print("JSON:", json.load(answer)["message"])
    with urllib.request.urlopen(base + "/", timeout=10) as answer:
        page = answer.read().decode()
    print("page:", page.partition("<title>")[2].partition("</title>")[0])
    try:
        urllib.request.urlopen(base + "/elsewhere", timeout=10)
    except urllib.error.HTTPError as error:
        with error:
            print(f"page: {error.code} {error.read().decode().strip()}")


if __name__ == "__main__":
    run(sys.argv[1] if len(sys.argv) > 1 else "50051")
