"""Unary calls."""

from __future__ import annotations

import argparse
import time
from typing import Any

from interop.cases.registry import LARGE_REQUEST, LARGE_RESPONSE, TEST, case, check
from interop.program.messages import payload, testing
from interop.program.session import Session

__all__ = ["call_large", "large_request"]


def large_request(**fields: Any) -> Any:
    """The request that most cases use."""
    return testing.SimpleRequest(
        response_size=LARGE_RESPONSE, payload=payload(LARGE_REQUEST), **fields
    )


async def call_large(session: Session, **options: Any) -> None:
    """Make a large unary call and look at its response."""
    response, _ = await session.ok(TEST["UnaryCall"], large_request(), **options)
    check("response payload", response.message.payload.body, bytes(LARGE_RESPONSE))


@case()
async def empty_unary(session: Session, flags: argparse.Namespace) -> None:
    response, _ = await session.ok(TEST["EmptyCall"], testing.Empty())
    check("response", response.message, testing.Empty())


@case()
async def cacheable_unary(session: Session, flags: argparse.Namespace) -> None:
    # HTTP's GET for cacheable calls was withdrawn from gRPC; what remains is that a cache between, or in
    # the server, may answer the second of two equal requests.
    body = str(time.time_ns()).encode()
    request = testing.SimpleRequest(payload=testing.Payload(body=body))
    user = [("x-user-ip", "1.2.3.4")]
    first, _ = await session.ok(TEST["CacheableUnaryCall"], request, metadata=user)
    second, _ = await session.ok(TEST["CacheableUnaryCall"], request, metadata=user)
    check("second payload", second.message.payload.body, first.message.payload.body)


@case()
async def large_unary(session: Session, flags: argparse.Namespace) -> None:
    await call_large(session)
