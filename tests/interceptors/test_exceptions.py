"""What clients are told of exceptions on the server."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from support.front_end import FrontEnd
from support.handlers import ServerCall
from support.processes import python_environment
from support.simple import echo, echo_thrice

SECRET = "the password is 123"


async def fail(call: ServerCall) -> Any:
    raise ValueError(SECRET)


def unserializable(message: Any) -> bytes:
    raise ValueError(SECRET)


def interceptor_of(front: FrontEnd, act: Any) -> Any:
    """An interceptor of grpcio's kind that does something to handlers."""

    class Sync(front.library.root.ServerInterceptor):  # type: ignore[misc,name-defined]
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            return act(continuation(details))

    class Aio(front.library.aio.ServerInterceptor):  # type: ignore[misc,name-defined]
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            return act(await continuation(details))

    return Sync() if front.name == "sync" else Aio()


def no_serializer(handler: Any) -> Any:
    return handler._replace(response_serializer=unserializable)


def no_handler(handler: Any) -> Any:
    raise ValueError(SECRET)


def same(handler: Any) -> Any:
    return handler


@pytest.mark.parametrize(
    ("handler", "act", "code"),
    [
        (fail, same, "UNKNOWN"),
        (echo, no_serializer, "INTERNAL"),
        (echo, no_handler, "UNKNOWN"),
    ],
    ids=["handler", "serializer", "interceptor"],
)
@pytest.mark.parametrize("pattern", ["unary_unary", "unary_stream"])
def test_the_text_goes_to_the_log_and_to_clients_if_asked(
    front: FrontEnd,
    pattern: str,
    handler: Any,
    act: Any,
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if handler is echo and pattern == "unary_stream":
        handler = echo_thrice
    interceptors = [interceptor_of(front, act)]
    rig = front.rig(**{pattern: handler}, interceptors=interceptors)
    outcome = rig.call(pattern, [b""])
    assert outcome.code == code
    assert outcome.details
    assert SECRET not in outcome.details
    (record,) = [each for each in caplog.records if each.exc_info]
    assert "/test.Service/Unary" in record.getMessage()
    assert "ipv4:127.0.0.1:" in record.getMessage()
    assert SECRET in caplog.text
    options = [("clarion.expose_exceptions", 1)]
    rig = front.rig(**{pattern: handler}, interceptors=interceptors, options=options)
    outcome = rig.call(pattern, [b""])
    assert outcome.code == code
    assert SECRET in outcome.details


AS_GRPC = """
import sys, clarion
from concurrent.futures import ThreadPoolExecutor
clarion.install_as_grpc()
import grpc
def fail(request, context):
    raise ValueError("the text")
def told(*options):
    server = grpc.server(ThreadPoolExecutor(1), options=options)
    handler = grpc.unary_unary_rpc_method_handler(fail)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", {"C": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            channel.unary_unary("/a.B/C")(b"", timeout=60)
        except grpc.RpcError as error:
            assert server.stop(None).wait(60)
            return error.details()
assert told() == "Exception calling application: the text"
assert told(("clarion.expose_exceptions", 0)) == "Exception calling application"

import grpc_status, grpc_status.rpc_status
from grpc_status import rpc_status
from grpc_status.rpc_status import aio
from grpc_status._common import code_to_grpc_status_code
assert "clarion" in grpc_status.__file__ and aio.from_call
assert code_to_grpc_status_code(5) is grpc.StatusCode.NOT_FOUND
"""


def test_programs_for_grpcio_are_told_what_it_tells() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AS_GRPC],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=python_environment(),
    )
    assert done.returncode == 0, done.stderr
