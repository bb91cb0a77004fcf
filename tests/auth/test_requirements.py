"""What single methods ask of their callers."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
from clarion.auth import Identity, TokenAuthenticator, require, strict, unrestricted
from clarion.auth.requirements import Requirement
from support.auth import TOKENS, authenticate, bearer
from support.front_end import FrontEnd
from support.libraries import PATTERNS

ALICE, BOB = TOKENS
PATH = "/test.Service/"
ADMIN = {"scopes": "read write", "role": ["admin", "root"]}
patterns = pytest.mark.parametrize("pattern", PATTERNS)


class Sync:
    """A servicer of a sync server; on an asyncio server its methods run on threads."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    @require(**ADMIN)
    def unary_unary(self, request: bytes, context: Any) -> bytes:
        self.ran.append("unary_unary")
        return b"done"

    @require(**ADMIN)
    def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
        self.ran.append("unary_stream")
        yield b"done"

    @require(**ADMIN)
    def stream_unary(self, requests: Any, context: Any) -> bytes:
        self.ran.append("stream_unary")
        return b"done"

    @require(**ADMIN)
    def stream_stream(self, requests: Any, context: Any) -> Iterator[bytes]:
        self.ran.append("stream_stream")
        yield b"done"


class Async:
    """The same for asyncio servers."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    @require(**ADMIN)
    async def unary_unary(self, request: bytes, context: Any) -> bytes:
        self.ran.append("unary_unary")
        return b"done"

    @require(**ADMIN)
    async def unary_stream(self, request: bytes, context: Any) -> Any:
        self.ran.append("unary_stream")
        yield b"done"

    @require(**ADMIN)
    async def stream_unary(self, requests: Any, context: Any) -> bytes:
        self.ran.append("stream_unary")
        return b"done"

    @require(**ADMIN)
    async def stream_stream(self, requests: Any, context: Any) -> None:
        self.ran.append("stream_stream")
        await context.write(b"done")


def handlers(servicer: Any) -> Any:
    return clarion.method_handlers_generic_handler(
        "test.Service",
        {
            each: getattr(clarion, f"{each}_rpc_method_handler")(getattr(servicer, each))
            for each in PATTERNS
        },
    )


@pytest.fixture(params=["plain", "async"])
def served(request: pytest.FixtureRequest, front: FrontEnd) -> Any:
    """A function that serves a servicer, and one that calls it."""
    if request.param == "async" and front.name == "sync":
        pytest.skip("sync servers have plain handlers")
    servicer = Sync() if request.param == "plain" else Async()
    stops = []

    def serve(*interceptors: Any) -> tuple[Any, Any]:
        if front.name == "sync":
            pool = futures.ThreadPoolExecutor(2)
            server: Any = clarion.server(pool, interceptors=interceptors)
            strict(server).add_generic_rpc_handlers((handlers(servicer),))
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            stops.append(lambda: (server.stop(None).wait(), pool.shutdown()))
        else:

            async def start() -> tuple[Any, int]:
                made = clarion.aio.server(futures.ThreadPoolExecutor(2), interceptors=interceptors)
                strict(made).add_generic_rpc_handlers((handlers(servicer),))
                number = made.add_insecure_port("127.0.0.1:0")
                await made.start()
                return made, number

            server, port = front.loop.run(start)
            stops.append(lambda: front.loop.run(server.stop, None))
        return servicer, front.connect(f"127.0.0.1:{port}")

    yield serve
    for stop in stops:
        stop()


@patterns
def test_who_may_call(served: Any, front: FrontEnd, pattern: str) -> None:
    servicer, client = served(authenticate(front, TokenAuthenticator(TOKENS), optional=True))

    def call(token: str | None) -> Any:
        metadata = None if token is None else bearer(token)
        return client.call(PATH + pattern, pattern, [b"x"], metadata=metadata)

    nobody, bob = call(None), call(BOB)
    assert (nobody.code, nobody.details) == (
        "UNAUTHENTICATED",
        "the method needs an authenticated caller",
    )
    assert (bob.code, bob.details) == ("PERMISSION_DENIED", "the caller lacks scope read, write")
    assert servicer.ran == []
    alice = call(ALICE)
    assert (alice.code, alice.responses) == ("OK", [b"done"])
    assert servicer.ran == [pattern]


@patterns
def test_without_an_authenticator_nobody_may(served: Any, pattern: str) -> None:
    servicer, client = served()
    outcome = client.call(PATH + pattern, pattern, [b"x"], metadata=bearer(ALICE))
    assert outcome.code == "UNAUTHENTICATED"
    assert servicer.ran == []


ONE = Identity(method="x", subject="s", scopes=frozenset("ab"), roles=frozenset("r"))


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({}, None),
        ({"scopes": frozenset("a")}, None),
        ({"scopes": frozenset("ab")}, None),
        ({"scopes": frozenset("abc")}, "lacks scope c"),
        ({"roles": frozenset("rs")}, None),
        ({"roles": frozenset("st")}, "lacks role s or t"),
        ({"scopes": frozenset("c"), "roles": frozenset("r")}, "lacks scope c"),
        ({"check": lambda who: who.subject == "s"}, None),
        ({"check": lambda who: False}, "may not call"),
        ({"check": lambda who: "yes"}, "may not call"),
    ],
)
def test_requirements(asked: Any, refused: str | None) -> None:
    refusal = Requirement(**asked).refusal(ONE)
    if refused is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert refusal[0] is clarion.StatusCode.PERMISSION_DENIED
        assert refused in refusal[1]
    refusal = Requirement(**asked).refusal(None)
    assert refusal is not None
    assert refusal[0] is clarion.StatusCode.UNAUTHENTICATED


def test_decorators_say_what_they_cannot_use() -> None:
    for arguments in ({"scopes": [1]}, {"scopes": [""]}, {"role": ""}, {"check": "x"}):
        with pytest.raises(TypeError):
            require(**arguments)  # type: ignore[arg-type]
    for decorate in (require(), unrestricted):
        for wrong in (Sync, staticmethod(lambda a, b: a), 7, print):
            with pytest.raises(TypeError, match="decorate each method"):
                decorate(wrong)  # type: ignore[type-var]
        with pytest.raises(TypeError, match="a request and a context"):
            decorate(lambda request: request)


class Server:
    """What was added to it."""

    name = "server"

    def __init__(self) -> None:
        self.added: list[Any] = []

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        self.added.append(handlers)

    def add_registered_method_handlers(self, service: str, methods: Any) -> None:
        self.added.append((service, methods))


def method(behavior: Any) -> dict[str, Any]:
    return {"Say": clarion.unary_unary_rpc_method_handler(behavior)}


def test_strict_servers_take_methods_that_say_who_may_call_them() -> None:
    def bare(request: bytes, context: Any) -> bytes:
        return request

    generated = types.FunctionType(bare.__code__, {"__name__": "hello_pb2_grpc"})
    for behavior, taken in (
        (bare, False),
        (require()(bare), True),
        (require(scopes="a")(require(role="b")(bare)), True),
        (unrestricted(lambda request, context: request), True),
        (generated, True),
    ):
        server = Server()
        checked = strict(server)
        assert checked.name == "server"
        generic = clarion.method_handlers_generic_handler("a.B", method(behavior))
        additions = (
            functools.partial(checked.add_generic_rpc_handlers, (generic,)),
            functools.partial(checked.add_registered_method_handlers, "a.B", method(behavior)),
        )
        for add in additions:
            if taken:
                add()
            else:
                with pytest.raises(ValueError, match=r"/a\.B/Say: no @clarion\.auth\.require"):
                    add()
        assert len(server.added) == (2 if taken else 0)
    with pytest.raises(ValueError, match="nobody can tell"):
        strict(Server()).add_generic_rpc_handlers((object(),))


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in ("jwt", "cryptography"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "cryptography", types.ModuleType("cryptography"))
            patch.setitem(sys.modules, "jwt", types.ModuleType("jwt"))
            patch.setitem(sys.modules, missing, None)
            for make in (
                lambda: clarion.auth.Jwks("{}"),
                lambda: clarion.auth.PublicKey(b""),
                lambda: clarion.auth.RemoteJwks("https://x/y"),
            ):
                with pytest.raises(ModuleNotFoundError, match=r"clarion-rpc\[auth\]"):
                    make()
