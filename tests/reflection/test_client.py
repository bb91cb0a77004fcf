"""Calling servers that say themselves what can be called, by both front ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import clarion
import clarion.aio
from clarion import reflection
from clarion.reflection import ReflectionError, UnknownName
from clarion.reflection.answers import Answers, Conversation
from clarion.reflection.asking import AsyncAsker
from clarion.reflection.servicer import AsyncReflectionServicer, ReflectionServicer
from clarion.reflection.versions import Version
from support.libraries import LIMIT
from support.loops import LoopThread
from support.processes import free_port
from support.trial import POOL, SERVICE, Guest


def reflect(target: Any, **options: Any) -> reflection.Client:
    return clarion.reflect(target, **{"timeout": LIMIT, **options})


def texts(responses: Any) -> list[str]:
    return [each.text for each in responses]


def test_four_patterns(serve: Callable[[], str]) -> None:
    with reflect(serve()) as client:
        greeter = client.Greeter
        assert greeter.Greet({"first_name": "Ann"}, timeout=LIMIT).text == "Hello, Ann!"
        assert greeter.Greet(first_name="Ann").text == "Hello, Ann!"
        assert greeter.Greet(Guest(first_name="Ann")).text == "Hello, Ann!"
        assert greeter.Greet().text == "Hello, !"
        assert texts(greeter.GreetOften(first_name="Ann")) == ["Ann 0", "Ann 1", "Ann 2"]
        people = [{"first_name": "Ann"}, Guest(first_name="Bob")]
        assert greeter.GreetAll(people).text == "Ann and Bob"
        assert greeter.GreetAll(iter(people)).text == "Ann and Bob"
        assert texts(greeter.Chat(people)) == ["Ann", "Bob"]
        response, call = greeter.Greet.with_call(first_name="Ann")
        assert (response.text, call.code()) == ("Hello, Ann!", clarion.StatusCode.OK)
        assert greeter.GreetAll.future(people, timeout=LIMIT).result(LIMIT).text == "Ann and Bob"


def test_names(serve_sync: Callable[[], str]) -> None:
    target = serve_sync()
    with reflect(target) as client:
        services = tuple(sorted([SERVICE, *(version.service for version in Version)]))
        assert client.services == services
        assert len(client) == 3
        assert [service.name for service in client] == list(services)
        assert client.Greeter is client["Greeter"] is client[SERVICE]
        assert "Greeter" in dir(client)
        assert repr(client) == f"<client of {target}: {', '.join(services)}>"
        greeter = client.Greeter
        assert greeter.methods == ("Greet", "GreetOften", "GreetAll", "Chat", "methods")
        assert [method.name for method in greeter] == list(greeter.methods)
        assert len(greeter) == 5
        assert "GreetOften" in dir(greeter)
        # A method of an attribute's name.
        assert greeter["methods"](first_name="Ann").text == "Hello, Ann!"
        shown = repr(greeter)
        assert shown.startswith("<service trial.Greeter:\n  Greet(trial.Guest {first_name, ")
        assert "Chat(stream trial.Guest {" in shown
        assert ") -> stream trial.Greeting {text}" in shown
        assert repr(greeter.Chat).startswith("</trial.Greeter/Chat: Chat(stream trial.Guest")
        assert greeter.Greet.request_type.DESCRIPTOR.full_name == "trial.Guest"
        assert client.pool is not POOL
        assert client.message("trial.Guest") is greeter.Greet.request_type


def test_names_that_there_are_not(serve_sync: Callable[[], str]) -> None:
    target = serve_sync()
    with reflect(target) as client:
        with pytest.raises(AttributeError, match=r"no service 'Gretter': did you mean Greeter\?"):
            _ = client.Gretter
        with pytest.raises(UnknownName, match=r"did you mean trial\.Greeter\?"):
            _ = client["trail.Greeter"]
        several = r"several services 'ServerReflection': say which, as in client\['grpc\.reflection"
        with pytest.raises(UnknownName, match=several):
            _ = client["ServerReflection"]
        with pytest.raises(AttributeError, match=r"no method 'greet': did you mean Greet"):
            _ = client.Greeter.greet
        with pytest.raises(UnknownName, match="no method 'x'"):
            _ = client.Greeter["x"]
        with pytest.raises(UnknownName, match=r"no message 'trial\.Mood'"):
            client.message("trial.Mood")
        with pytest.raises(AttributeError):
            _ = client.__wrapped__
        with pytest.raises(AttributeError):
            _ = client.Greeter.__wrapped__


def test_requests_that_do_not_fit(serve_sync: Callable[[], str]) -> None:
    with reflect(serve_sync()) as client:
        greeter = client.Greeter
        with pytest.raises(ValueError, match="did you mean first_name"):
            greeter.Greet(first_nam="Ann")
        with pytest.raises(TypeError, match="takes a stream of requests: give an iterable of them"):
            greeter.GreetAll({"first_name": "Ann"})
        with pytest.raises(TypeError, match="not int"):
            greeter.Chat(3)
        with pytest.raises(TypeError, match="not fields"):
            greeter.Chat(first_name="Ann")
        with pytest.raises(ValueError, match="no field 'x'"):
            greeter.Chat([{"first_name": "Ann"}, {"x": 1}])


def test_extensions(serve_sync: Callable[[], str]) -> None:
    with reflect(serve_sync()) as client:
        extendable = client.message("trial.Extendable", extensions=True)
        more = client.pool.FindExtensionByName("trial.more")
        made = extendable(note="n")
        made.Extensions[more] = "m"
        assert reflection.to_dict(made) == {"note": "n", "[trial.more]": "m"}


def test_metadata_and_channels(serve_sync: Callable[..., str]) -> None:
    with clarion.insecure_channel(serve_sync()) as channel:
        with reflect(channel, metadata=[("from", "ahoy")]) as client:
            assert client.target == "the server"
            assert client.Greeter.Greet(first_name="Ann").text == "Hello, Ann!ahoy"
            own = client.Greeter.Greet(first_name="Ann", metadata=[("from", "hey")])
            assert own.text == "Hello, Ann!hey"
        # It is not the client's to close.
        channel.unary_unary("/trial.Greeter/Greet")(b"", timeout=LIMIT)
    with pytest.raises(TypeError, match="must be a str or a channel, not int"):
        reflect(3)


def test_questions_are_asked_with_metadata(serve_sync: Callable[..., str]) -> None:
    seen: list[Any] = []

    class Witness(ReflectionServicer):
        def ServerReflectionInfo(self, request_iterator: Any, context: Any) -> Any:
            seen.append(dict(context.invocation_metadata()).get("key"))
            return super().ServerReflectionInfo(request_iterator, context)

    def tell(server: Any) -> None:
        servicer = Witness([SERVICE], POOL, version=Version.V1)
        handlers = Version.V1.method_handlers(servicer)
        server.add_registered_method_handlers(Version.V1.service, handlers)

    with reflect(serve_sync(tell), metadata=[("key", "k")]) as client:
        assert client.Greeter
    assert seen == ["k", "k"]


def old(server: Any) -> None:
    """As servers were before there was v1."""
    is_async = isinstance(server, clarion.aio.Server)
    servicer = AsyncReflectionServicer if is_async else ReflectionServicer
    handlers = Version.V1ALPHA.method_handlers(servicer([SERVICE], POOL))
    server.add_registered_method_handlers(Version.V1ALPHA.service, handlers)


def test_a_server_of_v1alpha(serve: Callable[..., str], loop: LoopThread) -> None:
    target = serve(old)
    with reflect(target) as client:
        assert client.services == (SERVICE,)
        assert client.Greeter.Greet(first_name="Ann").text == "Hello, Ann!"

    async def later() -> str:
        async with await reflection.aio.reflect(target, timeout=LIMIT) as client:
            response = await client.Greeter.Greet(first_name="Ann")
            text: str = response.text
            return text

    assert loop.run(later) == "Hello, Ann!"


def test_a_server_without_reflection(serve: Callable[..., str], loop: LoopThread) -> None:
    target = serve(lambda server: None)
    with pytest.raises(ReflectionError, match="has no reflection service"):
        reflect(target)
    with pytest.raises(ReflectionError, match="has no reflection service"):
        loop.run(lambda: reflection.aio.reflect(target, timeout=LIMIT))


def test_no_server(loop: LoopThread) -> None:
    target = f"127.0.0.1:{free_port()}"
    with pytest.raises(clarion.RpcError) as caught:
        reflect(target)
    assert caught.value.code() is clarion.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
    with pytest.raises(clarion.RpcError):
        loop.run(lambda: reflection.aio.reflect(target, timeout=LIMIT))


def speaks(answer: Callable[[Any], Any]) -> Callable[[Any], None]:
    """A server whose reflection service answers like that, and ends the stream after None."""
    messages = Version.V1.messages

    def sync(requests: Any, context: Any) -> Iterator[Any]:
        for request in requests:
            response = answer(request)
            if response is None:
                return
            yield response

    def tell(server: Any) -> None:
        handler = clarion.stream_stream_rpc_method_handler(
            sync,
            messages.ServerReflectionRequest.FromString,
            messages.ServerReflectionResponse.SerializeToString,
        )
        server.add_registered_method_handlers(Version.V1.service, {"ServerReflectionInfo": handler})

    return tell


def listing(*names: str) -> Any:
    messages = Version.V1.messages
    return messages.ServerReflectionResponse(
        list_services_response=messages.ListServiceResponse(
            service=[messages.ServiceResponse(name=name) for name in names]
        )
    )


def test_a_stream_that_ends_early(serve_sync: Callable[..., str], loop: LoopThread) -> None:
    target = serve_sync(speaks(lambda request: None))
    with pytest.raises(ReflectionError, match="ended the stream"):
        reflect(target)
    with pytest.raises(ReflectionError, match="ended the stream"):
        loop.run(lambda: reflection.aio.reflect(target, timeout=LIMIT))


def test_a_service_without_a_file(serve_sync: Callable[..., str], loop: LoopThread) -> None:
    """Such as one of a generic handler: the others can be called."""
    target = serve_sync(lambda server: reflection.add_service(server, [SERVICE, "x.X"], pool=POOL))
    with reflect(target) as client:
        assert client.services == (SERVICE, "x.X")
        with pytest.raises(ReflectionError, match=r"does not know the file that defines x\.X"):
            _ = client.X
        assert client.Greeter.Greet(first_name="Ann").text == "Hello, Ann!"

    async def later() -> None:
        async with await reflection.aio.reflect(target, timeout=LIMIT) as client:
            with pytest.raises(ReflectionError, match=r"does not know the file that defines x\.X"):
                _ = client.X
            assert (await client.Greeter.Greet(first_name="Ann")).text == "Hello, Ann!"

    loop.run(later)


def test_an_answer_that_is_no_service(serve_sync: Callable[..., str]) -> None:
    """The server says that a message is one of its services."""
    with (
        reflect(
            serve_sync(lambda server: reflection.add_service(server, ["trial.Guest"], pool=POOL))
        ) as client,
        pytest.raises(ReflectionError, match=r"trial\.Guest is no service"),
    ):
        _ = client.Guest


def test_a_server_that_does_not_answer(serve_sync: Callable[..., str], loop: LoopThread) -> None:
    rest = threading.Event()
    target = serve_sync(speaks(lambda request: rest.wait(LIMIT) and None))
    try:
        with pytest.raises(clarion.RpcError) as caught:
            reflect(target, timeout=0.1)
        assert caught.value.code() is clarion.StatusCode.DEADLINE_EXCEEDED  # type: ignore[attr-defined]
        with pytest.raises(clarion.RpcError):
            loop.run(lambda: reflection.aio.reflect(target, timeout=0.1))
    finally:
        rest.set()


def test_what_broke_off_leaves_nothing_behind(serve_sync: Callable[..., str]) -> None:
    """The stream ends while an import is asked for; whoever keeps the error does not hinder the next question."""
    broken = threading.Event()
    honest = Conversation(Answers(lambda: [SERVICE], POOL), Version.V1)

    def answer(request: Any) -> Any:
        if request.file_by_filename:
            broken.set()
            return None
        response = honest.answer(request)
        if request.file_containing_symbol and not broken.is_set():
            del response.file_descriptor_response.file_descriptor_proto[1:]
        return response

    with reflect(serve_sync(speaks(answer))) as client:
        with pytest.raises(ReflectionError, match="ended the stream"):
            _ = client.Greeter
        honest = Conversation(Answers(lambda: [SERVICE], POOL), Version.V1)
        assert client.Greeter.Greet(first_name="Ann").text == "Hello, Ann!"


def test_services_that_come_later(serve_sync: Callable[..., str], loop: LoopThread) -> None:
    names = [SERVICE]
    target = serve_sync(lambda server: reflection.add_service(server, lambda: names, pool=POOL))
    with reflect(target) as client:
        names.append("x.X")
        assert client.services == (SERVICE,)
        client.refresh()
        assert client.services == (SERVICE, "x.X")


def test_asyncio(serve: Callable[[], str], loop: LoopThread) -> None:
    target = serve()

    async def each() -> AsyncIterator[dict[str, str]]:
        yield {"first_name": "Ann"}
        await asyncio.sleep(0)
        yield {"first_name": "Bob"}

    async def calls() -> None:
        async with await reflection.aio.reflect(target, timeout=LIMIT) as client:
            greeter = client.Greeter
            assert (await greeter.Greet({"first_name": "Ann"})).text == "Hello, Ann!"
            often = [each.text async for each in greeter.GreetOften(first_name="Ann")]
            assert often == ["Ann 0", "Ann 1", "Ann 2"]
            assert (await greeter.GreetAll(each())).text == "Ann and Bob"
            assert (await greeter.GreetAll([{"first_name": "Ann"}])).text == "Ann"
            call = greeter.Chat()
            await call.write({"first_name": "Ann"})
            assert (await call.read()).text == "Ann"
            await call.write(Guest(first_name="Bob"))
            await call.done_writing()
            assert (await call.read()).text == "Bob"
            assert await call.read() is clarion.aio.EOF
            with pytest.raises(ValueError, match="no field"):
                greeter.Greet(name="Ann")
            guest = await client.message("trial.Guest")
            assert guest is greeter.Greet.request_type
            extendable = await client.message("trial.Extendable", extensions=True)
            assert client.pool.FindExtensionByName("trial.more").containing_type is (
                extendable.DESCRIPTOR
            )

    loop.run(calls)


def test_asyncio_asks_about_some(serve_sync: Callable[[], str], loop: LoopThread) -> None:
    target = serve_sync()

    async def calls() -> None:
        async with clarion.aio.insecure_channel(target) as channel:
            client = await reflection.aio.reflect(channel, timeout=LIMIT, services=[])
            with pytest.raises(ReflectionError, match=r"client\.refresh\(\['trial\.Greeter'\]\)"):
                _ = client.Greeter
            await client.refresh([SERVICE])
            await client.close()
            assert (await client.Greeter.Greet(first_name="Ann")).text == "Hello, Ann!"

    loop.run(calls)


def test_tls(loop: LoopThread) -> None:
    from concurrent import futures

    from support.credentials import client_tls, server_tls
    from support.libraries import load
    from support.trial import handlers

    library = load("clarion")
    with futures.ThreadPoolExecutor(2) as pool:
        server = clarion.server(pool, handlers=[handlers(sync=True)])
        reflection.add_service(server, pool=POOL)
        port = server.add_secure_port("127.0.0.1:0", server_tls(library))
        server.start()
        target, credentials = f"localhost:{port}", client_tls(library)

        async def later() -> str:
            async with await reflection.aio.reflect(
                target, credentials=credentials, timeout=LIMIT
            ) as client:
                response = await client.Greeter.Greet(first_name="Ann")
                text: str = response.text
                return text

        try:
            with reflect(target, credentials=credentials) as client:
                assert client.Greeter.Greet(first_name="Ann").text == "Hello, Ann!"
            assert loop.run(later) == "Hello, Ann!"
        finally:
            server.stop(None).wait(LIMIT)


def test_a_database_for_pools(serve_sync: Callable[..., str]) -> None:
    """grpcio-reflection's API."""
    from google.protobuf.descriptor_pool import DescriptorPool

    with clarion.insecure_channel(serve_sync(old)) as channel:
        database = reflection.ProtoReflectionDescriptorDatabase(channel)
        assert database.get_services() == [SERVICE]
        service = DescriptorPool(database).FindServiceByName(SERVICE)
        assert service.methods_by_name["Greet"].input_type.full_name == "trial.Guest"
        assert database.FindFileByName("trial/kinds.proto").package == "trial"
        assert database.FindAllExtensionNumbers("trial.Extendable") == [100, 101]
        assert database.FindAllExtensionNumbers("trial.Extendable") == [100, 101]
        file = database.FindFileContainingExtension("trial.Extendable", 100)
        assert file.name == "trial/more.proto"
        for look in database.FindFileByName, database.FindFileContainingSymbol:
            with pytest.raises(KeyError):
                look("nothing")
        with pytest.raises(KeyError):
            database.FindFileContainingExtension("trial.Extendable", 150)
        with pytest.raises(KeyError):
            database.FindAllExtensionNumbers("nothing")


