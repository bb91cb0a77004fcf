"""One front end of one library, as the behaviour suite uses it: servers and channels in this process."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from support.clients import AioClient, Client, OpenCall, Outcome, SyncClient
from support.echo import camel
from support.handlers import Handler, Method
from support.libraries import LIMIT, Library, Metadata, pairs
from support.loops import LoopThread
from support.servers import AioServer, Server, SyncServer

__all__ = ["SERVICE", "FrontEnd", "Rig", "Watcher"]

SERVICE = "/test.Service/"


@dataclass
class Rig:
    """A server with one handler per pattern, and a channel to it."""

    server: Server
    client: Client

    def call(self, pattern: str, requests: Iterable[Any], **options: Any) -> Outcome:
        return self.client.call(SERVICE + camel(pattern), pattern, requests, **options)

    def open(self, pattern: str, requests: Iterable[Any] | None = None, **options: Any) -> OpenCall:
        return self.client.open(SERVICE + camel(pattern), pattern, requests, **options)


class Watcher:
    """The connectivity states that a channel goes through, in order."""

    def __init__(self) -> None:
        self._states: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.seen: list[str] = []
        self.stop: Callable[[], object] = lambda: None

    def add(self, state: Any) -> None:
        self._states.put(state.name)

    def until(self, *names: str) -> str:
        """Waits for one of `names`. Raises `queue.Empty` if the states stop changing before."""
        while not self.seen or self.seen[-1] not in names:
            self.seen.append(self._states.get(timeout=LIMIT))
        return self.seen[-1]

    def next(self) -> str:
        self.seen.append(self._states.get(timeout=LIMIT))
        return self.seen[-1]


class FrontEnd:
    """Makes servers and channels of one front end and closes them after the test."""

    def __init__(self, library: Library, name: str, loop: LoopThread) -> None:
        self.library = library
        self.name = name
        """`sync` or `aio`."""
        self.loop = loop
        self._opened: list[Server | Client] = []
        self._watchers: list[Watcher] = []

    def __repr__(self) -> str:
        return f"{self.library.name}-{self.name}"

    def clarion_only(self, reason: str) -> None:
        """Skips the rest of the test where the reference is known not to behave like that."""
        if self.library.name != "clarion":
            pytest.skip(f"{self!r}: {reason}")

    def serve(self, handlers: dict[str, Handler], **options: Any) -> Server:
        """Starts a server with a handler per pattern; `options` as `SyncServer` takes them."""
        methods = {
            SERVICE + camel(pattern): Method(pattern, handler)
            for pattern, handler in handlers.items()
        }
        server: Server
        if self.name == "sync":
            server = SyncServer(self.library, methods, **options)
        else:
            server = AioServer(self.library, methods, self.loop, **options)
        self._opened.append(server)
        return server

    def connect(
        self,
        target: str,
        *,
        options: Sequence[tuple[str, Any]] = (),
        compression: str | None = None,
        credentials: Any = None,
    ) -> Client:
        client: Client
        options_of_all: dict[str, Any] = {
            "options": options,
            "compression": compression,
            "credentials": credentials,
        }
        if self.name == "sync":
            client = SyncClient(self.library, target, **options_of_all)
        else:
            client = AioClient(self.library, target, self.loop, **options_of_all)
        self._opened.append(client)
        return client

    def rig(self, **arguments: Any) -> Rig:
        """A server and a channel to it.

        Handlers go by pattern, `client_options` and `client_credentials` to the channel, all else to the server.
        """
        client_options = arguments.pop("client_options", ())
        client_credentials = arguments.pop("client_credentials", None)
        handlers = {
            pattern: arguments.pop(pattern)
            for pattern in list(arguments)
            if pattern.startswith(("unary", "stream"))
        }
        server = self.serve(handlers, **arguments)
        client = self.connect(server.target, options=client_options, credentials=client_credentials)
        return Rig(server, client)

    def initial_metadata(self, call: Any) -> Metadata:
        """What the server sent before its first response; waits for it."""
        if self.name == "sync":
            return pairs(call.raw.initial_metadata())
        return pairs(self.loop.run(call.raw.initial_metadata))

    def wait_ready(self, client: Any, timeout: float) -> None:
        """Raises TimeoutError if the channel is not ready by then."""
        if self.name == "sync":
            ready_future = self.library.root.channel_ready_future(client.raw)
            try:
                ready_future.result(timeout)
            except self.library.root.FutureTimeoutError as error:
                ready_future.cancel()
                raise TimeoutError from error
        else:

            async def ready() -> None:
                await asyncio.wait_for(client.raw.channel_ready(), timeout)

            self.loop.run(ready)

    def watch(self, client: Any, *, connect: bool) -> Watcher:
        """Follows the channel's states from now on."""
        watcher = Watcher()
        if self.name == "sync":
            client.raw.subscribe(watcher.add, try_to_connect=connect)
            watcher.stop = lambda: client.raw.unsubscribe(watcher.add)
        else:

            async def follow() -> None:
                state = client.raw.get_state(try_to_connect=connect)
                while True:
                    watcher.add(state)
                    await client.raw.wait_for_state_change(state)
                    state = client.raw.get_state()

            watcher.stop = self.loop.start(follow).cancel
        self._watchers.append(watcher)
        return watcher

    def close(self) -> None:
        for watcher in self._watchers:
            watcher.stop()
        while self._opened:
            self._opened.pop().close()
