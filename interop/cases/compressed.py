"""Compression, message by message, in both directions."""

from __future__ import annotations

import argparse
from typing import Any

from interop.cases.registry import LARGE_RESPONSE, TEST, case, check, ended
from interop.cases.unary import large_request
from interop.program.library import Plain, Received
from interop.program.messages import payload, testing
from interop.program.session import Session

__all__ = ["compressed"]


def compressed(wanted: bool) -> Any:
    return testing.BoolValue(value=wanted)


def _check_flag(received: Received, wanted: bool) -> None:
    if received.compressed is None:
        print("not checked: this library does not tell whether a message was compressed")
    else:
        check("compressed flag", received.compressed, wanted)


@case()
async def client_compressed_unary(session: Session, flags: argparse.Namespace) -> None:
    expecting = large_request(expect_compressed=compressed(True))
    _, outcome = await session.unary(TEST["UnaryCall"], expecting, compression="NoCompression")
    ended(outcome, "INVALID_ARGUMENT")
    response, _ = await session.ok(TEST["UnaryCall"], expecting, compression="Gzip")
    check("response payload", response.message.payload.body, bytes(LARGE_RESPONSE))
    plain = large_request(expect_compressed=compressed(False))
    response, _ = await session.ok(TEST["UnaryCall"], plain, compression="NoCompression")
    check("response payload", response.message.payload.body, bytes(LARGE_RESPONSE))


@case()
async def server_compressed_unary(session: Session, flags: argparse.Namespace) -> None:
    for wanted in (True, False):
        request = large_request(response_compressed=compressed(wanted))
        response, _ = await session.ok(TEST["UnaryCall"], request)
        _check_flag(response, wanted)
        check("response payload", response.message.payload.body, bytes(LARGE_RESPONSE))


def _input(size: int, wanted: bool) -> Any:
    return testing.StreamingInputCallRequest(
        payload=payload(size), expect_compressed=compressed(wanted)
    )


@case()
async def client_compressed_streaming(session: Session, flags: argparse.Namespace) -> None:
    probe = await session.open(TEST["StreamingInputCall"], compression="NoCompression")
    await probe.send(_input(27182, True))
    await probe.done_sending()
    await probe.receive()
    ended(await probe.finish(), "INVALID_ARGUMENT")
    call = await session.open(TEST["StreamingInputCall"], compression="Gzip")
    await call.send(_input(27182, True))
    await call.send(Plain(_input(45904, False)))
    await call.done_sending()
    response = await call.receive()
    ended(await call.finish())
    check("aggregated size", response and response.message.aggregated_payload_size, 73086)


@case()
async def server_compressed_streaming(session: Session, flags: argparse.Namespace) -> None:
    wanted = ((31415, True), (92653, False))
    request = testing.StreamingOutputCallRequest(
        response_parameters=[
            testing.ResponseParameters(size=size, compressed=compressed(flag))
            for size, flag in wanted
        ]
    )
    call = await session.open(TEST["StreamingOutputCall"], request)
    for size, flag in wanted:
        response = await call.receive()
        if response is None:
            break
        check("size", len(response.message.payload.body), size)
        _check_flag(response, flag)
    check("response after the last", await call.receive(), None)
    ended(await call.finish())
