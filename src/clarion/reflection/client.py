"""Calling a server without generated code: it says itself what can be called (sync)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from clarion.reflection.asking import Asker
from clarion.reflection.conversion import near
from clarion.reflection.descriptors import Descriptors, Questions, ReflectionError
from clarion.reflection.methods import Method, Service, UnknownName

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool

    from clarion.credentials import ChannelCredentials
    from clarion.sync.channel_interface import Channel

__all__ = ["BaseClient", "Client", "SyncMethod", "reflect"]


class SyncMethod(Method):
    """A method of a service, with the further ways to call it that the multi-callables of channels have."""

    def with_call(
        self,
        request: Any = None,
        /,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
        **fields: Any,
    ) -> Any:
        """Make a call with one response; return that and the call, which has metadata. See `__call__`."""
        return self._call.with_call(
            self._request(request, fields),
            **self._options(
                timeout=timeout,
                metadata=metadata,
                credentials=credentials,
                wait_for_ready=wait_for_ready,
                compression=compression,
            ),
        )

    def future(
        self,
        request: Any = None,
        /,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
        **fields: Any,
    ) -> Any:
        """Begin a call with one response; return a future of that, which is the call, too. See `__call__`."""
        return self._call.future(
            self._request(request, fields),
            **self._options(
                timeout=timeout,
                metadata=metadata,
                credentials=credentials,
                wait_for_ready=wait_for_ready,
                compression=compression,
            ),
        )


class BaseClient:
    """What the clients of both front ends have in common.

    Attributes:
        channel: what it calls over.
        target: the server, for messages.
        services: the full names of the server's services.
    """

    _method: type[Method] = Method

    def __init__(self, channel: Any, target: str, owned: bool, metadata: Any) -> None:
        self.channel = channel
        self.target = target
        self.services: tuple[str, ...] = ()
        self._owned = owned
        self._metadata = tuple(metadata or ())
        self._descriptors = Descriptors()
        self._made: dict[str, Service] = {}

    @property
    def pool(self) -> DescriptorPool:
        """The descriptors that the server has told of so far, in a pool of their own."""
        return self._descriptors.pool

    def _full_name(self, name: str) -> str:
        if name in self.services:
            return name
        found = [each for each in self.services if each.rpartition(".")[2] == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownName(
                f"{self.target} has several services {name!r}: say which, as in client[{found[0]!r}]; there are"
                f" {', '.join(found[:20])}"
            )
        short = [each.rpartition(".")[2] for each in self.services]
        known = self.services if "." in name else short
        raise UnknownName(f"{self.target} has no service {name!r}: {near(name, known)}")

    def _service(self, name: str) -> Service:
        """The service of that full name, whose file is in the pool."""
        service = self._made.get(name)
        if service is None:
            try:
                described = self.pool.FindServiceByName(name)
            except KeyError:
                raise ReflectionError(
                    f"{name} is no service, although {self.target} lists it as one of its own"
                ) from None
            service = self._made[name] = Service(described, self._new_method)
        return service

    def _new_method(self, descriptor: MethodDescriptor) -> Method:
        return self._method(self.channel, descriptor, self._metadata)

    def __getitem__(self, name: str) -> Service:
        """A service, by its full name, or by the last part of it where no other has the same.

        Raises:
            UnknownName: there is none of that name, or there are several.
            ReflectionError: what the server says of it cannot be used.
        """
        raise NotImplementedError

    def __getattr__(self, name: str) -> Service:
        if name.startswith("_") or name == "services":
            raise AttributeError(name)
        try:
            return self[name]
        except UnknownName as error:
            raise AttributeError(str(error)) from None

    def _find_message(self, name: str) -> Any:
        from google.protobuf import message_factory

        try:
            return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))
        except KeyError:
            raise UnknownName(f"{self.target} has told of no message {name!r}") from None

    def __iter__(self) -> Iterator[Service]:
        """The services."""
        return (self[name] for name in self.services)

    def __len__(self) -> int:
        return len(self.services)

    def __bool__(self) -> bool:
        return True

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name.rpartition(".")[2] for name in self.services)]

    def __repr__(self) -> str:
        return f"<client of {self.target}: {', '.join(self.services) or 'no services'}>"


class Client(BaseClient):
    """Calls a server's services, as the server describes them. Make it with `clarion.reflect`.

    Services are its attributes, and its items. It may be used from any thread, and in a `with` statement.
    """

    channel: Channel
    _method = SyncMethod

    def __init__(
        self, channel: Channel, target: str, owned: bool, timeout: float | None, metadata: Any
    ) -> None:
        super().__init__(channel, target, owned, metadata)
        self._asker = Asker(channel, timeout, self._metadata or None)
        # One thread at a time asks.
        self._lock = threading.Lock()
        self.refresh()

    def _ask(self, questions: Questions) -> Any:
        with self._lock:
            return self._asker.ask(questions)

    def refresh(self) -> None:
        """Ask the server again which services it has.

        Raises:
            RpcError, ReflectionError: see `clarion.reflect`.
        """
        self.services: tuple[str, ...] = tuple(self._ask(self._descriptors.list_services()))

    def __getitem__(self, name: str) -> Service:
        full = self._full_name(name)
        if full not in self._made:
            self._ask(self._descriptors.need_symbol(full))
        return self._service(full)

    def message(self, name: str, *, extensions: bool = False) -> Any:
        """The class of a message that the server knows.

        Args:
            name: its full name.
            extensions: also get the extensions that the server knows of, so that they are read and written.

        Raises:
            UnknownName: it is no message.
            ReflectionError: the server does not know it, or what it says of it cannot be used.
        """
        known = self._descriptors
        self._ask(known.need_extensions(name) if extensions else known.need_symbol(name))
        return self._find_message(name)

    def close(self) -> None:
        """Close the channel, if the client made it."""
        if self._owned:
            self.channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def reflect(
    target: str | Channel,
    *,
    credentials: ChannelCredentials | None = None,
    options: Sequence[tuple[str, Any]] | None = None,
    timeout: float | None = 10.0,
    metadata: Any = None,
) -> Client:
    """Call a server without generated code: it says itself which services it has.

        with clarion.reflect("localhost:50051") as client:
            print(client.services)
            response = client.Greeter.SayHello({"name": "Alice"})
            response = client["hello.Greeter"].SayHello(name="Alice", timeout=5)

    The server needs the reflection service (grpc.reflection.v1 or v1alpha; `clarion.reflection.add_service`).

    Args:
        target: where the server is, or a channel to it, which stays open when the client is closed.
        credentials: of the channel that is made; None: plain text.
        options: arguments of the channel that is made.
        timeout: seconds for each set of questions to the reflection service; None: no limit. Calls have their own.
        metadata: `(key, value)` pairs that go with the questions and with every call.

    Returns:
        The client, which knows the server's services by name; what they are it asks when they are first used.

    Raises:
        RpcError: the server cannot be reached, or refuses.
        ReflectionError: it has no reflection service, or what that says cannot be used.
    """
    from clarion.sync.channel import insecure_channel, secure_channel

    if not isinstance(target, str):
        return Client(target, _name_of(target), False, timeout, metadata)
    if credentials is None:
        channel = insecure_channel(target, options)
    else:
        channel = secure_channel(target, credentials, options)
    try:
        return Client(channel, target, True, timeout, metadata)
    except BaseException:
        channel.close()
        raise


def _name_of(channel: Any) -> str:
    if not hasattr(channel, "stream_stream"):
        raise TypeError(f"target must be a str or a channel, not {type(channel).__name__}")
    return "the server"
