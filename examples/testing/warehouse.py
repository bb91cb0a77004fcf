"""A service and a client of it, to be tested: see test_warehouse.py.

Its messages are protobuf's well-known ones, so there is nothing to generate.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.wrappers_pb2 import Int64Value, StringValue

import clarion

STOCK = "/warehouse.Stock/Count"


class Stock:
    """The service: how many there are of a thing."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts

    def count(self, request: StringValue, context: clarion.ServicerContext) -> Int64Value:
        if request.value not in self.counts:
            context.abort(clarion.StatusCode.NOT_FOUND, f"there is no {request.value}")
        return Int64Value(value=self.counts[request.value])

    def handler(self) -> clarion.GenericRpcHandler:
        """What a server takes."""
        count = clarion.unary_unary_rpc_method_handler(
            self.count, StringValue.FromString, Int64Value.SerializeToString
        )
        return clarion.method_handlers_generic_handler("warehouse.Stock", {"Count": count})


class Shop:
    """The client: what a shop tells its customers."""

    def __init__(self, channel: Any) -> None:
        self._count = channel.unary_unary(
            STOCK, StringValue.SerializeToString, Int64Value.FromString
        )

    def availability(self, thing: str) -> str:
        """In words; never an error, and never later than after 5 seconds."""
        try:
            count: int = self._count(StringValue(value=thing), timeout=5).value
        except clarion.RpcError as error:
            return "unknown thing" if error.code() is clarion.StatusCode.NOT_FOUND else "ask again"
        return "in stock" if count else "sold out"
