"""Metadata, statuses, cancellation and deadlines."""

from __future__ import annotations

import argparse

from interop.cases.registry import LARGE_RESPONSE, TEST, case, check, ended
from interop.cases.streams import duplex_request, receive_size
from interop.cases.unary import large_request
from interop.program.messages import methods, payload, testing
from interop.program.session import Outcome, Session

_INITIAL = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
_TRAILING = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")
_SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"


def _check_metadata(outcome: Outcome) -> None:
    for name, found, (key, value) in (
        ("initial metadata", outcome.initial, _INITIAL),
        ("trailing metadata", outcome.trailing, _TRAILING),
    ):
        check(name, [each for other, each in found if other == key], [value])


def _unary_alone(flags: argparse.Namespace) -> bool:
    """Whether the server has no streams both ways; gRPC-Web's descriptions ask for the unary half alone."""
    return flags.http_version == "1.1" and not flags.half_duplex


@case()
async def custom_metadata(session: Session, flags: argparse.Namespace) -> None:
    metadata = [_INITIAL, _TRAILING]
    response, outcome = await session.ok(TEST["UnaryCall"], large_request(), metadata=metadata)
    check("response payload", response.message.payload.body, bytes(LARGE_RESPONSE))
    _check_metadata(outcome)
    if _unary_alone(flags):
        return
    call = await session.open(TEST["FullDuplexCall"], metadata=metadata)
    await call.send(duplex_request(271828, LARGE_RESPONSE))
    await call.done_sending()
    await receive_size(call, LARGE_RESPONSE)
    check("response after the last", await call.receive(), None)
    outcome = await call.finish()
    ended(outcome)
    _check_metadata(outcome)


@case()
async def status_code_and_message(session: Session, flags: argparse.Namespace) -> None:
    text = "test status message"
    status = testing.EchoStatus(code=2, message=text)
    request = testing.SimpleRequest(response_status=status)
    _, outcome = await session.unary(TEST["UnaryCall"], request)
    check("unary status", (outcome.code, outcome.details), ("UNKNOWN", text))
    if _unary_alone(flags):
        return
    call = await session.open(TEST["FullDuplexCall"])
    await call.send(testing.StreamingOutputCallRequest(response_status=status))
    await call.done_sending()
    check("response", await call.receive(), None)
    outcome = await call.finish()
    check("streaming status", (outcome.code, outcome.details), ("UNKNOWN", text))


@case()
async def special_status_message(session: Session, flags: argparse.Namespace) -> None:
    status = testing.EchoStatus(code=2, message=_SPECIAL)
    request = testing.SimpleRequest(response_status=status)
    _, outcome = await session.unary(TEST["UnaryCall"], request)
    check("status", (outcome.code, outcome.details), ("UNKNOWN", _SPECIAL))


@case()
async def unimplemented_method(session: Session, flags: argparse.Namespace) -> None:
    _, outcome = await session.unary(TEST["UnimplementedCall"], testing.Empty())
    ended(outcome, "UNIMPLEMENTED")


@case()
async def unimplemented_service(session: Session, flags: argparse.Namespace) -> None:
    method = methods["grpc.testing.UnimplementedService"]["UnimplementedCall"]
    _, outcome = await session.unary(method, testing.Empty())
    ended(outcome, "UNIMPLEMENTED")


@case()
async def cancel_after_begin(session: Session, flags: argparse.Namespace) -> None:
    call = await session.open(TEST["StreamingInputCall"])
    await call.cancel()
    check("response", await call.receive(), None)
    ended(await call.finish(), "CANCELLED")


@case()
async def cancel_after_first_response(session: Session, flags: argparse.Namespace) -> None:
    call = await session.open(TEST["FullDuplexCall"])
    await call.send(duplex_request(27182, 31415))
    await receive_size(call, 31415)
    await call.cancel()
    check("response after the cancellation", await call.receive(), None)
    ended(await call.finish(), "CANCELLED")


@case()
async def timeout_on_sleeping_server(session: Session, flags: argparse.Namespace) -> None:
    call = await session.open(TEST["FullDuplexCall"], timeout=0.001)
    await call.send(testing.StreamingOutputCallRequest(payload=payload(27182)))
    check("response", await call.receive(), None)
    ended(await call.finish(), "DEADLINE_EXCEEDED")
