"""Interceptors of sync channels."""

from __future__ import annotations

import collections
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from support.front_end import FrontEnd
from support.interception import PATH, STYLES, Log, Rig, every_kind, expected, invoke, styles
from support.libraries import LIMIT, PATTERNS, pairs


@pytest.fixture
def grpc(sync: FrontEnd) -> Any:
    return sync.library.root


@pytest.fixture
def rig(grpc: Any) -> Iterator[Rig]:
    rig = Rig(grpc)
    yield rig
    rig.close()


def tagging(grpc: Any, tag: str) -> Any:
    """Adds a metadata entry `tag`, which the server lists in the order of arrival."""

    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        metadata = [*(details.metadata or ()), ("tag", tag)]
        return continuation(details._replace(metadata=metadata), request)

    return every_kind(grpc, intercept)


# Client: the kinds and their order


@styles
def test_one_object_intercepts_every_kind(rig: Rig, pattern: str, style: str) -> None:
    log: Log = []
    channel = rig.intercept(every_kind(rig.grpc, lambda go_on, details, r: go_on(details, r), log))
    assert invoke(channel, pattern, style, b"x") == expected(pattern)
    assert log == [pattern]


@styles
def test_an_interceptor_sees_its_kind_only(rig: Rig, pattern: str, style: str) -> None:
    log: Log = []

    class Other(
        rig.grpc.StreamStreamClientInterceptor  # type: ignore[misc]
        if pattern != "stream_stream"
        else rig.grpc.UnaryUnaryClientInterceptor
    ):
        def intercept_stream_stream(self, *args: Any) -> None:
            log.append(args)

        def intercept_unary_unary(self, *args: Any) -> None:
            log.append(args)

    assert invoke(rig.intercept(Other()), pattern, style, b"x") == expected(pattern)
    assert log == []


@pytest.mark.parametrize("nested", [False, True])
def test_the_first_interceptor_sees_a_call_first(rig: Rig, nested: bool) -> None:
    first, second = tagging(rig.grpc, "1"), tagging(rig.grpc, "2")
    channel = rig.intercept(first, second)
    if nested:
        channel = rig.grpc.intercept_channel(rig.intercept(second), first)
    _response, call = channel.unary_unary(PATH + "unary_unary").with_call(b"x", timeout=LIMIT)
    assert ("seen", "1,2") in pairs(call.initial_metadata())


def test_no_interceptors_leave_the_channel_as_it_is(rig: Rig) -> None:
    assert rig.intercept() is rig.channel


@pytest.mark.parametrize("wrong", [object(), None, print])
def test_what_is_no_interceptor_is_refused(rig: Rig, wrong: object) -> None:
    with pytest.raises(TypeError, match=r"grpc\.UnaryUnaryClientInterceptor"):
        rig.intercept(tagging(rig.grpc, "1"), wrong)


# Client: details


def test_the_details_of_a_call(rig: Rig) -> None:
    log: Log = []

    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        log.append((details, request))
        return continuation(details, request)

    method = rig.intercept(every_kind(rig.grpc, intercept)).unary_unary(PATH + "unary_unary")
    metadata = (("a", "b"),)
    method(
        b"x",
        timeout=LIMIT,
        metadata=metadata,
        wait_for_ready=True,
        compression=rig.grpc.Compression.Gzip,
    )
    ((details, request),) = log
    assert isinstance(details, rig.grpc.ClientCallDetails)
    assert details == (
        PATH + "unary_unary",
        LIMIT,
        metadata,
        None,
        True,
        rig.grpc.Compression.Gzip,
    )
    assert details._fields == (
        "method",
        "timeout",
        "metadata",
        "credentials",
        "wait_for_ready",
        "compression",
    )
    assert request == b"x"
    method(b"x")
    assert log[1][0] == (PATH + "unary_unary", None, None, None, None, None)


@styles
def test_details_may_be_any_object_and_lack_what_stays(rig: Rig, pattern: str, style: str) -> None:
    class Details:
        metadata = (("tag", "mine"),)

    log: Log = []

    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        call = continuation(Details(), request)
        log.append(call)
        return call

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    assert invoke(channel, pattern, style, b"x") == expected(pattern)
    assert ("seen", "mine") in pairs(log[0].initial_metadata())


def test_details_of_a_class_of_the_application(rig: Rig) -> None:
    class Details(
        collections.namedtuple("Fields", "method timeout metadata credentials"),  # type: ignore[misc]
        rig.grpc.ClientCallDetails,  # type: ignore[misc]
    ):
        pass

    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return continuation(Details(details.method, 60, [("tag", "named")], None), request)

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    _, call = channel.unary_unary(PATH + "unary_unary").with_call(b"x")
    assert ("seen", "named") in pairs(call.initial_metadata())


