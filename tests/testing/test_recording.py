"""Sessions that are recorded, and replayed without the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2

import clarion
import clarion.aio
from clarion import StatusCode
from clarion.testing import Recorder, Replayer, SessionError

LIMIT = 30.0
TOKEN = ("authorization", "Bearer s3cret")
BOTH = "/recorded.Prices/Both"
GET = "/recorded.Prices/Get"


def _describe() -> None:
    """Have protobuf know `Get` of the service: from and to `StringValue`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="recorded/prices.proto",
        package="recorded",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    string = ".google.protobuf.StringValue"
    service = file.service.add(name="Prices")
    service.method.add(name="Get", input_type=string, output_type=string)
    descriptor_pool.Default().Add(file)


_describe()


def _both(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    context.send_initial_metadata((("x-id", "7"), ("x-session-token", "s3cret")))
    for request in requests:
        yield request.upper()
    context.set_trailing_metadata((("cost-bin", b"\0\xff"),))


def _get(request: bytes, context: Any) -> bytes:
    if not request:
        context.abort(StatusCode.NOT_FOUND, "nothing of that name")
    return request


@pytest.fixture
def real() -> Iterator[Any]:
    """A channel to the real server."""
    pool = ThreadPoolExecutor(4)
    handlers = {
        "Both": clarion.stream_stream_rpc_method_handler(_both),
        "Get": clarion.unary_unary_rpc_method_handler(_get),
    }
    server = clarion.server(
        pool, [clarion.method_handlers_generic_handler("recorded.Prices", handlers)]
    )
    server.start()
    with server.in_process_channel() as channel:
        yield channel
    server.stop(None).wait(LIMIT)
    pool.shutdown()


def _text(value: str) -> bytes:
    return wrappers_pb2.StringValue(value=value).SerializeToString()


def _use(channel: Any) -> list[Any]:
    """Make some calls, in conversation; returns all that is seen of them."""
    sent: list[bytes] = [b"a", b"b"]
    seen: list[Any] = []

    def requests() -> Iterator[bytes]:
        while sent:
            yield sent.pop(0)

    both = channel.stream_stream(BOTH)(requests(), metadata=[TOKEN, ("x-user", "ada")])
    seen.append([key for key, _ in both.initial_metadata()])
    seen.append(list(both))
    seen.append([tuple(each) for each in both.trailing_metadata()])
    get = channel.unary_unary(GET)
    seen.append(get(_text("apple"), timeout=LIMIT))
    with pytest.raises(clarion.RpcError) as failed:
        get(b"", timeout=LIMIT)
    return [*seen, failed.value.code(), failed.value.details()]


@pytest.fixture
def session(real: Any, tmp_path: Path) -> Path:
    """The file of a session of what `_use` does."""
    path = tmp_path / "prices.jsonl"
    with Recorder(real, path) as recorder, recorder.channel() as channel:
        assert _use(channel) == _use(real)
    return path


def test_a_session_is_replayed_as_it_was(session: Path, real: Any) -> None:
    for _ in range(2):
        with Replayer(session) as replayer, replayer.channel() as channel:
            assert _use(channel) == _use(real)


def test_the_file_can_be_read_and_has_no_secrets(session: Path) -> None:
    text = session.read_text()
    assert "s3cret" not in text
    head, both, get, missing = map(json.loads, text.splitlines())
    assert head == {"session": 1}
    assert both["metadata"] == [["authorization", "***"], ["x-user", "ada"]]
    assert ["x-session-token", "***"] in both["initial_metadata"]
    assert both["trailing_metadata"] == [["cost-bin", "AP8="]]
    assert {"request": {"base64": "YQ=="}} in both["messages"]
    assert get["messages"][0]["request"]["json"] == "apple"
    assert get["code"] == "OK"
    assert (missing["code"], missing["details"]) == ("NOT_FOUND", "nothing of that name")


def test_a_message_without_its_bytes_is_made_of_its_json(session: Path) -> None:
    lines = session.read_text().splitlines()
    call = json.loads(lines[2])
    # The end of the requests may stand before the response or after it: they come from two threads.
    (response,) = (each for each in call["messages"] if "response" in each)
    response["response"] = {"json": "pear"}
    session.write_text("\n".join([lines[0], json.dumps(call)]) + "\n")
    with Replayer(session) as replayer, replayer.channel() as channel:
        assert channel.unary_unary(GET)(_text("apple"), timeout=LIMIT) == _text("pear")


def test_asyncio_programs_record_and_replay(real: Any, tmp_path: Path) -> None:
    path = tmp_path / "aio.jsonl"

    async def use(session: Any) -> bytes:
        async with session.aio_channel() as channel:
            response: bytes = await channel.unary_unary(GET)(_text("apple"), timeout=LIMIT)
            return response

    with Recorder(real, path) as recorder:
        assert asyncio.run(use(recorder)) == _text("apple")
    with Replayer(path) as replayer:
        assert asyncio.run(use(replayer)) == _text("apple")


def _fails(call: Any) -> str:
    with pytest.raises(clarion.RpcError) as failed:
        call()
    assert failed.value.code() is StatusCode.FAILED_PRECONDITION
    return str(failed.value.details())


def test_another_call_than_the_recorded_one_is_named(session: Path) -> None:
    with (
        pytest.raises(SessionError) as unlike,
        Replayer(session) as replayer,
        replayer.channel() as channel,
    ):
        get = channel.unary_unary(GET)
        said = _fails(lambda: get(_text("apple"), timeout=LIMIT))
        assert said == (
            f"replay of prices.jsonl: call 1 is {GET}, where {BOTH} (line 2) was recorded"
        )
    assert f"{GET} (line 4) was recorded, and is not called" in str(unlike.value)


def test_another_request_than_the_recorded_one_is_shown(session: Path) -> None:
    with (
        pytest.raises(SessionError),
        Replayer(session) as replayer,
        replayer.channel() as channel,
    ):
        both = channel.stream_stream(BOTH)
        said = _fails(lambda: list(both(iter([b"a", b"c"]))))
        assert said.endswith("sends 1 bytes b'c', where 1 bytes b'b' was recorded")
        get = channel.unary_unary(GET)
        said = _fails(lambda: get(_text("pear"), timeout=LIMIT))
        assert said.endswith('sends {value: "pear"}, where {value: "apple"} was recorded')


@pytest.mark.parametrize(
    ("requests", "problem"),
    [
        ([b"a"], "does not send the request that was recorded: 1 bytes b'b'"),
        ([b"a", b"b", b"c"], "sends one request more than was recorded: 1 bytes b'c'"),
    ],
)
def test_too_few_and_too_many_requests_are_told(
    session: Path, requests: list[bytes], problem: str
) -> None:
    with (
        pytest.raises(SessionError),
        Replayer(session) as replayer,
        replayer.channel() as channel,
    ):
        assert problem in _fails(lambda: list(channel.stream_stream(BOTH)(iter(requests))))


def test_calls_in_any_order_if_that_is_said(session: Path) -> None:
    with (
        pytest.raises(SessionError),
        Replayer(session, ordered=False) as replayer,
        replayer.channel() as channel,
    ):
        get = channel.unary_unary(GET)
        assert get(_text("apple"), timeout=LIMIT) == _text("apple")
        assert list(channel.stream_stream(BOTH)(iter([b"a", b"b"]))) == [b"A", b"B"]
        assert "no such call was recorded" in _fails(lambda: get(_text("fig"), timeout=LIMIT))


def test_metadata_can_be_a_part_of_the_match(session: Path) -> None:
    with (
        pytest.raises(SessionError),
        Replayer(session, match_metadata=["x-user"]) as replayer,
        replayer.channel() as channel,
    ):
        both = channel.stream_stream(BOTH)
        said = _fails(lambda: list(both(iter([b"a", b"b"]), metadata=[("x-user", "eve")])))
        assert said.endswith("has x-user: 'eve', where 'ada' was recorded")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"session": 2}', "a session of version 2"),
        ("[]", "no JSON object"),
        ('{"call": 1}', "'method' is missing"),
        ('{"call": 1, "method": "/a/B", "code": "FINE"}', "'FINE' is no status code"),
        (
            '{"call": 1, "method": "/a/B", "code": "OK", "messages": [{"question": {}}]}',
            "'question' is none of request, response",
        ),
        (
            '{"call": 1, "method": "/a/B", "code": "OK", "messages": [{"request": {"json": 1}}]}',
            "import the generated module",
        ),
        (
            f'{{"call": 1, "method": "{GET}", "code": "OK", "messages": [{{"request": {{"json": 1}}}}]}}',
            "the json of a request",
        ),
    ],
)
def test_a_file_that_is_no_session_is_refused(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"session": 1}\n\n' + line + "\n")
    with pytest.raises(SessionError, match=r"bad\.jsonl, line 3: ") as refused:
        Replayer(path)
    assert problem in str(refused.value)
