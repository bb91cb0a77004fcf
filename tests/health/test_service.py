"""The health service on servers of both front ends."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

import clarion
import clarion.aio
from clarion import health
from clarion.health import Health, ServingStatus
from support.libraries import LIMIT
from support.loops import LoopThread

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3


def settles(condition: Any) -> bool:
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def code_of(call: Any, *arguments: Any, **options: Any) -> tuple[str, str]:
    with pytest.raises(clarion.RpcError) as caught:
        call(*arguments, **options)
    error: Any = caught.value
    return error.code().name, error.details()


def test_check(serve: Any) -> None:
    served = serve()
    assert health.check(served.channel, timeout=LIMIT) is ServingStatus.SERVING
    assert health.check(served.channel, "x", timeout=LIMIT) is ServingStatus.SERVICE_UNKNOWN
    served.health.set("x", NOT_SERVING)
    assert health.check(served.channel, "x", timeout=LIMIT) is ServingStatus.NOT_SERVING
    assert served.listed() == {"": SERVING, "x": NOT_SERVING}


def test_a_service_that_is_not_known_is_not_found(serve: Any) -> None:
    served = serve()
    known = health.messages()
    check = served.channel.unary_unary(
        "/grpc.health.v1.Health/Check", known.HealthCheckRequest.SerializeToString
    )
    request = known.HealthCheckRequest(service="x" * 500)
    code, details = code_of(check, request, timeout=LIMIT)
    assert code == "NOT_FOUND"
    assert details == f"the server does not know the health of '{'x' * 100}...'"


def test_check_from_asyncio(serve: Any, loop: LoopThread) -> None:
    served = serve()

    async def checks() -> list[ServingStatus]:
        async with clarion.aio.insecure_channel(served.target) as channel:
            return [
                await health.aio.check(channel, timeout=LIMIT),
                await health.aio.check(channel, "x", timeout=LIMIT),
            ]

    assert loop.run(checks) == [ServingStatus.SERVING, ServingStatus.SERVICE_UNKNOWN]


def test_watch(serve: Any) -> None:
    served = serve()
    call = served.watch("x")
    assert next(call).status == SERVICE_UNKNOWN
    served.health.set("x", SERVING)
    assert next(call).status == SERVING
    # What is no change is not told.
    served.health.set("x", SERVING)
    served.health.set("x", NOT_SERVING)
    assert next(call).status == NOT_SERVING
    served.health.set("x", SERVING)
    assert next(call).status == SERVING
    served.health.enter_graceful_shutdown()
    assert next(call).status == NOT_SERVING
    call.cancel()
    assert settles(lambda: served.health._watchers == 0)


def test_watchers_take_no_threads(serve: Any) -> None:
    """There are more of them than the server has threads."""
    served = serve()
    calls = [served.watch("") for _ in range(10)]
    assert [next(call).status for call in calls] == [SERVING] * 10
    assert health.check(served.channel, timeout=LIMIT) is ServingStatus.SERVING
    served.health.set("", NOT_SERVING)
    assert [next(call).status for call in calls] == [NOT_SERVING] * 10


def test_a_server_that_goes_forgets_its_watchers(serve: Any) -> None:
    served = serve()
    call = served.watch("")
    assert next(call).status == SERVING
    served.close()
    assert settles(lambda: served.health._watchers == 0)
    served.health.set("", NOT_SERVING)


def test_a_watch_that_is_over_at_its_deadline(serve: Any) -> None:
    served = serve()
    call = served.watch_method(health.messages().HealthCheckRequest(), timeout=0.5)
    assert code_of(list, call)[0] == "DEADLINE_EXCEEDED"
    assert settles(lambda: served.health._watchers == 0)


def test_limits_are_told(serve: Any) -> None:
    served = serve(Health(max_listed=1, max_watchers=1))
    call = served.watch("")
    assert next(call).status == SERVING
    assert code_of(next, served.watch("")) == (
        "RESOURCE_EXHAUSTED",
        "1 clients watch the health of this server already",
    )
    served.health.set("x", SERVING)
    code, details = code_of(served.listed)
    assert (code, "lists 1 at most" in details) == ("RESOURCE_EXHAUSTED", True)


def test_servers_may_share(serve: Any) -> None:
    board = Health()
    first, second = serve(board), serve(board)
    assert first.health is second.health is board
    calls = first.watch(""), second.watch("")
    assert [next(call).status for call in calls] == [SERVING, SERVING]
    board.set("", NOT_SERVING)
    assert [next(call).status for call in calls] == [NOT_SERVING, NOT_SERVING]


class Looks(clarion.ServerInterceptor):
    """Sees every response on its way."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)

        def behavior(request: Any, context: Any) -> Any:
            for response in handler.unary_stream(request, context):
                self.seen.append(response.status)
                yield response

        return clarion.unary_stream_rpc_method_handler(
            behavior, handler.request_deserializer, handler.response_serializer
        )