def test_the_method_can_be_changed(rig: Rig) -> None:
    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details._replace(method=PATH + "unary_unary"), request)

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    assert channel.unary_unary("/no.Such/Method")(b"x", timeout=LIMIT) == b"x"


def test_the_timeout_can_be_changed(rig: Rig) -> None:
    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details._replace(timeout=details.timeout * 100), request)

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    for each, time in ((channel, "more"), (rig.channel, "less")):
        _, call = each.unary_unary(PATH + "unary_unary").with_call(b"x", timeout=LIMIT)
        assert ("time", time) in pairs(call.trailing_metadata())


@styles
def test_requests_can_be_changed(rig: Rig, pattern: str, style: str) -> None:
    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        if isinstance(request, bytes):
            return continuation(details, request.lower())
        return continuation(details, (each.lower() for each in request))

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    assert invoke(channel, pattern, style, b"X") == expected(pattern)


@pytest.mark.parametrize("pattern", ["unary_stream", "stream_stream"])
def test_responses_can_be_wrapped(rig: Rig, pattern: str) -> None:
    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return (response + b"!" for response in continuation(details, request))

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    assert set(invoke(channel, pattern, "call", b"x")) == {b"x!"}


# Client: what an interceptor sees of the call


@styles
def test_a_call_seen_by_its_interceptor(rig: Rig, pattern: str, style: str) -> None:
    log: Log = []

    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        call = continuation(details, request)
        log.append(call)
        return call

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    assert invoke(channel, pattern, style, b"x") == expected(pattern)
    (call,) = log
    assert isinstance(call, rig.grpc.Call)
    assert isinstance(call, rig.grpc.Future)
    assert call.code() is rig.grpc.StatusCode.OK
    assert call.details() in ("", None)
    assert ("seen", "") in pairs(call.initial_metadata())
    assert ("side", "server") in pairs(call.trailing_metadata())
    assert call.done()
    assert not call.running()
    assert not call.cancelled()
    assert call.exception() is None
    assert call.traceback() is None
    assert call.cancel() is False
    assert call.is_active() is False
    assert call.add_callback(print) is False
    called: Log = []
    call.add_done_callback(called.append)
    assert called == [call]
    if not pattern.endswith("stream"):
        assert call.result() is call.result()


@styles
def test_a_failed_call_is_returned_and_not_raised(rig: Rig, pattern: str, style: str) -> None:
    log: Log = []

    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        call = continuation(details, request)
        log.append(call)
        return call

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    with pytest.raises(rig.grpc.RpcError) as caught:
        invoke(channel, pattern, style, b"fail")
    assert caught.value.code() is rig.grpc.StatusCode.NOT_FOUND
    (call,) = log
    assert isinstance(call, rig.grpc.Call)
    assert isinstance(call, rig.grpc.Future)
    assert (call.code(), call.details()) == (rig.grpc.StatusCode.NOT_FOUND, "nothing here")
    assert ("side", "server") in pairs(call.trailing_metadata())
    assert isinstance(call.exception(), rig.grpc.RpcError)
    assert call.traceback() is not None
    assert call.done()
    assert not call.running()
    with pytest.raises(rig.grpc.RpcError):
        call.result()
    called: Log = []
    call.add_done_callback(called.append)
    assert called == [call]


@pytest.mark.parametrize("pattern", ["unary_unary", "stream_unary"])
@pytest.mark.parametrize("style", ["call", "with_call", "future"])
def test_a_call_can_be_tried_again(rig: Rig, pattern: str, style: str) -> None:
    tries: Log = []

    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        for attempt in (b"fail", b"fail", b"x"):
            again: Any = attempt if pattern == "unary_unary" else iter([attempt])
            call = continuation(details, again)
            tries.append(call.code().name)
            if call.exception() is None:
                break
        return call

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    assert invoke(channel, pattern, style, b"y") == [b"x"]
    assert tries == ["NOT_FOUND", "NOT_FOUND", "OK"]


def test_a_future_is_not_awaited_by_its_interceptor(rig: Rig) -> None:
    done = threading.Event()

    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        call = continuation(details, request)
        call.add_done_callback(lambda call: done.set())
        return call

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    future = channel.unary_unary(PATH + "unary_unary").future(b"x", timeout=LIMIT)
    assert done.wait(LIMIT)
    assert future.result() == b"x"
    assert ("side", "server") in pairs(future.trailing_metadata())


# Client: answers of the interceptor's own


