"""grpcio-testing's API: a test plays the other side of a call.

With `CLARION_BEHAVIOUR_IMPL=grpcio` this runs against grpcio-testing, where that is installed; what it leaves undone, or
does otherwise than it documents, is skipped there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2

REFERENCE = os.environ.get("CLARION_BEHAVIOUR_IMPL") == "grpcio"
if REFERENCE:
    grpc: Any = pytest.importorskip("grpc")
    testing: Any = pytest.importorskip("grpc_testing")
else:
    import clarion as grpc
    from clarion.testing import scripted as testing

beyond_the_reference = pytest.mark.skipif(REFERENCE, reason="grpcio-testing does not do this")

LIMIT = 30.0
START = 1000.0
OK = grpc.StatusCode.OK
StringValue = wrappers_pb2.StringValue
_PATTERNS = ("UnUn", "UnStre", "StreUn", "StreStre")


def _service() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="scripted/words.proto",
        package="scripted",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    service = file.service.add(name="Words")
    for name in _PATTERNS:
        service.method.add(
            name=name,
            input_type=".google.protobuf.StringValue",
            output_type=".google.protobuf.StringValue",
            client_streaming=name.startswith("Stre"),
            server_streaming=name.endswith("Stre"),
        )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return pool.FindServiceByName("scripted.Words")


SERVICE = _service()
UN_UN, UN_STRE, STRE_UN, STRE_STRE = (SERVICE.methods_by_name[name] for name in _PATTERNS)


def _word(value: str) -> Any:
    return StringValue(value=value)


def _path(method: Any) -> str:
    return f"/scripted.Words/{method.name}"


# The program makes calls


@pytest.fixture
def channel() -> Any:
    return testing.channel([SERVICE], testing.strict_fake_time(START))


@pytest.fixture
def apart() -> Iterator[ThreadPoolExecutor]:
    """Where the program runs."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_a_unary_call_is_answered(channel: Any, apart: ThreadPoolExecutor) -> None:
    call = channel.unary_unary(_path(UN_UN))
    answer = apart.submit(call.with_call, _word("a"), metadata=(("k", "v"),), timeout=5)
    metadata, request, rpc = channel.take_unary_unary(UN_UN)
    assert ("k", "v") in metadata
    assert request == _word("a")
    rpc.send_initial_metadata((("i", "1"),))
    rpc.terminate(_word("b"), (("t", "2"),), OK, "fine")
    response, ended = answer.result(LIMIT)
    assert response == _word("b")
    assert ("i", "1") in ended.initial_metadata()
    assert ("t", "2") in ended.trailing_metadata()
    assert (ended.code(), ended.details()) == (OK, "fine")


def test_a_unary_call_fails(channel: Any, apart: ThreadPoolExecutor) -> None:
    answer = apart.submit(channel.unary_unary(_path(UN_UN)), _word("a"))
    _, _, rpc = channel.take_unary_unary(UN_UN)
    rpc.terminate(None, (("t", "2"),), grpc.StatusCode.NOT_FOUND, "no such word")
    with pytest.raises(grpc.RpcError) as failed:
        answer.result(LIMIT)
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert failed.value.details() == "no such word"
    assert ("t", "2") in failed.value.trailing_metadata()


def test_a_future_is_answered_and_one_cancelled(channel: Any) -> None:
    call = channel.unary_unary(_path(UN_UN))
    answered, cancelled = call.future(_word("a")), call.future(_word("b"))
    _, request, first = channel.take_unary_unary(UN_UN)
    assert request == _word("a")
    _, request, second = channel.take_unary_unary(UN_UN)
    assert request == _word("b")
    first.terminate(_word("A"), (), OK, "")
    assert answered.result() == _word("A")
    assert cancelled.cancel()
    second.cancelled()
    assert cancelled.code() is grpc.StatusCode.CANCELLED
    with pytest.raises(ValueError):
        first.cancelled()


def test_responses_are_streamed(channel: Any) -> None:
    call = channel.unary_stream(_path(UN_STRE))(_word("a"))
    _, request, rpc = channel.take_unary_stream(UN_STRE)
    assert request == _word("a")
    rpc.send_response(_word("b"))
    assert next(call) == _word("b")
    rpc.send_response(_word("c"))
    rpc.terminate((), OK, "")
    assert list(call) == [_word("c")]
    assert call.code() is OK


def test_a_stream_of_responses_fails(channel: Any) -> None:
    call = channel.unary_stream(_path(UN_STRE))(_word("a"))
    _, _, rpc = channel.take_unary_stream(UN_STRE)
    rpc.terminate((), grpc.StatusCode.UNAVAILABLE, "gone")
    with pytest.raises(grpc.RpcError) as failed:
        next(call)
    assert failed.value.details() == "gone"


