"""Client streaming: the handler reads the requests from an iterator and returns one response.

clarion protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. upload.proto
python server.py            # or another port than 50051: python server.py 8080
python client.py
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from collections.abc import Iterator
from concurrent import futures

import upload_pb2
import upload_pb2_grpc

import clarion


class UploadServicer(upload_pb2_grpc.UploadServicer):
    def Send(
        self, request_iterator: Iterator[upload_pb2.Chunk], context: clarion.ServicerContext
    ) -> upload_pb2.Receipt:
        receipt = upload_pb2.Receipt()
        digest = hashlib.sha256()
        # Chunks are read as they arrive. A server that reads slowly slows its client down, so that
        # neither holds more than a few chunks of even the largest file.
        for chunk in request_iterator:
            if chunk.WhichOneof("content") == "name":
                receipt.name = chunk.name
            else:
                receipt.size += len(chunk.data)
                digest.update(chunk.data)
        if not receipt.name:
            context.abort(clarion.StatusCode.INVALID_ARGUMENT, "the upload has no name")
        receipt.sha256 = digest.hexdigest()
        return receipt


def serve(port: str) -> None:
    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    upload_pb2_grpc.add_UploadServicer_to_server(UploadServicer(), server)
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
