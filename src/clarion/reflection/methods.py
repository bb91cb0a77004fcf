"""Services and methods that a server has told of, as objects that can be called. The same for both front ends."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from clarion.reflection.conversion import near, new_message

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor

__all__ = ["Method", "Service", "UnknownName"]


class UnknownName(LookupError):
    """A server has no such service, or a service no such method; the message says which there are."""


class Method:
    """A method of a service. Call it.

    Attributes:
        name: the method's, such as `SayHello`.
        path: `/package.Service/Method`.
        descriptor: what the .proto file says of it.
        request_type: the class of its requests.
        response_type: the class of its responses.
    """

    def __init__(self, channel: Any, descriptor: MethodDescriptor, metadata: Any) -> None:
        from google.protobuf import message_factory

        self.descriptor = descriptor
        self.name: str = descriptor.name
        self.path: str = f"/{descriptor.containing_service.full_name}/{descriptor.name}"
        self.request_type: Any = message_factory.GetMessageClass(descriptor.input_type)
        self.response_type: Any = message_factory.GetMessageClass(descriptor.output_type)
        self._metadata = tuple(metadata or ())
        pattern = "_".join(
            "stream" if streaming else "unary"
            for streaming in (descriptor.client_streaming, descriptor.server_streaming)
        )
        self._call: Any = getattr(channel, pattern)(
            self.path, self._serialize, self.response_type.FromString
        )

    def __call__(
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
        """Make a call.

        Args:
            request: a mapping or a message; of a method that takes a stream, an iterable of these, for asyncio also an
                asynchronous one, or None for a call to which one writes.
            timeout: seconds.
            metadata: `(key, value)` pairs, behind those of the client.
            credentials: call credentials.
            wait_for_ready: whether to wait for a connection.
            compression: how requests are compressed.
            fields: fields of the request, by name, beside or in place of `request`. One that is named as an argument
                is named has to go into `request`.

        Returns:
            What a generated stub's method would: a response message, or a call that gives them one by one; for asyncio
            a call to await or to iterate over.

        Raises:
            TypeError, ValueError: the request does not fit the method's type; says where.
            RpcError: see the channel's methods.
        """
        return self._call(
            self._request(request, fields),
            **self._options(
                timeout=timeout,
                metadata=metadata,
                credentials=credentials,
                wait_for_ready=wait_for_ready,
                compression=compression,
            ),
        )

    def _options(self, **options: Any) -> dict[str, Any]:
        if self._metadata:
            options["metadata"] = (*self._metadata, *(options.get("metadata") or ()))
        return options

    def _serialize(self, value: Any) -> bytes:
        data: bytes = new_message(self.request_type, value).SerializeToString()
        return data

    def _request(self, request: Any, fields: Mapping[str, Any]) -> Any:
        if not self.descriptor.client_streaming:
            return new_message(self.request_type, request, fields)
        if fields:
            raise TypeError(
                f"{self.path} takes a stream of requests: give an iterable of them, not fields"
            )
        if request is None or isinstance(request, AsyncIterable):
            return request if request is None else self._each_later(request)
        if isinstance(request, list | tuple):
            # What is wrong with them is told to the caller, and not to the thread or task that sends them.
            return iter([new_message(self.request_type, each) for each in request])
        if isinstance(request, Mapping) or not isinstance(request, Iterable):
            raise TypeError(
                f"{self.path} takes a stream of requests: give an iterable of them, not"
                f" {type(request).__name__}"
            )
        return self._each(request)

    def _each(self, requests: Iterable[Any]) -> Iterator[Any]:
        for request in requests:
            yield new_message(self.request_type, request)

    async def _each_later(self, requests: AsyncIterable[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            yield new_message(self.request_type, request)

    def signature(self) -> str:
        """The method in one line."""
        described = self.descriptor
        asked = _in_words(described.input_type, described.client_streaming)
        answered = _in_words(described.output_type, described.server_streaming)
        return f"{self.name}({asked}) -> {answered}"

    def __repr__(self) -> str:
        return f"<{self.path}: {self.signature()}>"


def _in_words(message: Descriptor, stream: bool) -> str:
    fields = ", ".join(field.name for field in message.fields[:8])
    if len(message.fields) > 8:
        fields += ", ..."
    return f"{'stream ' if stream else ''}{message.full_name} {{{fields}}}"


class Service:
    """A service of a server. Its methods are its attributes, and its items: `service.SayHello`, `service["SayHello"]`.

    Attributes:
        name: its full name.
        descriptor: what the .proto file says of it.
        methods: the names of its methods, in the file's order. A method of the name of one of these attributes is an
            item only.
    """

    def __init__(
        self, descriptor: ServiceDescriptor, make: Callable[[MethodDescriptor], Method]
    ) -> None:
        self.descriptor = descriptor
        self.name: str = descriptor.full_name
        self.methods: tuple[str, ...] = tuple(each.name for each in descriptor.methods)
        self._make = make
        self._made: dict[str, Method] = {}

    def __getitem__(self, name: str) -> Method:
        """A method, by its name.

        Raises:
            UnknownName: there is none of that name.
        """
        method = self._made.get(name)
        if method is None:
            described = self.descriptor.methods_by_name.get(name)
            if described is None:
                raise UnknownName(
                    f"{self.name} has no method {name!r}: {near(str(name), self.methods)}"
                )
            method = self._made[name] = self._make(described)
        return method

    def __getattr__(self, name: str) -> Method:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except UnknownName as error:
            raise AttributeError(str(error)) from None

    def __iter__(self) -> Iterator[Method]:
        """The methods."""
        return (self[name] for name in self.methods)

    def __len__(self) -> int:
        return len(self.methods)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.methods]

    def __repr__(self) -> str:
        lines = "".join(f"\n  {method.signature()}" for method in self)
        return f"<service {self.name}:{lines or ' no methods'}>"
