"""Public classes take types in brackets, and stay as easy to derive from as grpcio's."""

from __future__ import annotations

import subprocess
import sys
import typing
from typing import TypeVar

import pytest

import clarion
from clarion import aio

T = TypeVar("T")

CLASSES = [
    clarion.Future,
    clarion.CallFuture,
    clarion.CallIterator,
    clarion.RpcMethodHandler,
    clarion.UnaryUnaryMultiCallable,
    clarion.UnaryUnaryClientInterceptor,
    clarion.StreamStreamClientInterceptor,
    aio.UnaryUnaryCall,
    aio.StreamStreamMultiCallable,
    aio.ServicerContext,
    aio.UnaryUnaryClientInterceptor,
]


@pytest.mark.parametrize("cls", CLASSES)
def test_a_class_takes_types(cls: typing.Any) -> None:
    assert typing.get_origin(cls[int, str]) is cls
    assert typing.get_args(cls[int, str]) == (int, str)
    derived = type("Derived", (cls,), {})
    assert issubclass(derived, cls)
    assert typing.get_origin(derived[int, str]) is derived


@pytest.mark.parametrize("cls", CLASSES)
def test_a_derived_class_may_be_generic_in_its_own_way(cls: typing.Any) -> None:
    class First(typing.Generic[T], cls): ...

    class Last(cls, typing.Generic[T]): ...

    class Passed(cls[T, T]): ...

    for each in (First, Last, Passed):
        assert issubclass(each, cls)
        assert typing.get_args(each[int])[0] is int


def test_the_package_has_its_other_modules_without_importing_them() -> None:
    program = (
        "import sys, clarion; assert 'asyncio' not in sys.modules;"
        "print(clarion.aio.__name__, clarion.experimental.__name__, hasattr(clarion, 'aoi'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "clarion.aio clarion.experimental False\n"


def test_the_end_of_a_stream_is_false_and_one_of_its_kind() -> None:
    assert not aio.EOF
    assert len(aio.EOF) == 0
    assert list(aio.EOFType) == [aio.EOF]
    assert f"{aio.EOF} {aio.EOF!r}" == "<clarion.aio.EOF> <clarion.aio.EOF>"