def test_requests_are_streamed(channel: Any, apart: ThreadPoolExecutor) -> None:
    answer = apart.submit(channel.stream_unary(_path(STRE_UN)), iter([_word("a"), _word("b")]))
    metadata, rpc = channel.take_stream_unary(STRE_UN)
    assert len(metadata) > 0
    assert [rpc.take_request(), rpc.take_request()] == [_word("a"), _word("b")]
    rpc.requests_closed()
    rpc.terminate(_word("ab"), (), OK, "")
    assert answer.result(LIMIT) == _word("ab")


def test_a_conversation(channel: Any) -> None:
    answered = threading.Semaphore(0)

    def requests() -> Iterator[Any]:
        yield _word("a")
        answered.acquire(timeout=LIMIT)
        yield _word("b")

    call = channel.stream_stream(_path(STRE_STRE))(requests())
    _, rpc = channel.take_stream_stream(STRE_STRE)
    assert rpc.take_request() == _word("a")
    rpc.send_response(_word("A"))
    assert next(call) == _word("A")
    answered.release()
    assert rpc.take_request() == _word("b")
    rpc.requests_closed()
    call.cancel()
    rpc.cancelled()


@beyond_the_reference
def test_what_the_program_asks_of_its_calls(channel: Any) -> None:
    call = channel.unary_unary(_path(UN_UN)).future(_word("a"), timeout=7)
    assert call.is_active()
    assert call.running()
    assert call.time_remaining() == 7
    done: list[Any] = []
    call.add_done_callback(done.append)
    with pytest.raises(grpc.FutureTimeoutError):
        call.result(timeout=0)
    _, _, rpc = channel.take_unary_unary(UN_UN)
    rpc.terminate(None, (), grpc.StatusCode.ABORTED, "again")
    assert call.exception(timeout=LIMIT).code() is grpc.StatusCode.ABORTED
    assert done == [call]
    assert call.done()
    assert not call.is_active()


@beyond_the_reference
def test_nothing_more_is_waited_for_in_vain(channel: Any) -> None:
    call = channel.stream_stream(_path(STRE_STRE))(iter([_word("a")]))
    _, rpc = channel.take_stream_stream(STRE_STRE)
    rpc.take_request()
    rpc.requests_closed()
    with pytest.raises(ValueError, match="no more requests"):
        rpc.take_request()
    rpc.terminate((), OK, "")
    assert list(call) == []


def test_a_request_iterator_that_raises_ends_the_call(channel: Any) -> None:
    def requests() -> Iterator[Any]:
        yield _word("a")
        raise RuntimeError("nothing more")

    call = channel.stream_stream(_path(STRE_STRE))(requests())
    _, rpc = channel.take_stream_stream(STRE_STRE)
    assert rpc.take_request() == _word("a")
    if not REFERENCE:
        # There it goes round in circles.
        with pytest.raises(grpc.RpcError) as failed:
            next(call)
        assert failed.value.code() is grpc.StatusCode.UNKNOWN
    call.cancel()


# The program serves calls


