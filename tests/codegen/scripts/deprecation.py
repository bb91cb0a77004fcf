"""Warnings of what options.proto and bygone.proto say is deprecated, and of nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import warnings
from unittest import mock

import clarion
import clarion.aio

messages = importlib.import_module(f"{PACKAGE}options_pb2")  # noqa: F821
services = importlib.import_module(f"{PACKAGE}options_pb2_grpc")  # noqa: F821
bygone = importlib.import_module(f"{PACKAGE}bygone_pb2_grpc")  # noqa: F821
Rule = messages.Rule


@contextlib.contextmanager
def warned(*expected):
    """What is done inside warns, with these texts, of the first line inside."""
    line = inspect.currentframe().f_back.f_back.f_lineno
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    caught = [each for each in caught if each.category is DeprecationWarning]
    assert [str(each.message) for each in caught] == list(expected), caught
    assert {each.filename for each in caught} <= {__file__}, caught
    assert {each.lineno for each in caught} <= {line + 1}, (caught, line)


def method(name):
    return f"the method /codegen.options.Optional/{name} is deprecated"


def in_sync_program():
    channel = clarion.insecure_channel("127.0.0.1:1")
    with warned():
        stub = services.OptionalStub(channel)
    with warned(), contextlib.suppress(clarion.RpcError):
        stub.Read(Rule(), timeout=5)
    with warned(method("Old")), contextlib.suppress(clarion.RpcError):
        stub.Old(Rule(), timeout=5)
    with warned(method("Old")), contextlib.suppress(clarion.RpcError):
        stub.Old.with_call(Rule(), timeout=5)
    with warned(method("Old")):
        future = stub.Old.future(Rule(), timeout=5)
    assert isinstance(future, clarion.Future)
    with warned(method("OldList")):
        call = stub.OldList(Rule(), timeout=5)
    call.cancel()
    with warned(method("OldSum")):
        future = stub.OldSum.future(iter(()), timeout=5)
    future.cancel()
    with warned(method("OldChat")):
        call = stub.OldChat(iter(()), timeout=5)
    call.cancel()
    # The callable passes for what it is.
    assert isinstance(stub.Old, clarion.UnaryUnaryMultiCallable)
    assert isinstance(stub.OldChat, clarion.StreamStreamMultiCallable)
    assert not hasattr(stub.OldList, "with_call")
    assert "/codegen.options.Optional/Old" in repr(stub.Old)
    with warned("the service codegen.options.Bygone is deprecated"):
        services.BygoneStub(channel)
    with warned("the service codegen.bygone.Old is deprecated, as all of bygone.proto is"):
        bygone.OldStub(channel)
    # To serve it is no mistake.
    with warned():
        services.OptionalServicer(), services.BygoneSyncServicer(), bygone.OldAsyncServicer()
    channel.close()


def in_experiments():
    with warned():
        assert "Read" in vars(services.Bygone)
    with warned(method("Old")), contextlib.suppress(clarion.RpcError):
        services.Optional.Old(Rule(), "127.0.0.1:1", insecure=True, wait_for_ready=False, timeout=5)


async def in_async_program():
    async with clarion.aio.insecure_channel("127.0.0.1:1") as channel:
        with warned():
            stub = services.OptionalStub(channel)
        with warned(method("Old")):
            call = stub.Old(Rule(), timeout=5)
        assert isinstance(call, clarion.aio.UnaryUnaryCall)
        assert isinstance(stub.Old, clarion.aio.UnaryUnaryMultiCallable)
        with contextlib.suppress(clarion.RpcError):
            await call
        with warned(method("OldChat")):
            call = stub.OldChat(timeout=5)
        call.cancel()
        with warned("the service codegen.options.Bygone is deprecated"):
            stub = services.BygoneStub(channel)
        assert type(stub) is services.BygoneAsyncStub


def with_a_channel_of_ones_own():
    channel = mock.Mock(spec=clarion.aio.Channel)
    stub = services.OptionalStub(channel)
    assert type(stub) is services.OptionalAsyncStub
    with warned(method("Old")):
        stub.Old(1, timeout=2)
    channel.unary_unary.return_value.assert_called_once_with(1, timeout=2)


in_sync_program()
in_experiments()
asyncio.run(in_async_program())
with_a_channel_of_ones_own()