class _Late:
    """A channel whose calls give a response when the status is there, too."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel

    def stream_stream(self, *arguments: Any) -> Any:
        method = self.channel.stream_stream(*arguments)

        def begin(**options: Any) -> Any:
            call = method(**options)
            read = call.read

            async def read_late() -> Any:
                response = await read()
                await call.code()
                return response

            call.read = read_late
            return call

        return begin


@pytest.mark.parametrize("refuses", [False, True])
def test_a_stream_that_is_over_before_the_next_question(
    serve_aio: Callable[..., str], loop: LoopThread, refuses: bool
) -> None:
    messages = Version.V1.messages

    class Brief:
        async def ServerReflectionInfo(self, requests: Any, context: Any) -> AsyncIterator[Any]:
            async for _ in requests:
                yield messages.ServerReflectionResponse()
                if refuses:
                    await context.abort(clarion.StatusCode.PERMISSION_DENIED, "once is enough")
                return

    def tell(server: Any) -> None:
        server.add_registered_method_handlers(
            Version.V1.service, Version.V1.method_handlers(Brief())
        )

    def twice() -> Any:
        yield messages.ServerReflectionRequest()
        yield messages.ServerReflectionRequest()

    target = serve_aio(tell)

    async def ask() -> None:
        async with clarion.aio.insecure_channel(target) as channel:
            late: Any = _Late(channel)
            await AsyncAsker(late, LIMIT, None).ask(twice())

    if refuses:
        with pytest.raises(clarion.RpcError, match="once is enough"):
            loop.run(ask)
    else:
        with pytest.raises(ReflectionError, match="ended the stream"):
            loop.run(ask)