class Words:
    """A servicer."""

    def __init__(self) -> None:
        self.waits, self.ended = threading.Event(), threading.Event()
        self.left: list[Any] = []

    def UnUn(self, request: Any, context: Any) -> Any:
        if request.value == "abort":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such word")
        if request.value == "raise":
            raise RuntimeError("a mistake")
        if request.value == "wait":
            self.left.append(context.time_remaining())
            context.add_callback(self.ended.set)
            self.waits.set()
            self.ended.wait(LIMIT)
        context.send_initial_metadata((("i", dict(context.invocation_metadata())["k"]),))
        context.set_trailing_metadata((("t", "2"),))
        context.set_details("fine")
        return _word(request.value.upper())

    def UnStre(self, request: Any, context: Any) -> Iterator[Any]:
        word = _word("")
        for letter in request.value:
            word.value = letter
            yield word

    def StreUn(self, requests: Iterator[Any], context: Any) -> Any:
        return _word("".join(each.value for each in requests))

    def StreStre(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        for request in requests:
            yield _word(request.value.upper())


@pytest.fixture
def time() -> Any:
    return testing.strict_fake_time(START)


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
def server(words: Words, time: Any) -> Any:
    return testing.server_from_dictionary({SERVICE: words}, time)


def test_a_unary_call_is_served(server: Any) -> None:
    rpc = server.invoke_unary_unary(UN_UN, (("k", "v"),), _word("a"), None)
    assert ("i", "v") in rpc.initial_metadata()
    response, trailing, code, details = rpc.termination()
    assert response == _word("A")
    assert ("t", "2") in trailing
    assert (code, details) == (OK, "fine")


def test_responses_are_served_as_they_were_when_they_were_sent(server: Any) -> None:
    rpc = server.invoke_unary_stream(UN_STRE, (), _word("ab"), None)
    assert [rpc.take_response(), rpc.take_response()] == [_word("a"), _word("b")]
    _, code, details = rpc.termination()
    assert (code, details) == (OK, "")
    with pytest.raises(ValueError):
        rpc.take_response()


def test_streams_of_requests_are_served(server: Any) -> None:
    rpc = server.invoke_stream_unary(STRE_UN, (), None)
    for letter in "abc":
        rpc.send_request(_word(letter))
    rpc.requests_closed()
    response, _, code, _ = rpc.termination()
    assert (response, code) == (_word("abc"), OK)


def test_a_conversation_is_served(server: Any) -> None:
    rpc = server.invoke_stream_stream(STRE_STRE, (), None)
    for letter in "ab":
        rpc.send_request(_word(letter))
        assert rpc.take_response() == _word(letter.upper())
    rpc.requests_closed()
    _, code, _ = rpc.termination()
    assert code is OK


@pytest.mark.parametrize(
    ("word", "code", "text"),
    [("abort", "NOT_FOUND", "no such word"), ("raise", "UNKNOWN", "a mistake")],
)
def test_a_servicer_fails(server: Any, word: str, code: str, text: str) -> None:
    rpc = server.invoke_unary_unary(UN_UN, (), _word(word), None)
    response, _, ended, details = rpc.termination()
    assert response is None
    assert ended is grpc.StatusCode[code]
    assert text in details


def test_a_deadline_passes_when_time_does(server: Any, time: Any, words: Words) -> None:
    rpc = server.invoke_unary_unary(UN_UN, (("k", "v"),), _word("wait"), 10)
    # A call that is over before its handler asks has no callbacks.
    assert words.waits.wait(LIMIT)
    time.sleep_for(9)
    time.sleep_until(START + 10)
    _, _, code, _ = rpc.termination()
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert words.ended.wait(LIMIT)
    assert 0 <= words.left[0] <= 10


def test_the_client_cancels(server: Any, words: Words) -> None:
    rpc = server.invoke_unary_unary(UN_UN, (("k", "v"),), _word("wait"), None)
    rpc.cancel()
    with pytest.raises(ValueError):
        rpc.termination()
    # A call that is over before its handler asks has no callbacks.
    words.ended.set()


def test_a_stream_of_requests_ends_with_its_call(time: Any) -> None:
    raised = threading.Event()

    class Reads:
        def StreUn(self, requests: Iterator[Any], context: Any) -> Any:
            try:
                list(requests)
            except grpc.RpcError:
                raised.set()
                raise

    server = testing.server_from_dictionary({SERVICE: Reads()}, time)
    rpc = server.invoke_stream_unary(STRE_UN, (), None)
    rpc.send_request(_word("a"))
    rpc.cancel()
    assert raised.wait(LIMIT)


@beyond_the_reference
def test_what_a_servicer_asks_of_its_context(time: Any) -> None:
    seen: list[Any] = []

    class Asks:
        def UnUn(self, request: Any, context: Any) -> Any:
            context.set_compression(grpc.Compression.Gzip)
            context.disable_next_message_compression()
            seen.extend([context.peer(), context.auth_context(), context.peer_identities()])
            context.set_code(grpc.StatusCode.DATA_LOSS)
            context.set_trailing_metadata((("t", "1"),))
            seen.extend([context.code(), ("t", "1") in context.trailing_metadata()])
            context.abort(grpc.StatusCode.ABORTED, "enough")

    server = testing.server_from_dictionary({SERVICE: Asks()}, time)
    _, trailing, code, _ = server.invoke_unary_unary(UN_UN, (), _word("a"), None).termination()
    assert seen == ["scripted", {}, None, grpc.StatusCode.DATA_LOSS, True]
    assert ("t", "1") in trailing
    assert code is grpc.StatusCode.ABORTED
    with pytest.raises(KeyError, match=r"no servicer for scripted\.Words"):
        testing.server_from_dictionary({}, time).invoke_stream_unary(STRE_UN, (), None)


# Time


def test_fake_time_calls_what_is_due_in_order() -> None:
    time = testing.strict_fake_time(START)
    order: list[str] = []
    time.call_at(lambda: order.append("second"), START + 2)
    time.call_in(lambda: order.append("first"), 1)
    never = time.call_in(lambda: order.append("never"), 1)
    assert never.cancel()
    assert never.cancelled()
    time.call_at(lambda: order.append("later"), START + 100)
    assert time.time() == START
    time.sleep_for(5)
    assert order == ["first", "second"]
    assert time.time() == START + 5
    time.sleep_until(START)
    assert time.time() == START + 5


@beyond_the_reference
def test_fake_time_is_that_of_what_is_due() -> None:
    time = testing.strict_fake_time(START)
    seen: list[float] = []
    # It may use the time, too.
    again = time.call_in(
        lambda: time.call_in(lambda: seen.append(time.time()), 3) and seen.append(time.time()), 2
    )
    time.sleep_for(10)
    assert seen == [START + 2, START + 5]
    assert again.done()
    assert again.exception() is None
    at_once = time.call_in(lambda: "now", 0)
    assert at_once.result() == "now"


def test_real_time_calls_what_is_due_before_it_goes_on() -> None:
    time = testing.strict_real_time()
    called = threading.Event()
    time.call_in(called.set, 0.01)
    late = time.call_in(lambda: None, 3600)
    time.sleep_for(0.02)
    assert called.is_set()
    assert late.cancel()
    time.sleep_until(time.time() + 0.01)
