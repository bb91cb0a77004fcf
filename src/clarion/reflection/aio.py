"""Calling a server without generated code: it says itself what can be called (asyncio)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from clarion.reflection.asking import AsyncAsker
from clarion.reflection.client import BaseClient
from clarion.reflection.descriptors import ReflectionError
from clarion.reflection.methods import Service
from clarion.reflection.servicer import AsyncReflectionServicer as ReflectionServicer

if TYPE_CHECKING:
    from clarion.aio import Channel
    from clarion.credentials import ChannelCredentials

__all__ = ["Client", "ReflectionServicer", "reflect"]


class Client(BaseClient):
    """Calls a server's services, as the server describes them. Make it with `await clarion.reflection.aio.reflect(...)`.

    Services are its attributes, and its items; they are known from the beginning, because an attribute cannot wait.
    """

    channel: Channel

    def __init__(
        self, channel: Channel, target: str, owned: bool, timeout: float | None, metadata: Any
    ) -> None:
        super().__init__(channel, target, owned, metadata)
        self._asker = AsyncAsker(channel, timeout, self._metadata or None)
        self._asked: set[str] = set()
        self._unusable: dict[str, ReflectionError] = {}

    async def refresh(self, services: Iterable[str] | None = None) -> None:
        """Ask the server again which services it has, and what those are that are not known yet.

        Args:
            services: the full names of those to ask about; None: all.

        Raises:
            RpcError, ReflectionError: see `clarion.reflect`.
        """
        self.services = tuple(await self._asker.ask(self._descriptors.list_services()))
        names = self.services if services is None else tuple(services)
        # One that cannot be used may be one that nobody wants to call.
        errors = await self._asker.ask(self._descriptors.need_symbols(names))
        self._asked.update(names)
        self._unusable = {
            name: error for name, error in self._unusable.items() if name not in names
        } | errors

    def __getitem__(self, name: str) -> Service:
        full = self._full_name(name)
        if full in self._unusable:
            raise self._unusable[full]
        if full not in self._asked:
            raise ReflectionError(
                f"the server was not asked about {full}; do so with await client.refresh([{full!r}])"
            )
        return self._service(full)

    async def message(self, name: str, *, extensions: bool = False) -> Any:
        """The class of a message that the server knows; see the sync client's."""
        known = self._descriptors
        asked = known.need_extensions(name) if extensions else known.need_symbol(name)
        await self._asker.ask(asked)
        return self._find_message(name)

    async def close(self) -> None:
        """Close the channel, if the client made it."""
        if self._owned:
            await self.channel.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def reflect(
    target: str | Channel,
    *,
    credentials: ChannelCredentials | None = None,
    options: Sequence[tuple[str, Any]] | None = None,
    timeout: float | None = 10.0,
    metadata: Any = None,
    services: Iterable[str] | None = None,
) -> Client:
    """Call a server without generated code: it says itself which services it has.

        async with await clarion.reflection.aio.reflect("localhost:50051") as client:
            response = await client.Greeter.SayHello({"name": "Alice"})

    Args:
        target: where the server is, or a channel to it, which stays open when the client is closed.
        credentials: of the channel that is made; None: plain text.
        options: arguments of the channel that is made.
        timeout: seconds for each set of questions to the reflection service; None: no limit. Calls have their own.
        metadata: `(key, value)` pairs that go with the questions and with every call.
        services: the full names of those to ask about; None: all.

    Raises:
        RpcError: the server cannot be reached, or refuses.
        ReflectionError: it has no reflection service, or what that says cannot be used.
    """
    from clarion.aio import insecure_channel, secure_channel
    from clarion.reflection.client import _name_of

    if isinstance(target, str):
        if credentials is None:
            channel = insecure_channel(target, options)
        else:
            channel = secure_channel(target, credentials, options)
        client = Client(channel, target, True, timeout, metadata)
    else:
        client = Client(target, _name_of(target), False, timeout, metadata)
    try:
        await client.refresh(services)
    except BaseException:
        await client.close()
        raise
    return client