@pytest.mark.parametrize("serve", ["sync"], indirect=True)
def test_an_interceptor_may_iterate(serve: Any) -> None:
    looks = Looks()
    served = serve(interceptors=[looks])
    call = served.watch("")
    assert next(call).status == SERVING
    served.health.set("", NOT_SERVING)
    assert next(call).status == NOT_SERVING
    call.cancel()
    assert settles(lambda: served.health._watchers == 0)
    assert looks.seen == [SERVING, NOT_SERVING]


CHECKED = """{
    "loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": "x"}
}"""


def test_a_channel_that_checks_health(serve: Any) -> None:
    """gRFC A17: such a channel sends no calls to a server that is not well."""
    served = serve()
    served.health.set("x", SERVING)
    states: list[Any] = []
    news = threading.Event()

    def seen(state: Any) -> None:
        states.append(state)
        news.set()

    def becomes(state: clarion.ChannelConnectivity) -> bool:
        end = time.monotonic() + LIMIT
        while states[-1:] != [state]:
            if not news.wait(max(end - time.monotonic(), 0)):
                return False
            news.clear()
        return True

    with clarion.insecure_channel(
        served.target, options=[("grpc.service_config", CHECKED)]
    ) as channel:
        channel.subscribe(seen, try_to_connect=True)
        assert becomes(clarion.ChannelConnectivity.READY)
        served.health.set("x", NOT_SERVING)
        assert becomes(clarion.ChannelConnectivity.TRANSIENT_FAILURE)
        code, details = code_of(health.check, channel, timeout=LIMIT)
        assert code == "UNAVAILABLE"
        assert "the health of 'x' is NOT_SERVING" in details
        served.health.set("x", SERVING)
        assert becomes(clarion.ChannelConnectivity.READY)
        assert health.check(channel, timeout=LIMIT) is ServingStatus.SERVING


class Context:
    """What a servicer asks of a call, for one that is called directly."""

    def __init__(self) -> None:
        self.callbacks: list[Any] = []

    def add_callback(self, callback: Any) -> bool:
        self.callbacks.append(callback)
        return True


def test_responses_for_a_callback() -> None:
    """grpcio-health-checking's servicer has that argument, for servers that push."""
    servicer = health.HealthServicer(experimental_non_blocking=True, experimental_thread_pool=None)
    sent: list[int] = []
    context = Context()
    request = health.messages().HealthCheckRequest(service="x")
    done = servicer.Watch(request, context, lambda response: sent.append(response.status))
    assert done is None
    servicer.set("x", SERVING)
    servicer.enter_graceful_shutdown()
    assert sent == [SERVICE_UNKNOWN, SERVING, NOT_SERVING]
    [stop] = context.callbacks
    stop()
    assert servicer.health._watchers == 0


def test_the_latest_is_sent_last() -> None:
    """A callback that is busy with a status is not overtaken by the next one."""
    servicer = health.HealthServicer()
    sent: list[int] = []
    overtaken = threading.Event()
    later = threading.Thread(target=servicer.set, args=("", NOT_SERVING))

    def send(response: Any) -> None:
        if response.status == SERVING:
            later.start()
            # Where all is well nobody sets it.
            overtaken.wait(0.2)
        else:
            overtaken.set()
        sent.append(response.status)

    servicer.Watch(health.messages().HealthCheckRequest(), Context(), send)
    later.join(LIMIT)
    assert sent == [SERVING, NOT_SERVING]


def test_a_watch_of_a_call_that_is_over() -> None:
    class Over(Context):
        def add_callback(self, callback: Any) -> bool:
            return False

    servicer = health.HealthServicer()
    request = health.messages().HealthCheckRequest()
    assert list(servicer.Watch(request, Over())) == []
    assert servicer.health._watchers == 0
