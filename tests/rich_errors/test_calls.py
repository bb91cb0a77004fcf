"""Errors with details, from handlers of both front ends to callers of both."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import clarion.aio
from clarion import rich_errors
from clarion.protocol.metadata import encode_metadata, metadata_size
from clarion.rich_errors import (
    DETAILS_KEY,
    BadRequest,
    DebugInfo,
    ErrorInfo,
    FieldViolation,
    RetryInfo,
    StatusError,
    error_details,
    find_detail,
    make_status,
    to_status,
)
from clarion.status import StatusCode
from support.front_end import FrontEnd, Rig
from support.handlers import Handler, ServerCall
from support.libraries import PATTERNS

DETAILS = (
    BadRequest([FieldViolation("book.title", "is empty")]),
    ErrorInfo("BAD", "books.example.com", {"shelf": "3"}),
)


def error_of(rig: Rig, pattern: str = "unary_unary") -> Any:
    """What a call raises."""
    path = "/test.Service/" + pattern.title().replace("_", "")
    argument: Any = iter([b"x"]) if pattern.startswith("stream") else b"x"
    with clarion.insecure_channel(rig.server.target) as channel:
        call = getattr(channel, pattern)(path)(argument, timeout=60)
        list(call)
    raise AssertionError("the call did not fail")


def caught(rig: Rig, pattern: str = "unary_unary") -> clarion.RpcError:
    with pytest.raises(clarion.RpcError) as error:
        error_of(rig, pattern)
    return error.value


def aio_caught(rig: Rig) -> clarion.aio.AioRpcError:
    async def call() -> None:
        async with clarion.aio.insecure_channel(rig.server.target) as channel:
            await channel.unary_unary("/test.Service/UnaryUnary")(b"x", timeout=60)

    with pytest.raises(clarion.aio.AioRpcError) as error:
        asyncio.run(call())
    return error.value


def raising(error: Exception) -> Handler:
    async def handler(call: ServerCall) -> bytes:
        raise error

    return handler


@pytest.mark.parametrize("pattern", PATTERNS)
def test_details_from_handlers_of_each_pattern(
    front: FrontEnd, pattern: str, caplog: pytest.LogCaptureFixture
) -> None:
    raised = StatusError(StatusCode.INVALID_ARGUMENT, "größer", *DETAILS)
    error = caught(front.rig(**{pattern: raising(raised)}), pattern)
    assert (error.code(), error.details()) == (StatusCode.INVALID_ARGUMENT, "größer")
    assert error_details(error) == DETAILS
    assert find_detail(error, ErrorInfo) == DETAILS[1]
    assert find_detail(error, RetryInfo) is None
    assert rich_errors.from_call(error) == raised.status
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_an_asyncio_caller(front: FrontEnd) -> None:
    rig = front.rig(unary_unary=raising(StatusError(StatusCode.ABORTED, "no", *DETAILS)))
    assert error_details(aio_caught(rig)) == DETAILS

    async def from_call() -> Any:
        async with clarion.aio.insecure_channel(rig.server.target) as channel:
            call = channel.unary_unary("/test.Service/UnaryUnary")(b"x", timeout=60)
            return await rich_errors.from_aio_call(call)

    assert asyncio.run(from_call()) == make_status(StatusCode.ABORTED, "no", *DETAILS)


def test_other_trailing_metadata_is_kept(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        call.context.set_trailing_metadata((("key", "value"),))
        raise StatusError(StatusCode.ABORTED, "no", *DETAILS)

    outcome = front.rig(unary_unary=handler).call("unary_unary", [b""])
    assert ("key", "value") in outcome.trailing
    assert DETAILS_KEY in dict(outcome.trailing)


def test_an_error_without_details_sends_none(front: FrontEnd) -> None:
    rig = front.rig(unary_unary=raising(StatusError(StatusCode.ABORTED, "no")))
    outcome = rig.call("unary_unary", [b""])
    assert (outcome.code, outcome.details, outcome.trailing) == ("ABORTED", "no", [])


def test_abort_with_status(front: FrontEnd) -> None:
    status = to_status(make_status(StatusCode.ABORTED, "no", *DETAILS))

    async def handler(call: ServerCall) -> bytes:
        result = call.context.abort_with_status(status)
        await result
        return b""

    assert error_details(caught(front.rig(unary_unary=handler))) == DETAILS


def test_a_detail_of_a_programs_own_type_may_be_malformed(front: FrontEnd) -> None:
    from google.protobuf import any_pb2, wrappers_pb2

    url = "type.googleapis.com/google.protobuf.StringValue"
    broken = any_pb2.Any(type_url=url, value=b"\x0a\x7f")
    good = any_pb2.Any(type_url=url, value=b"\x0a\x01a")
    rig = front.rig(unary_unary=raising(StatusError(StatusCode.ABORTED, "no", broken, good)))
    error = caught(rig)
    assert find_detail(error, wrappers_pb2.StringValue) == wrappers_pb2.StringValue(value="a")


LARGE = DebugInfo(detail="x" * 2000)


def test_details_beyond_the_usual_size_are_left_out_from_the_end(front: FrontEnd) -> None:
    raised = StatusError(StatusCode.ABORTED, "no", DETAILS[0], LARGE, LARGE, LARGE, RetryInfo(1))
    error = caught(front.rig(unary_unary=raising(raised)))
    # 2,000 bytes are 2,700 in base64. What follows one that does not fit is left out, too.
    assert error_details(error) == (DETAILS[0], LARGE, LARGE)


def test_other_trailing_metadata_is_part_of_the_usual_size(front: FrontEnd) -> None:
    # grpcio's clients fail calls at random whose trailers are larger than 8 KiB.
    async def handler(call: ServerCall) -> bytes:
        call.context.set_trailing_metadata((("key", "x" * 2000),))
        raise StatusError(StatusCode.ABORTED, "no", LARGE, LARGE, LARGE)

    error = caught(front.rig(unary_unary=handler))
    assert error_details(error) == (LARGE,)


def test_more_is_sent_if_asked_for(front: FrontEnd) -> None:
    raised = StatusError(StatusCode.ABORTED, "no", *[LARGE] * 10, max_size=50_000)
    options = [("grpc.max_metadata_size", 100_000)]
    rig = front.rig(unary_unary=raising(raised), client_options=options)
    with (
        clarion.insecure_channel(rig.server.target, options=options) as channel,
        pytest.raises(clarion.RpcError) as error,
    ):
        channel.unary_unary("/test.Service/UnaryUnary")(b"x", timeout=60)
    assert len(error_details(error.value)) == 10


def test_what_the_client_says_is_a_limit(front: FrontEnd) -> None:
    raised = StatusError(StatusCode.ABORTED, "no", DETAILS[0], LARGE)
    rig = front.rig(
        unary_unary=raising(raised),
        client_options=[("grpc.absolute_max_metadata_size", 2000)],
    )
    outcome = rig.call("unary_unary", [b""])
    assert (outcome.code, outcome.details) == ("ABORTED", "no")
    assert metadata_size(encode_metadata(outcome.trailing)) < 2000
    status = make_status(StatusCode.ABORTED, "no", DETAILS[0])
    assert dict(outcome.trailing)[DETAILS_KEY] == status.SerializeToString()


def test_a_status_survives_where_its_metadata_is_too_large_for_the_client(front: FrontEnd) -> None:
    status = to_status(make_status(StatusCode.ABORTED, "no", LARGE))

    async def handler(call: ServerCall) -> bytes:
        await call.context.abort_with_status(status)
        return b""

    rig = front.rig(unary_unary=handler, client_options=[("grpc.absolute_max_metadata_size", 2000)])
    outcome = rig.call("unary_unary", [b""])
    assert (outcome.code, outcome.details, outcome.trailing) == ("ABORTED", "no", [])


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff",
        b"",
        make_status(StatusCode.NOT_FOUND, "no", *DETAILS).SerializeToString(),
        make_status(StatusCode.ABORTED, "no", *DETAILS).SerializeToString()[:-3],
        b"\x08\x0a\x1a\x40\x0a\x28type.googleapis.com/google.rpc.BadRequest\xff\xff",
    ],
    ids=["garbage", "empty", "another code", "cut off", "cut off within"],
)
def test_malformed_details_are_none(front: FrontEnd, data: bytes) -> None:
    async def handler(call: ServerCall) -> bytes:
        call.context.set_trailing_metadata(((DETAILS_KEY, data),))
        call.fail("ABORTED", "no")
        return b""

    error = caught(front.rig(unary_unary=handler))
    assert error.code() is StatusCode.ABORTED
    assert error_details(error) == ()
    assert find_detail(error, BadRequest) is None
    assert error_details(aio_caught(front.rig(unary_unary=handler))) == ()
    with pytest.raises(ValueError):
        rich_errors.from_call(error)


def test_what_is_no_base64_is_no_traceback(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        await call.abort("ABORTED", "no")
        return b""

    error = caught(front.rig(unary_unary=handler))
    assert error_details(error) == ()
    assert rich_errors.status_of(error) is None
    assert rich_errors.from_call(error) is None


class Odd(Exception, clarion.Status):
    """An exception that is a status, but none that can be sent."""

    code = StatusCode.ABORTED
    details = "no"
    trailing_metadata = (("Bad Key", 5),)


def test_an_exception_with_a_status_that_cannot_be_sent(
    front: FrontEnd, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = front.rig(unary_unary=raising(Odd())).call("unary_unary", [b""])
    assert (outcome.code, outcome.details) == ("UNKNOWN", "Exception calling application")
    assert "Odd" in caplog.text
