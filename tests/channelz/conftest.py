"""Servers with channelz, and who asks them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
from clarion import channelz
from support.front_end import FrontEnd
from support.libraries import LIMIT, Library, load
from support.loops import LoopThread


class Asker:
    """Asks a server of this process about the process."""

    def __init__(self) -> None:
        self._pool = futures.ThreadPoolExecutor(2)
        self.server = clarion.server(self._pool)
        channelz.add_service(self.server)
        port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.target = f"127.0.0.1:{port}"
        self.channel = clarion.insecure_channel(self.target)

    def ask(self, method: str, **fields: int) -> Any:
        known = channelz.messages()
        call = self.channel.unary_unary(
            f"/{channelz.SERVICE_NAME}/{method}",
            known[f"{method}Request"].SerializeToString,
            known[f"{method}Response"].FromString,
        )
        return call(known[f"{method}Request"](**fields), timeout=LIMIT)

    def channel_of(self, node: Any) -> Any:
        return self.ask("GetChannel", channel_id=node.number).channel

    def subchannels_of(self, node: Any) -> list[Any]:
        return [
            self.ask("GetSubchannel", subchannel_id=each.subchannel_id).subchannel
            for each in self.channel_of(node).subchannel_ref
        ]

    def server_of(self, node: Any) -> Any:
        return self.ask("GetServer", server_id=node.number).server

    def sockets_of(self, node: Any) -> list[Any]:
        known = self.ask("GetServerSockets", server_id=node.number).socket_ref
        return [self.ask("GetSocket", socket_id=each.socket_id).socket for each in known]

    def close(self) -> None:
        self.channel.close()
        self.server.stop(None).wait(LIMIT)
        self._pool.shutdown(wait=True)


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    asker = Asker()
    yield asker
    asker.close()


@pytest.fixture(scope="session")
def library() -> Library:
    return load("clarion")


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture(params=["sync", "aio"])
def front(request: pytest.FixtureRequest, library: Library, loop: LoopThread) -> Iterator[FrontEnd]:
    front = FrontEnd(library, request.param, loop)
    yield front
    front.close()


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], Any]], Any]:
    """Waits for what another thread does, and returns what the condition did."""

    def wait(condition: Callable[[], Any]) -> Any:
        end = time.monotonic() + LIMIT
        while not (found := condition()):
            assert time.monotonic() < end, "it did not come about"
            time.sleep(0.005)
        return found

    return wait
