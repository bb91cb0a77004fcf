"""The interop test client on connectrpc: a line for each case, exit status 1 if one did not pass."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

from connectrpc.client import ConnectClient, ResponseMetadata
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.compression.gzip import GzipCompression
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from contract import INITIAL, REQUESTS, RESPONSES, TRAILING, Contract, flags
from pyqwest import Client, HTTPTransport, HTTPVersion

GIVEN = flags()
CONTRACT = Contract(GIVEN.descriptors)
MESSAGE, PAYLOAD, METHOD = CONTRACT.message, CONTRACT.payload, CONTRACT.method
STATUS_TEXT = "test status message"
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
SECONDS = 60


class Unsupported(Exception):
    """The library cannot do it; the text says what."""


def check(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, expected {wanted!r}"[:300])


class Counting(GzipCompression):
    """gzip that counts what it unpacks: the only sign of a compressed message that the library shows."""

    def __init__(self) -> None:
        self.unpacked = 0

    def decompress(self, data: Any, read_max_bytes: int | None = None) -> bytes:
        self.unpacked += 1
        return super().decompress(data, read_max_bytes)


def client(http: Client, **options: Any) -> ConnectClient:
    codec = google_protobuf_json_codec if GIVEN.codec == "json" else google_protobuf_binary_codec
    scheme = "https" if GIVEN.use_tls == "true" else "http"
    return ConnectClient(
        f"{scheme}://{GIVEN.server_host}:{GIVEN.server_port}",
        codec=codec(),
        protocol=ProtocolType[GIVEN.protocol.upper().replace("-", "_")],
        http_client=http,
        **{"send_compression": None, **options},
    )


def transport() -> HTTPTransport:
    version = HTTPVersion.HTTP2 if GIVEN.http_version == "2" else HTTPVersion.HTTP1
    tls = {}
    if GIVEN.use_tls == "true":
        tls["tls_ca_cert"] = (GIVEN.certificates / "ca.pem").read_bytes()
    return HTTPTransport(http_version=version, **tls)


async def each(messages: Iterable[Any]) -> AsyncIterator[Any]:
    for message in messages:
        yield message


async def sizes(stream: AsyncIterator[Any]) -> list[int]:
    return [len(response.payload.body) async for response in stream]


async def fails(call: Awaitable[Any], code: Code, message: str | None = None) -> None:
    try:
        await call
    except ConnectError as error:
        check("code", error.code, code)
        if message is not None:
            check("message", error.message, message)
        return
    raise AssertionError("the call succeeded")


def asked(size: int, answer: int) -> Any:
    parameters = [MESSAGE("ResponseParameters")(size=answer)]
    return MESSAGE("StreamingOutputCallRequest")(
        response_parameters=parameters, payload=PAYLOAD(size)
    )


class Cases:
    """The cases, as methods of their names."""

    def __init__(self, http: Client) -> None:
        self.http = http
        self.plain = client(http)

    async def _large(self, to: ConnectClient, **fields: Any) -> None:
        request = MESSAGE("SimpleRequest")(response_size=314159, payload=PAYLOAD(271828), **fields)
        response = await to.execute_unary(request=request, method=METHOD("UnaryCall"))
        check("payload", len(response.payload.body), 314159)

    def _bidi(self, name: str, requests: AsyncIterator[Any], **options: Any) -> Any:
        return self.plain.execute_bidi_stream(request=requests, method=METHOD(name), **options)

    async def _input(self, to: ConnectClient, *messages: tuple[int, bool]) -> Any:
        made = [
            MESSAGE("StreamingInputCallRequest")(
                payload=PAYLOAD(size), expect_compressed=MESSAGE("BoolValue")(value=packed)
            )
            for size, packed in messages
        ]
        return await to.execute_client_stream(
            request=each(made), method=METHOD("StreamingInputCall")
        )

    async def empty_unary(self) -> None:
        await self.plain.execute_unary(request=MESSAGE("Empty")(), method=METHOD("EmptyCall"))

    async def cacheable_unary(self) -> None:
        body = str(time.time_ns()).encode()
        request = MESSAGE("SimpleRequest")(payload=MESSAGE("Payload")(body=body))
        found = []
        for _ in range(2):
            response = await self.plain.execute_unary(
                request=request,
                method=METHOD("CacheableUnaryCall"),
                headers={"x-user-ip": "1.2.3.4"},
                use_get=GIVEN.protocol == "connect",
            )
            found.append(response.payload.body)
        check("second payload", found[1], found[0])

    async def large_unary(self) -> None:
        await self._large(self.plain)

    async def client_compressed_unary(self) -> None:
        yes, no = (MESSAGE("BoolValue")(value=value) for value in (True, False))
        await fails(self._large(self.plain, expect_compressed=yes), Code.INVALID_ARGUMENT)
        packing = client(self.http, send_compression=GzipCompression())
        await self._large(packing, expect_compressed=yes)
        await self._large(self.plain, expect_compressed=no)

    async def server_compressed_unary(self) -> None:
        for value in (True, False):
            counting = Counting()
            to = client(self.http, accept_compression=[counting])
            await self._large(to, response_compressed=MESSAGE("BoolValue")(value=value))
            # A body of Connect that is compressed as a whole is the transport's business, and unpacked unseen.
            if GIVEN.protocol != "connect":
                check("compressed", counting.unpacked, int(value))

    async def client_streaming(self) -> None:
        response = await self._input(self.plain, *((size, False) for size in REQUESTS))
        check("aggregated size", response.aggregated_payload_size, 74922)

    async def client_compressed_streaming(self) -> None:
        await fails(self._input(self.plain, (27182, True)), Code.INVALID_ARGUMENT)
        packing = client(self.http, send_compression=GzipCompression())
        response = await self._input(packing, (27182, True), (45904, True))
        check("aggregated size", response.aggregated_payload_size, 73086)

    async def server_streaming(self) -> None:
        parameters = [MESSAGE("ResponseParameters")(size=size) for size in RESPONSES]
        request = MESSAGE("StreamingOutputCallRequest")(response_parameters=parameters)
        stream = self.plain.execute_server_stream(
            request=request, method=METHOD("StreamingOutputCall")
        )
        check("sizes", await sizes(stream), list(RESPONSES))

    async def server_compressed_streaming(self) -> None:
        counting = Counting()
        parameters = [
            MESSAGE("ResponseParameters")(size=size, compressed=MESSAGE("BoolValue")(value=packed))
            for size, packed in ((31415, True), (92653, False))
        ]
        request = MESSAGE("StreamingOutputCallRequest")(response_parameters=parameters)
        to = client(self.http, accept_compression=[counting])
        stream = to.execute_server_stream(request=request, method=METHOD("StreamingOutputCall"))
        check("compressed", [counting.unpacked async for _ in stream], [1, 1])

    async def ping_pong(self) -> None:
        answered: asyncio.Queue[bool] = asyncio.Queue()

        async def requests() -> AsyncIterator[Any]:
            for size, answer in zip(REQUESTS, RESPONSES, strict=True):
                yield asked(size, answer)
                await answered.get()

        found = []
        async for response in self._bidi("FullDuplexCall", requests()):
            found.append(len(response.payload.body))
            answered.put_nowait(True)
        check("sizes", found, list(RESPONSES))

    async def half_duplex(self) -> None:
        requests = [asked(size, answer) for size, answer in zip(REQUESTS, RESPONSES, strict=True)]
        check("sizes", await sizes(self._bidi("HalfDuplexCall", each(requests))), list(RESPONSES))

    async def empty_stream(self) -> None:
        check("responses", await sizes(self._bidi("FullDuplexCall", each([]))), [])

    async def custom_metadata(self) -> None:
        headers = {INITIAL: "test_initial_metadata_value", TRAILING: "q6ur"}
        request = MESSAGE("SimpleRequest")(response_size=314159, payload=PAYLOAD(271828))
        with ResponseMetadata() as seen:
            await self.plain.execute_unary(
                request=request, method=METHOD("UnaryCall"), headers=headers
            )
        self._echoed(seen)
        with ResponseMetadata() as seen:
            stream = self._bidi("FullDuplexCall", each([asked(271828, 314159)]), headers=headers)
            check("sizes", await sizes(stream), [314159])
        self._echoed(seen)

    @staticmethod
    def _echoed(seen: ResponseMetadata) -> None:
        check("initial metadata", seen.headers.get(INITIAL), "test_initial_metadata_value")
        check("trailing metadata", (seen.trailers.get(TRAILING) or "").rstrip("="), "q6ur")

    async def status_code_and_message(self) -> None:
        status = MESSAGE("EchoStatus")(code=2, message=STATUS_TEXT)
        await self._status(STATUS_TEXT)
        request = MESSAGE("StreamingOutputCallRequest")(response_status=status)
        stream = self._bidi("FullDuplexCall", each([request]))
        await fails(sizes(stream), Code.UNKNOWN, STATUS_TEXT)

    async def _status(self, text: str) -> None:
        status = MESSAGE("EchoStatus")(code=2, message=text)
        request = MESSAGE("SimpleRequest")(response_status=status)
        call = self.plain.execute_unary(request=request, method=METHOD("UnaryCall"))
        await fails(call, Code.UNKNOWN, text)

    async def special_status_message(self) -> None:
        await self._status(SPECIAL)

    async def unimplemented_method(self, service: str = "TestService") -> None:
        method = METHOD("UnimplementedCall", service)
        call = self.plain.execute_unary(request=MESSAGE("Empty")(), method=method)
        await fails(call, Code.UNIMPLEMENTED)

    async def unimplemented_service(self) -> None:
        await self.unimplemented_method("UnimplementedService")

    async def timeout_on_sleeping_server(self) -> None:
        parameters = [MESSAGE("ResponseParameters")(size=1, interval_us=1_000_000)]
        stream = self.plain.execute_server_stream(
            request=MESSAGE("StreamingOutputCallRequest")(response_parameters=parameters),
            method=METHOD("StreamingOutputCall"),
            timeout_ms=10,
        )
        await fails(sizes(stream), Code.DEADLINE_EXCEEDED)


async def _run(name: str, cases: Cases) -> str:
    case: Callable[[], Awaitable[None]] | None = getattr(cases, name, None)
    try:
        if case is None:
            raise Unsupported("the program does not have this case")
        await asyncio.wait_for(case(), SECONDS)
    except Unsupported as error:
        return f"unsupported: {error}"
    except Exception as error:
        return f"failed: {type(error).__name__}: {error}".replace("\n", " ")
    return "passed"


async def main() -> int:
    failures = 0
    cases = Cases(Client(transport()))
    for name in GIVEN.test_case.split(","):
        word = await _run(name, cases)
        failures += word != "passed"
        print(f"{name}: {word}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
