"""Messages and services of .proto files that are imported without generated code."""

from __future__ import annotations

from typing import assert_type

from hooked import hello_proto
from hooked.common_proto import LOUD, Tone
from hooked.hello_proto import GreeterStub, Hello

import clarion


class Greeter(hello_proto.GreeterSyncServicer):
    def Say(self, request: Hello, context: clarion.ServicerContext, /) -> Hello:
        return Hello(name=request.name, tone=LOUD)


def say(channel: clarion.Channel) -> None:
    stub = GreeterStub(channel)
    answer = stub.Say(Hello(name="x"), timeout=5)
    assert_type(answer, Hello)
    assert_type(answer.name, str)
    print(Tone.Name(answer.tone))
    for each in stub.Repeat(answer):
        assert_type(each, Hello)


async def say_async(channel: clarion.aio.Channel) -> None:
    stub = GreeterStub(channel)
    assert_type(await stub.Say(Hello(name="x")), Hello)


def serve(server: clarion.Server) -> None:
    hello_proto.add_GreeterServicer_to_server(Greeter(), server)
