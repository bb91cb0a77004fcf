"""Asks for books, and says why there are none: `python client.py PORT`."""

from __future__ import annotations

import asyncio
import sys

import clarion
import clarion.aio
from clarion.rich_errors import BadRequest, ResourceInfo, RetryInfo, error_details

NAMES = ("isbn/1", "shelf/x", "isbn/2", "isbn/0")


def explain(error: clarion.RpcError) -> None:
    print(f"{error.code().name}: {error.details()}")
    for detail in error_details(error):
        match detail:
            case BadRequest(violations):
                for violation in violations:
                    print(f"  {violation.field} {violation.description}")
            case ResourceInfo(kind, name):
                print(f"  a {kind}: {name}")
            case RetryInfo(delay):
                print(f"  try again in {delay} seconds")


async def ask(port: str) -> None:
    async with clarion.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        get_book = channel.unary_unary("/example.Library/GetBook")
        for name in NAMES:
            try:
                print((await get_book(name.encode(), timeout=10)).decode())
            except clarion.RpcError as error:
                explain(error)


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1]))
