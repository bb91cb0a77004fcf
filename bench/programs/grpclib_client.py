"""The grpclib client that Clarion is compared with."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from bench.programs.aio_timing import AioStep, arguments, complete, run_works
from bench.programs.shared import (
    DOWN,
    ECHO,
    ITEM_SIZE,
    PER_CALL,
    PER_PING_PONG,
    SAY_HELLO,
    TALK,
    messages,
    run_loop,
)

__all__: list[str] = []

pb = messages()


class Work:
    """The steps; each returns how many operations it was."""

    def __init__(self, library: Any, channel: Any) -> None:
        self._request = pb.HelloRequest(name="Alice")
        self._item = pb.Item(payload=bytes(ITEM_SIZE))
        self._ask = pb.Ask(count=PER_CALL, size=ITEM_SIZE)
        self._say_hello = library.UnaryUnaryMethod(
            channel, SAY_HELLO, pb.HelloRequest, pb.HelloResponse
        )
        self._echo = library.UnaryUnaryMethod(channel, ECHO, pb.Item, pb.Item)
        self._down = library.UnaryStreamMethod(channel, DOWN, pb.Ask, pb.Item)
        self._talk = library.StreamStreamMethod(channel, TALK, pb.Item, pb.Item)

    async def hello(self) -> int:
        await self._say_hello(self._request)
        return 1

    async def down(self) -> int:
        got = 0
        async with self._down.open() as stream:
            await stream.send_message(self._ask, end=True)
            async for _ in stream:
                got += 1
        return complete(got, PER_CALL)

    async def window(self) -> int:
        got = 0
        async with self._talk.open() as stream:
            await stream.send_request()

            async def write() -> None:
                for _ in range(PER_CALL):
                    await stream.send_message(self._item)
                await stream.end()

            writer = asyncio.create_task(write())
            async for _ in stream:
                got += 1
            await writer
        return complete(got, PER_CALL)

    async def ping_pong(self) -> int:
        async with self._talk.open() as stream:
            for n in range(PER_PING_PONG):
                await stream.send_message(self._item)
                if await stream.recv_message() is None:
                    complete(n, PER_PING_PONG)
            await stream.end()
            if await stream.recv_message() is not None:
                raise RuntimeError("a message came after the last expected one")
        return PER_PING_PONG

    def payload(self, size: int) -> AioStep:
        item = pb.Item(payload=bytes(size))

        async def step() -> int:
            return complete(len((await self._echo(item)).payload), size) // size

        return step


async def run(target: str, works: str, seconds: float) -> None:
    library = importlib.import_module("grpclib.client")
    host, port = target.rsplit(":", 1)
    async with library.Channel(host, int(port)) as channel:
        await run_works(Work(library, channel), works, seconds)


def main() -> None:
    args = arguments().parse_args()
    run_loop(run(args.target, args.works, args.seconds), args.loop)


if __name__ == "__main__":
    main()
