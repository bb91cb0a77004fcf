"""The client under test of an asyncio API: grpc.aio or clarion.aio, on asyncio or uvloop."""

from __future__ import annotations

import asyncio
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
    UNLIMITED,
    load,
    messages,
    run_loop,
)

__all__: list[str] = []

pb = messages()


class Work:
    """The steps; each returns how many operations it was."""

    def __init__(self, aio: Any, channel: Any) -> None:
        self._eof = aio.EOF
        self._request = pb.HelloRequest(name="Alice")
        self._item = pb.Item(payload=bytes(ITEM_SIZE))
        self._ask = pb.Ask(count=PER_CALL, size=ITEM_SIZE)
        item, items = pb.Item.SerializeToString, pb.Item.FromString
        self._say_hello = channel.unary_unary(
            SAY_HELLO, pb.HelloRequest.SerializeToString, pb.HelloResponse.FromString
        )
        self._echo = channel.unary_unary(ECHO, item, items)
        self._down = channel.unary_stream(DOWN, pb.Ask.SerializeToString, items)
        self._talk = channel.stream_stream(TALK, item, items)

    async def hello(self) -> int:
        await self._say_hello(self._request)
        return 1

    async def down(self) -> int:
        got = 0
        async for _ in self._down(self._ask):
            got += 1
        return complete(got, PER_CALL)

    async def window(self) -> int:
        call = self._talk()

        async def write() -> None:
            for _ in range(PER_CALL):
                await call.write(self._item)
            await call.done_writing()

        writer = asyncio.create_task(write())
        got = 0
        async for _ in call:
            got += 1
        await writer
        return complete(got, PER_CALL)

    async def ping_pong(self) -> int:
        call = self._talk()
        for n in range(PER_PING_PONG):
            await call.write(self._item)
            if await call.read() is self._eof:
                complete(n, PER_PING_PONG)
        await call.done_writing()
        if await call.read() is not self._eof:
            raise RuntimeError("a message came after the last expected one")
        return PER_PING_PONG

    def payload(self, size: int) -> AioStep:
        item = pb.Item(payload=bytes(size))

        async def step() -> int:
            return complete(len((await self._echo(item)).payload), size) // size

        return step


async def run(library: str, target: str, works: str, seconds: float) -> None:
    aio = load("grpc.aio" if library == "grpcio" else f"{library}.aio")
    async with aio.insecure_channel(target, options=UNLIMITED) as channel:
        await run_works(Work(aio, channel), works, seconds)


def main() -> None:
    parser = arguments()
    parser.add_argument("--library", required=True, choices=["grpcio", "clarion"])
    args = parser.parse_args()
    run_loop(run(args.library, args.target, args.works, args.seconds), args.loop)


if __name__ == "__main__":
    main()
