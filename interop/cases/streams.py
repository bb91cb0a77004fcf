"""Streams of requests, of responses, and of both."""

from __future__ import annotations

import argparse
from typing import Any

from interop.cases.registry import TEST, case, check, ended
from interop.program.messages import payload, testing
from interop.program.session import Call, Session

__all__ = ["REQUESTS", "RESPONSES", "duplex_request", "receive_size"]

REQUESTS = (27182, 8, 1828, 45904)
RESPONSES = (31415, 9, 2653, 58979)


def duplex_request(size: int, answer: int, **fields: Any) -> Any:
    """A request of `size` octets that is answered by one response of `answer` octets."""
    return testing.StreamingOutputCallRequest(
        response_parameters=[testing.ResponseParameters(size=answer)],
        payload=payload(size),
        **fields,
    )


async def receive_size(call: Call, size: int) -> None:
    """Receive a response that has to have this size."""
    response = await call.receive()
    if response is None:
        ended(await call.finish(), "OK, after another response")
    else:
        check("response payload", response.message.payload.body, bytes(size))


@case()
async def client_streaming(session: Session, flags: argparse.Namespace) -> None:
    call = await session.open(TEST["StreamingInputCall"])
    for size in REQUESTS:
        await call.send(testing.StreamingInputCallRequest(payload=payload(size)))
    await call.done_sending()
    response = await call.receive()
    ended(await call.finish())
    check("aggregated size", response and response.message.aggregated_payload_size, 74922)


@case()
async def server_streaming(session: Session, flags: argparse.Namespace) -> None:
    parameters = [testing.ResponseParameters(size=size) for size in RESPONSES]
    request = testing.StreamingOutputCallRequest(response_parameters=parameters)
    call = await session.open(TEST["StreamingOutputCall"], request)
    for size in RESPONSES:
        await receive_size(call, size)
    check("response after the last", await call.receive(), None)
    ended(await call.finish())


@case()
async def ping_pong(session: Session, flags: argparse.Namespace) -> None:
    call = await session.open(TEST["FullDuplexCall"])
    for size, answer in zip(REQUESTS, RESPONSES, strict=True):
        await call.send(duplex_request(size, answer))
        await receive_size(call, answer)
    await call.done_sending()
    check("response after the last", await call.receive(), None)
    ended(await call.finish())


@case(web=True)
async def half_duplex(session: Session, flags: argparse.Namespace) -> None:
    call = await session.open(TEST["HalfDuplexCall"])
    for size, answer in zip(REQUESTS, RESPONSES, strict=True):
        await call.send(duplex_request(size, answer))
    await call.done_sending()
    for answer in RESPONSES:
        await receive_size(call, answer)
    check("response after the last", await call.receive(), None)
    ended(await call.finish())


@case()
async def empty_stream(session: Session, flags: argparse.Namespace) -> None:
    call = await session.open(TEST["FullDuplexCall"])
    await call.done_sending()
    check("response", await call.receive(), None)
    ended(await call.finish())
