"""The root of what a call raises."""

from __future__ import annotations

import clarion
from clarion.rpc_error import RpcError


def test_it_is_the_public_one() -> None:
    assert clarion.RpcError is RpcError
    assert issubclass(RpcError, Exception)
