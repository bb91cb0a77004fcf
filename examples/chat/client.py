"""Chat: each line that you type goes to everybody in the room. Ctrl-D leaves.

python client.py Alice
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import chat_pb2
import chat_pb2_grpc

import clarion


def typed_lines() -> Iterator[chat_pb2.Message]:
    for line in sys.stdin:
        yield chat_pb2.Message(text=line.rstrip("\n"))


def chat(name: str, port: str) -> None:
    with clarion.insecure_channel(f"localhost:{port}") as channel:
        stub = chat_pb2_grpc.ChatStub(channel)
        # The call reads what you type on a thread of its own while the loop here prints what arrives.
        for message in stub.Join(typed_lines(), metadata=[("name", name)]):
            print(f"{message.author}: {message.text}", flush=True)


if __name__ == "__main__":
    chat(
        sys.argv[1] if len(sys.argv) > 1 else os.environ.get("USER", "someone"),
        sys.argv[2] if len(sys.argv) > 2 else os.environ.get("PORT", "50051"),
    )
