"""What the pytest fixtures make. They know nothing of pytest; see `clarion.testing.pytest_plugin`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clarion.testing.chaos_proxy import ChaosProxy
from clarion.testing.faults import Faults
from clarion.testing.in_process import aio_in_process_channel, in_process_channel
from clarion.testing.recording import Recorder, Replayer
from clarion.testing.session_file import SessionError

if TYPE_CHECKING:
    import clarion.aio.interfaces
    import clarion.sync.channel_interface
    import clarion.sync.interfaces
    from clarion.testing.clock import FakeClock
    from clarion.testing.fault_injection import FaultInjector

__all__ = ["AioServerFixture", "ChaosFixture", "ServerFixture", "SessionFixture"]

_THREADS = 16
# How long a server may take to end, in real seconds. Only a failure gets there.
_PATIENCE = 60.0


class _Channels:
    """Channels to one server, which are closed with it."""

    server: Any

    def __init__(self) -> None:
        self._channels: list[clarion.sync.channel_interface.Channel] = []
        self._aio_channels: list[clarion.aio.interfaces.Channel] = []

    def channel(
        self, options: Sequence[tuple[str, Any]] | None = None, **more: Any
    ) -> clarion.sync.channel_interface.Channel:
        """A sync channel, which is closed with the server.

        Args:
            options: channel arguments.
            more: see `clarion.testing.in_process_channel`.
        """
        channel = in_process_channel(self.server, options, **more)
        self._channels.append(channel)
        return channel

    def aio_channel(
        self, options: Iterable[tuple[str, Any]] | None = None, **more: Any
    ) -> clarion.aio.interfaces.Channel:
        """An asyncio channel. Close it on the event loop where it was used (`async with`); the plugin does that for
        the channels of tests that are coroutines.

        Args:
            options: channel arguments.
            more: see `clarion.testing.aio_in_process_channel`.
        """
        channel = aio_in_process_channel(self.server, options, **more)
        self._aio_channels.append(channel)
        return channel

    async def close_aio_channels(self) -> None:
        """Close them on the running event loop."""
        channels, self._aio_channels = self._aio_channels, []
        for channel in channels:
            await channel.close()

    def _close_channels(self) -> None:
        channels, self._channels = self._channels, []
        for channel in channels:
            channel.close()

    def add(self, first: Any, *rest: Any) -> None:
        """Serve something more.

        Args:
            first: `add_GreeterServicer_to_server`, a generic handler, or a function that is given the server.
            rest: behind the first of these, the servicer.
        """
        if rest:
            first(*rest, self.server)
        elif hasattr(first, "service"):
            self.server.add_generic_rpc_handlers((first,))
        else:
            first(self.server)

    def _add_all(self, servicers: Iterable[Any]) -> None:
        for each in servicers:
            self.add(*each) if isinstance(each, tuple) else self.add(each)


class ServerFixture(_Channels):
    """A sync server that has started, and channels to it.

    Args:
        servicers: what it serves; see `add`.
        faults: what happens to its calls.

    Attributes:
        server: the server.
    """

    def __init__(self, servicers: Iterable[Any] = (), faults: FaultInjector | None = None) -> None:
        from clarion.sync.sync_server import server

        super().__init__()
        self._pool = ThreadPoolExecutor(_THREADS, "grpc-server-fixture")
        interceptors = [] if faults is None else [faults.server_interceptor()]
        self.server: clarion.sync.interfaces.Server = server(self._pool, interceptors=interceptors)
        self._port = 0
        self._add_all(servicers)
        self.server.start()

    @property
    def port(self) -> int:
        """A port of it on 127.0.0.1, for what cannot use a channel of it; opened when this is first read."""
        if not self._port:
            self._port = self.server.add_insecure_port("127.0.0.1:0")
        return self._port

    @property
    def target(self) -> str:
        """The same as a channel's target."""
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        """Close channels and server."""
        self._close_channels()
        self.server.stop(None).wait(_PATIENCE)
        self._pool.shutdown()


