"""Bidirectional streaming with asyncio: one task per member reads while the handler writes.

clarion protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. chat.proto
python server.py            # or another port than 50051: python server.py 8080
python client.py Alice      # in one terminal
python client.py Bob        # in another
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import chat_pb2
import chat_pb2_grpc

import clarion.aio


class ChatServicer(chat_pb2_grpc.ChatServicer):
    def __init__(self) -> None:
        # What each member still has to be told; None means goodbye.
        self._inboxes: set[asyncio.Queue[chat_pb2.Message | None]] = set()

    def _tell_all(self, author: str, text: str) -> None:
        for inbox in self._inboxes:
            inbox.put_nowait(chat_pb2.Message(author=author, text=text))

    async def _listen(
        self,
        name: str,
        messages: AsyncIterator[chat_pb2.Message],
        inbox: asyncio.Queue[chat_pb2.Message | None],
    ) -> None:
        async for message in messages:
            self._tell_all(name, message.text)
        inbox.put_nowait(None)

    async def Join(
        self,
        request_iterator: AsyncIterator[chat_pb2.Message],
        context: clarion.aio.ServicerContext,
    ) -> AsyncIterator[chat_pb2.Message]:
        name = str(dict(context.invocation_metadata() or ()).get("name", "someone"))
        inbox: asyncio.Queue[chat_pb2.Message | None] = asyncio.Queue()
        self._inboxes.add(inbox)
        self._tell_all("room", f"{name} joined")
        listener = asyncio.create_task(self._listen(name, request_iterator, inbox))
        try:
            while (message := await inbox.get()) is not None:
                yield message
        finally:
            # Runs however the member leaves: said goodbye, closed the window, lost the network.
            listener.cancel()
            self._inboxes.discard(inbox)
            self._tell_all("room", f"{name} left")


async def serve(port: str) -> None:
    server = clarion.aio.server()
    chat_pb2_grpc.add_ChatServicer_to_server(ChatServicer(), server)
    bound = server.add_insecure_port(f"[::]:{port}")
    await server.start()
    print(f"Server started, listening on {bound}", flush=True)
    try:
        await server.wait_for_termination()
    finally:
        await server.stop(grace=1)
        print("Server stopped", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051")))
    except KeyboardInterrupt:
        pass