def answer(grpc: Any, response: Any) -> Any:
    class Answer(grpc.Call, grpc.Future):  # type: ignore[misc]
        def initial_metadata(self) -> Any:
            return (("who", "interceptor"),)

        def trailing_metadata(self) -> Any:
            return ()

        def code(self) -> Any:
            return grpc.StatusCode.OK

        def details(self) -> str:
            return "cached"

        def is_active(self) -> bool:
            return False

        def time_remaining(self) -> None:
            return None

        def cancel(self) -> bool:
            return False

        def cancelled(self) -> bool:
            return False

        def running(self) -> bool:
            return False

        def done(self) -> bool:
            return True

        def add_callback(self, callback: Any) -> bool:
            return False

        def result(self, timeout: Any = None) -> Any:
            return response

        def exception(self, timeout: Any = None) -> None:
            return None

        def traceback(self, timeout: Any = None) -> None:
            return None

        def add_done_callback(self, fn: Any) -> None:
            fn(self)

        def __iter__(self) -> Any:
            return iter([response])

    return Answer()


@styles
def test_an_interceptor_answers_itself(rig: Rig, pattern: str, style: str) -> None:
    own = answer(rig.grpc, b"cached")
    outer: Log = []

    def watch(continuation: Any, details: Any, request: Any) -> Any:
        call = continuation(details, request)
        outer.append((call.code(), call.details(), tuple(call.initial_metadata())))
        return call

    channel = rig.intercept(
        every_kind(rig.grpc, watch), every_kind(rig.grpc, lambda go_on, details, request: own)
    )
    assert invoke(channel, pattern, style, b"x") == [b"cached"]
    assert outer == [(rig.grpc.StatusCode.OK, "cached", (("who", "interceptor"),))]


def test_with_call_gives_back_the_interceptors_own_call(rig: Rig) -> None:
    own = answer(rig.grpc, b"cached")
    channel = rig.intercept(every_kind(rig.grpc, lambda go_on, details, request: own))
    assert channel.unary_unary(PATH + "unary_unary").with_call(b"x") == (b"cached", own)
    assert channel.unary_unary(PATH + "unary_unary").future(b"x") is own
    assert channel.unary_stream(PATH + "unary_stream")(b"x") is own


def test_a_blocking_call_needs_nothing_but_a_result(rig: Rig) -> None:
    class Plain:
        def result(self) -> bytes:
            return b"plain"

    channel = rig.intercept(every_kind(rig.grpc, lambda go_on, details, request: Plain()))
    assert channel.unary_unary(PATH + "unary_unary")(b"x") == b"plain"


# Client: exceptions


@pytest.mark.parametrize("pattern", ["unary_unary", "stream_unary"])
@pytest.mark.parametrize("style", ["call", "with_call"])
def test_what_an_interceptor_raises_in_a_blocking_call_is_raised(
    rig: Rig, pattern: str, style: str
) -> None:
    error = ZeroDivisionError("oops")

    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        raise error

    with pytest.raises(ZeroDivisionError) as caught:
        invoke(rig.intercept(every_kind(rig.grpc, intercept)), pattern, style, b"x")
    assert caught.value is error


@pytest.mark.parametrize(
    ("pattern", "style"),
    [each for each in STYLES if each[1] == "future" or each[0].endswith("stream")],
)
def test_what_an_interceptor_raises_otherwise_is_a_failed_call(
    rig: Rig, pattern: str, style: str
) -> None:
    error = ZeroDivisionError("oops")

    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        raise error

    method = getattr(rig.intercept(every_kind(rig.grpc, intercept)), pattern)(PATH + pattern)
    argument: Any = iter([b"x"]) if pattern.startswith("stream") else b"x"
    call = method.future(argument) if style == "future" else method(argument)
    assert isinstance(call, rig.grpc.Call)
    assert isinstance(call, rig.grpc.Future)
    assert isinstance(call, rig.grpc.RpcError)
    assert call.code() is rig.grpc.StatusCode.INTERNAL
    assert call.details()
    assert call.exception() is error
    assert call.traceback() is error.__traceback__
    assert (call.done(), call.running(), call.cancelled()) == (True, False, False)
    assert (call.is_active(), call.cancel(), call.time_remaining()) == (False, False, None)
    assert not call.initial_metadata()
    assert not call.trailing_metadata()
    assert call.add_callback(print) is False
    called: Log = []
    call.add_done_callback(called.append)
    assert called == [call]
    with pytest.raises(ZeroDivisionError):
        call.result()
    with pytest.raises(ZeroDivisionError):
        next(iter(call))
    with pytest.raises(ZeroDivisionError):
        call.next()


