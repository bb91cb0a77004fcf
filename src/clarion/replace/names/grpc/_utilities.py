"""Leftovers of generated code, and two classes that libraries build method handlers with."""

from __future__ import annotations

from clarion import ServiceRpcHandler, channel_ready_future
from clarion.method import MethodsHandler as DictionaryGenericHandler
from clarion.method import _MethodHandler as RpcMethodHandler
from clarion.replace import GRPC_VERSION
from clarion.sync.ready_future import ReadyFuture as _ChannelReadyFuture

__all__ = [
    "DictionaryGenericHandler",
    "RpcMethodHandler",
    "ServiceRpcHandler",
    "_ChannelReadyFuture",
    "channel_ready_future",
    "first_version_is_lower",
]


def first_version_is_lower(version1: str, version2: str) -> bool:
    """Whether `version1`, such as "1.60.1", is older than `version2`.

    Generated code asks this of `grpc.__version__` and its generator's version. The answer to that is always
    False: what generated code needs is an API that has not changed in years, and Clarion has it.

    Args:
        version1, version2: versions such as "1.60.1" or "1.60.1.dev0".

    Returns:
        The comparison of the first three numbers. If they are equal, a version without a suffix is
        the lower one, as grpcio has it. False for what are no numbers.
    """
    if version1 == GRPC_VERSION:
        return False
    first, second = version1.split("."), version2.split(".")
    try:
        one, two = [int(part) for part in first[:3]], [int(part) for part in second[:3]]
    except ValueError:
        return False
    return one < two if one != two else len(first) < len(second)
