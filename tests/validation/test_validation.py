"""Requests are checked against the rules of their fields."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import clarion
from clarion import validation
from clarion.rich_errors import BadRequest, FieldViolation, error_details, find_detail
from clarion.status import StatusCode
from support.echo import camel
from support.front_end import FrontEnd
from support.handlers import Method, ServerCall
from support.libraries import PATTERNS
from support.servers import AioServer, SyncServer

pytest.importorskip("protovalidate", reason="no protovalidate")

# The extension of field options (buf/validate/validate.proto) that has a field's rules, and rules in it.
_FIELD = 1159
_STRING, _INT32, _MAP = 14, 3, 19
_MIN_LEN, _GT, _VALUES = 2, 4, 5


def _within(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    tag = number << 3 | 2
    head = bytes([tag]) if tag < 0x80 else bytes([tag & 0x7F | 0x80, tag >> 7])
    return head + bytes([len(data)]) + data


def _book() -> Any:
    file: Any = descriptor_pb2.FileDescriptorProto(
        name="clarion_test/book.proto", package="clarion_test.validation", syntax="proto3"
    )
    book = file.message_type.add(name="Book")
    entry = book.nested_type.add(name="PricesEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=9, label=1)
    entry.field.add(name="value", number=2, type=5, label=1)
    title = book.field.add(name="title", number=1, type=9, label=1)
    title.options.MergeFromString(_within(_FIELD, _within(_STRING, bytes([_MIN_LEN << 3, 3]))))
    name = ".clarion_test.validation.Book"
    book.field.add(name="parts", number=2, type=11, label=3, type_name=name)
    prices = book.field.add(
        name="prices", number=3, type=11, label=3, type_name=f"{name}.PricesEntry"
    )
    positive = _within(_INT32, bytes([_GT << 3, 0]))
    prices.options.MergeFromString(_within(_FIELD, _within(_MAP, _within(_VALUES, positive))))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name[1:]))


Book = _book()
GOOD = Book(title="good", prices={"a": 1})
BAD = Book(title="x")


def title_of(book: Any) -> bytes:
    title: str = book.title
    return title.encode()


async def titles(call: ServerCall) -> Any:
    """The titles of all books that come, in one response."""
    if isinstance(call.request, Book):
        return title_of(call.request)
    found = []
    while (book := await call.read()) is not None:
        found.append(title_of(book))
    return b",".join(found)


async def each_title(call: ServerCall) -> None:
    """The same in a response for each."""
    if isinstance(call.request, Book):
        await call.write(title_of(call.request))
        return
    while (book := await call.read()) is not None:
        await call.write(title_of(book))


def serve(front: FrontEnd) -> str:
    """A server that checks; its target."""
    methods = {
        f"/test.Service/{camel(pattern)}": Method(
            pattern, each_title if pattern.endswith("stream") else titles, Book.FromString
        )
        for pattern in PATTERNS
    }
    server: Any
    if front.name == "sync":
        server = SyncServer(front.library, methods, interceptors=[validation.interceptor()])
    else:
        server = AioServer(
            front.library, methods, front.loop, interceptors=[validation.aio_interceptor()]
        )
    front._opened.append(server)
    target: str = server.target
    return target


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_invalid_request_ends_the_call(front: FrontEnd, pattern: str) -> None:
    client = front.connect(serve(front))
    path = f"/test.Service/{camel(pattern)}"
    options: Any = {"serializer": Book.SerializeToString}
    good = client.call(path, pattern, [GOOD], **options)
    assert (good.code, good.responses) == ("OK", [b"good"])
    requests = [GOOD, BAD] if pattern.startswith("stream") else [BAD]
    bad = client.call(path, pattern, requests, **options)
    assert bad.code == "INVALID_ARGUMENT"
    assert bad.details.startswith("title: ")
    (violation,) = find_detail(failed(bad), BadRequest).field_violations  # type: ignore[union-attr]
    assert (violation.field, violation.reason) == ("title", "string.min_len")


def failed(outcome: Any) -> Any:
    """An outcome as an error."""

    class Failed:
        def code(self) -> StatusCode:
            return StatusCode[outcome.code]

        def trailing_metadata(self) -> Any:
            return outcome.trailing

    return Failed()


def test_paths_of_fields() -> None:
    book = Book(title="long", parts=[GOOD, Book(title="y")], prices={'a"b': -1})
    found = validation.violations(book)
    assert {each.field for each in found} == {"parts[1].title", 'prices["a\\"b"]'}
    assert all(each.description and each.reason for each in found)
    assert validation.violations(GOOD) == []
    assert validation.violations(b"bytes") == []


def test_a_message_says_only_the_first_few() -> None:
    with pytest.raises(clarion.rich_errors.StatusError) as error:
        validation._check(validation._collector(), Book(title="long", parts=[BAD] * 5))
    assert error.value.details.count("title") == 3
    assert error.value.details.endswith("; and 2 more")
    (detail,) = error.value.error_details
    assert len(detail.field_violations) == 5
    assert isinstance(detail.field_violations[0], FieldViolation)


def test_a_sync_client_that_checks(front: FrontEnd) -> None:
    with clarion.insecure_channel(serve(front)) as plain:
        channel = clarion.intercept_channel(plain, validation.client_interceptor())
        one = channel.unary_unary("/test.Service/UnaryUnary", Book.SerializeToString)
        assert one(GOOD, timeout=60) == b"good"
        with pytest.raises(validation.InvalidRequest) as error:
            one(BAD, timeout=60)
        assert error.value.code() is StatusCode.INVALID_ARGUMENT
        assert error.value.details() in error.value.debug_error_string()
        assert not error.value.initial_metadata()
        (detail,) = error_details(error.value)
        assert detail.field_violations[0].field == "title"
        several = channel.stream_unary("/test.Service/StreamUnary", Book.SerializeToString)
        assert several(iter([GOOD, GOOD]), timeout=60) == b"good,good"
        with pytest.raises(clarion.RpcError):
            several(iter([GOOD, BAD]), timeout=60)


def test_an_asyncio_client_that_checks(front: FrontEnd) -> None:
    target = serve(front)

    async def calls() -> None:
        interceptors = validation.aio_client_interceptors()
        async with clarion.aio.insecure_channel(target, interceptors=interceptors) as channel:
            one = channel.unary_unary("/test.Service/UnaryUnary", Book.SerializeToString)
            assert await one(GOOD, timeout=60) == b"good"
            with pytest.raises(validation.InvalidRequest):
                await one(BAD, timeout=60)
            several = channel.stream_unary("/test.Service/StreamUnary", Book.SerializeToString)
            assert await several(iter([GOOD, GOOD]), timeout=60) == b"good,good"

    front.loop.run(calls)


def test_of_many_violations_as_many_are_told_as_fit() -> None:
    # The keys are the client's.
    bad = Book(title="good", prices={f"{number:05}{'k' * 150}": -1 for number in range(300)})
    with pytest.raises(clarion.rich_errors.StatusError) as error:
        validation._check(validation._collector(), bad)
    assert len(error.value.details) < 310
    (detail,) = error.value.error_details
    assert 10 < len(detail.field_violations) < 30
    [(_, carried)] = error.value.trailing_metadata
    assert len(carried) < 5000