def test_an_outer_interceptor_sees_what_an_inner_one_raised(rig: Rig) -> None:
    log: Log = []

    def outer(continuation: Any, details: Any, request: Any) -> Any:
        call = continuation(details, request)
        log.append(type(call.exception()))
        return call

    def inner(continuation: Any, details: Any, request: Any) -> Any:
        raise ZeroDivisionError

    channel = rig.intercept(every_kind(rig.grpc, outer), every_kind(rig.grpc, inner))
    for style in ("call", "with_call", "future"):
        with pytest.raises(ZeroDivisionError):
            invoke(channel, "unary_unary", style, b"x")
    assert log == [ZeroDivisionError] * 3


def test_an_error_that_an_interceptor_lets_through_keeps_its_status(rig: Rig) -> None:
    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        continuation(details, request).result()

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    with pytest.raises(rig.grpc.RpcError) as caught:
        invoke(channel, "unary_unary", "call", b"fail")
    assert caught.value.code() is rig.grpc.StatusCode.NOT_FOUND
    future = channel.unary_unary(PATH + "unary_unary").future(b"fail", timeout=LIMIT)
    assert future.exception().code() is rig.grpc.StatusCode.NOT_FOUND


def test_the_failed_call_of_a_let_through_error_has_its_status(sync: FrontEnd, rig: Rig) -> None:
    sync.clarion_only("says INTERNAL, whatever the error")

    def intercept(continuation: Any, details: Any, request: Any) -> Any:
        continuation(details, request).result()

    channel = rig.intercept(every_kind(rig.grpc, intercept))
    future = channel.unary_unary(PATH + "unary_unary").future(b"fail", timeout=LIMIT)
    assert (future.code(), future.details()) == (rig.grpc.StatusCode.NOT_FOUND, "nothing here")
    assert ("side", "server") in pairs(future.trailing_metadata())
    assert ("seen", "") in pairs(future.initial_metadata())


def test_an_rpc_error_of_the_application_within(sync: FrontEnd, rig: Rig) -> None:
    sync.clarion_only("lets an outer interceptor trip over it: it has no 'result'")

    class Mine(rig.grpc.RpcError):  # type: ignore[misc]
        pass

    def outer(continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details, request)

    def inner(continuation: Any, details: Any, request: Any) -> Any:
        raise Mine

    channel = rig.intercept(every_kind(rig.grpc, outer), every_kind(rig.grpc, inner))
    with pytest.raises(Mine):
        invoke(channel, "unary_unary", "call", b"x")


def test_a_closed_channel(rig: Rig) -> None:
    channel = rig.intercept(tagging(rig.grpc, "1"))
    method = channel.unary_unary(PATH + "unary_unary")
    channel.close()
    with pytest.raises(ValueError, match="closed channel"):
        method(b"x")
    assert isinstance(method.future(b"x").exception(), ValueError)


# Client: the rest of the channel


def test_an_intercepted_channel_is_a_channel(rig: Rig) -> None:
    channel = rig.intercept(tagging(rig.grpc, "1"))
    assert isinstance(channel, rig.grpc.Channel)
    for pattern in PATTERNS:
        kind = "".join(map(str.capitalize, pattern.split("_"))) + "MultiCallable"
        assert isinstance(getattr(channel, pattern)("/a/b"), getattr(rig.grpc, kind))
    rig.grpc.channel_ready_future(channel).result(LIMIT)
    states: Log = []
    ready = threading.Event()

    def watch(state: Any) -> None:
        states.append(state)
        if state is rig.grpc.ChannelConnectivity.READY:
            ready.set()

    channel.subscribe(watch, try_to_connect=True)
    assert ready.wait(LIMIT)
    channel.unsubscribe(watch)
    with channel as entered:
        assert entered is channel
    with pytest.raises(ValueError, match="closed channel"):
        rig.channel.unary_unary(PATH + "unary_unary")(b"x")


def test_a_channel_of_the_application_can_be_intercepted(grpc: Any) -> None:
    class Fake(grpc.Channel):  # type: ignore[misc]
        def __init__(self) -> None:
            self.closed = False

        def subscribe(self, callback: Any, try_to_connect: bool = False) -> None: ...
        def unsubscribe(self, callback: Any) -> None: ...

        def _make(
            self, method: str, serialize: Any, deserialize: Any, _registered: bool = False
        ) -> Any:
            class Method:
                def with_call(self, request: Any, **options: Any) -> Any:
                    return deserialize(serialize(request)), answer(grpc, None)

            return Method()

        unary_unary = unary_stream = stream_unary = stream_stream = _make

        def close(self) -> None:
            self.closed = True

    fake = Fake()
    channel = grpc.intercept_channel(fake, tagging(grpc, "1"))
    assert channel.unary_unary("/a/b", str.encode, bytes.decode)("text") == "text"
    channel.close()
    assert fake.closed
