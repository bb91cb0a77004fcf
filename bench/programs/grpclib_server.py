"""The grpclib server that Clarion is compared with; prints `PORT n` and stops on SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import signal
from typing import Any

from bench.programs.shared import DOWN, ECHO, SAY_HELLO, TALK, messages, run_loop

__all__: list[str] = []

pb = messages()


async def say_hello(stream: Any) -> None:
    request = await stream.recv_message()
    await stream.send_message(pb.HelloResponse(message=f"Hello, {request.name}!"))


async def echo(stream: Any) -> None:
    await stream.send_message(await stream.recv_message())


async def down(stream: Any) -> None:
    ask = await stream.recv_message()
    item = pb.Item(payload=bytes(ask.size))
    for _ in range(ask.count):
        await stream.send_message(item)


async def talk(stream: Any) -> None:
    async for item in stream:
        await stream.send_message(item)


class Service:
    """grpclib finds its handlers through `__mapping__`."""

    def __mapping__(self) -> dict[str, Any]:
        const = importlib.import_module("grpclib.const")
        unary, up = const.Cardinality.UNARY_UNARY, const.Cardinality.UNARY_STREAM
        both = const.Cardinality.STREAM_STREAM
        return {
            SAY_HELLO: const.Handler(say_hello, unary, pb.HelloRequest, pb.HelloResponse),
            ECHO: const.Handler(echo, unary, pb.Item, pb.Item),
            DOWN: const.Handler(down, up, pb.Ask, pb.Item),
            TALK: const.Handler(talk, both, pb.Item, pb.Item),
        }


async def serve() -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    server = importlib.import_module("grpclib.server").Server([Service()])
    await server.start("127.0.0.1", 0)
    # grpclib has no name for the port that the system chose.
    port = server._server.sockets[0].getsockname()[1]
    print(f"PORT {port}", flush=True)
    await stopping.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", default="asyncio", choices=["asyncio", "uvloop"])
    run_loop(serve(), parser.parse_args().loop)


if __name__ == "__main__":
    main()
