"""Upload one MiB in chunks of 64 KiB and check the receipt."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator

import upload_pb2
import upload_pb2_grpc

import clarion

CHUNK_BYTES = 64 * 1024


def chunks(name: str, content: bytes) -> Iterator[upload_pb2.Chunk]:
    yield upload_pb2.Chunk(name=name)
    for start in range(0, len(content), CHUNK_BYTES):
        yield upload_pb2.Chunk(data=content[start : start + CHUNK_BYTES])


def upload(port: str) -> None:
    content = bytes(range(256)) * 4096
    with clarion.insecure_channel(f"localhost:{port}") as channel:
        stub = upload_pb2_grpc.UploadStub(channel)
        # The call takes an iterator and asks it for the next chunk when there is room to send it.
        receipt = stub.Send(chunks("sample.bin", content), timeout=60)
    arrived_whole = receipt.sha256 == hashlib.sha256(content).hexdigest()
    print(
        f"Uploaded {receipt.name}: {receipt.size} bytes, {'intact' if arrived_whole else 'DAMAGED'}"
    )


if __name__ == "__main__":
    upload(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051"))
