"""The service that peer tests call: every call carries a script of what its handler has to do.

The script is JSON in the metadata key `x-script`; all its keys are optional:

- `echo`: sends the call's `i-*` metadata back as initial and its `t-*` as trailing metadata.
- `count`: how many responses a server-streaming method writes (3).
- `size`: every response is that many bytes instead of an echo.
- `after`: a bidirectional method writes `after` once the client has ended.
- `early`: a method that receives many ends after that many requests.
- `meet`: `[key, n]`, goes on once `n` calls with that key have arrived.
- `hold`: goes on once the program is told to release that key.
- `hang`: records `<key>:started`, waits to be cancelled, records `<key>:ended`.
- `compression`: the name of the compression of the responses.
- `witness`: records what the connection says about the client under that key (not in JavaScript).
- `code`, `details`, and `abort` to abort instead of setting them; `raise`: an exception's text.

`tests/peers/node/server.js` is the same service in JavaScript; keep the two alike.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from google.protobuf import struct_pb2

from support.handlers import Method, ServerCall
from support.libraries import PATTERNS

__all__ = ["CONTROL", "ECHO", "STRUCT", "Store", "camel", "echo_methods"]

ECHO = "/peers.Echo/"
STRUCT = "/peers.Struct/"
CONTROL = "/peers.Control/"


def camel(pattern: str) -> str:
    """The method's name for a pattern: `UnaryStream` for `unary_stream`."""
    return pattern.title().replace("_", "")


class Store:
    """What handlers recorded, by key, and the events that they and the test wait for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, Any] = {}
        self._events: dict[str, threading.Event] = {}
        self._arrived: dict[str, int] = {}

    def event(self, key: str) -> threading.Event:
        with self._lock:
            return self._events.setdefault(key, threading.Event())

    def record(self, key: str, value: Any) -> None:
        self._records[key] = value
        self.event(key).set()

    def recorded(self, key: str) -> Any:
        return self._records[key]

    def arrive(self, key: str, expected: int) -> threading.Event:
        event = self.event(key)
        with self._lock:
            self._arrived[key] = self._arrived.get(key, 0) + 1
            if self._arrived[key] == expected:
                event.set()
        return event


class _Echo:
    def __init__(self, store: Store, pattern: str) -> None:
        self._store = store
        self._many_requests = pattern.startswith("stream")
        self._many_responses = pattern.endswith("stream")

    async def __call__(self, call: ServerCall) -> bytes | None:
        metadata = call.metadata
        script = json.loads(dict(metadata).get("x-script", "{}"))
        if script.get("echo"):
            trailing = tuple(pair for pair in metadata if pair[0].startswith("t-"))
            call.context.set_trailing_metadata(trailing)
            await call.send_initial_metadata([pair for pair in metadata if pair[0][:2] == "i-"])
        if "compression" in script:
            call.context.set_compression(call.library.compression(script["compression"]))
            if call.library.name == "grpc":
                # grpc.aio forgets the choice if the headers leave with the only response.
                await call.send_initial_metadata([])
        if "witness" in script:
            context = call.context
            self._store.record(
                script["witness"],
                {
                    "key": context.peer_identity_key(),
                    "identities": [each.decode() for each in context.peer_identities() or ()],
                    "security": context.auth_context()["transport_security_type"][0].decode(),
                    "authorization": dict(metadata).get("authorization"),
                },
            )
        response = await self._exchange(call, script)
        if "raise" in script:
            raise ValueError(script["raise"])
        if script.get("abort"):
            await call.abort(script["code"], script["details"])
        elif "code" in script:
            call.fail(script["code"], script["details"])
        return response

    async def _exchange(self, call: ServerCall, script: dict[str, Any]) -> bytes | None:
        if not self._many_requests:
            requests = [call.request]
            await self._pause(call, script)
        elif not self._many_responses or "hang" in script:
            requests = await self._read(call, script)
        else:
            await self._converse(call, script)
            return None
        size = script.get("size")
        reply = b"".join(requests) if size is None else b"x" * size
        if not self._many_responses:
            return reply
        for _ in range(script.get("count", 3)):
            await call.write(reply)
        return None

    async def _read(self, call: ServerCall, script: dict[str, Any]) -> list[bytes]:
        requests: list[bytes] = []
        early = script.get("early")
        while len(requests) != early and (request := await call.read()) is not None:
            requests.append(request)
            if len(requests) == 1:
                await self._pause(call, script)
        return requests

    async def _converse(self, call: ServerCall, script: dict[str, Any]) -> None:
        size, early, seen = script.get("size"), script.get("early"), 0
        while seen != early and (request := await call.read()) is not None:
            seen += 1
            if seen == 1:
                await self._pause(call, script)
            await call.write(request if size is None else b"x" * size)
        if script.get("after"):
            await call.write(b"after")

    async def _pause(self, call: ServerCall, script: dict[str, Any]) -> None:
        if "meet" in script:
            await call.wait(self._store.arrive(*script["meet"]))
        if "hold" in script:
            self._store.record(f"{script['hold']}:started", None)
            await call.wait(self._store.event(script["hold"]))
        if "hang" in script:
            key = script["hang"]
            self._store.record(f"{key}:started", call.context.time_remaining())
            await call.until_cancelled(lambda: self._store.record(f"{key}:ended", True))


async def _doubled(call: ServerCall) -> struct_pb2.Struct:
    return _double(call.request)


async def _doubled_many(call: ServerCall) -> None:
    for _ in range(3):
        await call.write(_double(call.request))


async def _total(call: ServerCall) -> struct_pb2.Struct:
    total = struct_pb2.Struct()
    total["value"] = 0.0
    while (request := await call.read()) is not None:
        total["value"] += request["value"]
    return total


async def _doubled_each(call: ServerCall) -> None:
    while (request := await call.read()) is not None:
        await call.write(_double(request))


def _double(request: Any) -> struct_pb2.Struct:
    response = struct_pb2.Struct()
    response["value"] = request["value"] * 2
    return response


def echo_methods(store: Store) -> dict[str, Method]:
    """The whole service: bytes echo, protobuf messages, and control, by path."""

    async def recorded(call: ServerCall) -> bytes:
        key = call.request.decode()
        await call.wait(store.event(key))
        return json.dumps(store.recorded(key)).encode()

    methods = {ECHO + camel(each): Method(each, _Echo(store, each)) for each in PATTERNS}
    doubling = (_doubled, _doubled_many, _total, _doubled_each)
    for pattern, handler in zip(PATTERNS, doubling, strict=True):
        methods[STRUCT + camel(pattern)] = Method(
            pattern,
            handler,
            struct_pb2.Struct.FromString,
            struct_pb2.Struct.SerializeToString,
        )
    methods[CONTROL + "Recorded"] = Method("unary_unary", recorded)
    return methods