class AioServerFixture(_Channels):
    """An asyncio server, on an event loop of its own thread, and channels to it.

    It starts with its first channel.

    Args:
        servicers: what it serves; see `add`.
        faults: what happens to its calls.
        clock: what its event loop lives by.

    Attributes:
        server: the server.
        loop: where it runs.
    """

    def __init__(
        self,
        servicers: Iterable[Any] = (),
        faults: FaultInjector | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        from clarion.aio import server

        super().__init__()
        interceptors = [] if faults is None else [faults.aio_server_interceptor()]
        self._clock = clock
        self._port = 0
        # asyncio's own, whatever the policy: a clock can only move that.
        self.loop: asyncio.AbstractEventLoop = asyncio.SelectorEventLoop()
        if clock is not None:
            clock.attach(self.loop)
        self.server: clarion.aio.interfaces.Server = server(interceptors=interceptors)
        self._add_all(servicers)
        self._thread = threading.Thread(
            target=self._run, name="grpc-aio-server-fixture", daemon=True
        )
        self._started = False
        self._thread.start()

    def _run(self) -> None:
        self.loop.run_forever()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the server's event loop, and return its result. Not from there."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(_PATIENCE)

    def start(self) -> None:
        """Start the server, if it has not started."""
        if not self._started:
            self._started = True
            self.run(self.server.start())

    @property
    def port(self) -> int:
        """A port of it on 127.0.0.1. To be read before the first channel: then the server starts."""
        if not self._port:
            self._port = self.server.add_insecure_port("127.0.0.1:0")
            self.start()
        return self._port

    @property
    def target(self) -> str:
        """The same as a channel's target."""
        return f"127.0.0.1:{self.port}"

    def channel(self, *args: Any, **more: Any) -> clarion.sync.channel_interface.Channel:
        """See the base."""
        self.start()
        return super().channel(*args, **more)

    def aio_channel(self, *args: Any, **more: Any) -> clarion.aio.interfaces.Channel:
        """See the base."""
        self.start()
        return super().aio_channel(*args, **more)

    def close(self) -> None:
        """Close the sync channels and the server, and end the loop."""
        self._close_channels()
        if self._clock is not None:
            self._clock.detach(self.loop)
        self.run(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_PATIENCE)
        self.loop.close()

    async def _end(self) -> None:
        await self.server.stop(None)
        await self.loop.shutdown_asyncgens()
        await self.loop.shutdown_default_executor()


class ChaosFixture:
    """Makes chaos proxies, and closes them."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __call__(
        self,
        server: int | tuple[str, int] | ServerFixture | AioServerFixture,
        faults: Faults | Sequence[Faults] = Faults(),  # noqa: B008 - it is frozen
        *,
        seed: int = 0,
    ) -> ChaosProxy:
        """Put a proxy in front of a server.

        Args:
            server: its port on 127.0.0.1, its `(host, port)`, or a server fixture.
            faults: what is done to connections.
            seed: for what chance decides.
        """
        address = server if isinstance(server, (int, tuple)) else server.port
        return self._stack.enter_context(ChaosProxy(address, faults, seed=seed))

    def close(self) -> None:
        """Close them."""
        self._stack.close()


class SessionFixture:
    """Replays recorded sessions; or records them, if that is what the run of the tests is for.

    Args:
        test_file: sessions are in the folder `sessions` beside it.
        record: call the real servers, and write the files anew.
    """

    def __init__(self, test_file: Path, record: bool) -> None:
        self._folder = test_file.parent / "sessions"
        self._record = record
        self._stack = ExitStack()

    def __call__(
        self,
        name: str,
        connect: Callable[[], clarion.sync.channel_interface.Channel],
        *,
        ordered: bool = True,
        mask: Sequence[str] = (),
        match_metadata: Sequence[str] = (),
    ) -> clarion.sync.channel_interface.Channel:
        """A sync channel to a session's server, as it was recorded or as it is. It is closed at the end of the test, which
        fails if the calls were not those that were recorded.

        Args:
            name: of the file, without its ending.
            connect: makes a channel to the real server; only called to record.
            ordered, match_metadata: see `Replayer`.
            mask: see `Recorder`.

        Raises:
            SessionError: there is no such session, or it cannot be read.
        """
        session = self._session(name, connect, ordered, mask, match_metadata)
        return self._stack.enter_context(session.channel())

    def aio(
        self,
        name: str,
        connect: Callable[[], clarion.sync.channel_interface.Channel],
        *,
        ordered: bool = True,
        mask: Sequence[str] = (),
        match_metadata: Sequence[str] = (),
    ) -> clarion.aio.interfaces.Channel:
        """The same as an asyncio channel, to be closed by the test (`async with`)."""
        return self._session(name, connect, ordered, mask, match_metadata).aio_channel()

    def _session(
        self,
        name: str,
        connect: Callable[[], clarion.sync.channel_interface.Channel],
        ordered: bool,
        mask: Sequence[str],
        match_metadata: Sequence[str],
    ) -> Recorder | Replayer:
        path = self._folder / f"{name}.jsonl"
        session: Recorder | Replayer
        if self._record:
            self._folder.mkdir(exist_ok=True)
            session = Recorder(self._stack.enter_context(connect()), path, mask=mask)
        else:
            try:
                session = Replayer(path, ordered=ordered, match_metadata=match_metadata)
            except FileNotFoundError as error:
                raise SessionError(
                    f"there is no recorded session {path}; record it with: pytest --grpc-record"
                ) from error
        self._stack.enter_context(session)
        return session

    def close(self) -> None:
        """End the sessions.

        Raises:
            SessionError: the calls were not those that were recorded.
        """
        self._stack.close()
