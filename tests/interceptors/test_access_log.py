"""A line of log for each call."""

from __future__ import annotations

import io
import json
import logging
import queue
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from clarion import access_log, auth
from clarion.access_log import AccessLog
from support.front_end import FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.simple import ECHOES


class Kept(logging.Handler):
    """Keeps records and their lines."""

    def __init__(self) -> None:
        super().__init__()
        self.records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.put(record)

    def next(self) -> Any:
        return self.records.get(timeout=LIMIT)


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    logger = logging.getLogger(access_log.LOGGER)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def logging_interceptor(front: FrontEnd, **options: Any) -> Any:
    log = AccessLog(**options) if options else None
    make = access_log.interceptor if front.name == "sync" else access_log.aio_interceptor
    return make(log)


async def fail(call: ServerCall) -> bytes:
    raise ValueError("a secret")


def test_a_line_of_json(front: FrontEnd, kept: Kept) -> None:
    rig = front.rig(**ECHOES, interceptors=[logging_interceptor(front)])
    metadata: Any = [("authorization", "Bearer secret"), ("password", "secret")]
    rig.call("stream_stream", [b"abc", b"de"], timeout=100, metadata=metadata)
    record = kept.next()
    line = record.getMessage()
    fields = json.loads(line)
    assert "\n" not in line
    assert "secret" not in line.lower()
    assert fields["method"] == "/test.Service/StreamStream"
    assert fields["peer"].startswith("ipv4:127.0.0.1:")
    assert fields["status"] == "OK"
    assert (fields["requests"], fields["responses"]) == (2, 2)
    assert (fields["request_bytes"], fields["response_bytes"]) == (5, 5)
    assert 0 <= fields["first_response_ms"] <= fields["duration_ms"]
    assert 0 < fields["deadline_left_ms"] <= 102_000
    assert fields["user_agent"].startswith("grpc-python")
    assert fields["started"].endswith("Z")
    assert "identity" not in fields
    assert "exception" not in fields
    assert "message" not in fields
    assert (record.name, record.levelno) == ("clarion.access", logging.INFO)
    assert {key: value for key, value in record.call.items() if key != "started"} == {
        key: value for key, value in fields.items() if key != "started"
    }


def test_a_line_of_logfmt(front: FrontEnd, kept: Kept) -> None:
    rig = front.rig(
        unary_unary=fail,
        interceptors=[
            logging_interceptor(
                front, format="logfmt", status_message=True, extra=lambda call: {"of": "my own"}
            )
        ],
    )
    rig.call("unary_unary", [b""])
    line = kept.next().getMessage()
    fields = dict(part.split("=", 1) for part in shlex.split(line))
    assert fields["status"] == "UNKNOWN"
    assert fields["exception"] == "ValueError"
    assert fields["of"] == "my own"
    assert fields["message"] == "Exception calling application"
    assert "first_response_ms" not in fields
    assert "secret" not in line


def test_who_calls(front: FrontEnd, kept: Kept) -> None:
    authenticator = auth.TokenAuthenticator(
        {"a-token-that-nobody-guesses": auth.Identity(method="token", subject="alice", issuer="me")}
    )
    kind = auth if front.name == "sync" else auth.aio
    rig = front.rig(
        **ECHOES,
        interceptors=[logging_interceptor(front), kind.AuthenticationInterceptor(authenticator)],
    )
    rig.call(
        "unary_unary", [b""], metadata=[("authorization", "Bearer a-token-that-nobody-guesses")]
    )
    record = kept.next()
    assert record.call["identity"] == "alice"
    assert record.call["identity_method"] == "token"
    assert record.call["identity_issuer"] == "me"
    assert "a-token-that-nobody-guesses" not in record.getMessage()
    rig.call("unary_unary", [b""])
    assert kept.next().call["status"] == "UNAUTHENTICATED"


def test_what_is_left_out(front: FrontEnd, kept: Kept) -> None:
    rig = front.rig(
        **{**ECHOES, "stream_unary": fail},
        interceptors=[
            logging_interceptor(front, skip=["/test.Service/UnaryS*"], sample=0.0),
        ],
    )
    for pattern in ("unary_stream", "unary_unary", "stream_unary"):
        rig.call(pattern, [b""])
    # Errors are not sampled.
    assert kept.next().call["method"] == "/test.Service/StreamUnary"
    assert kept.records.empty()


def test_only_what_is_asked_for(front: FrontEnd, kept: Kept) -> None:
    interceptor = logging_interceptor(front, only=lambda call: call.requests == 2)
    rig = front.rig(**ECHOES, interceptors=[interceptor])
    for requests in ([b"a"], [b"a", b"b"]):
        rig.call("stream_unary", requests)
    assert kept.next().call["requests"] == 2
    assert kept.records.empty()


def test_clients_cannot_forge_lines(front: FrontEnd, kept: Kept) -> None:
    rig = front.rig(**ECHOES, interceptors=[logging_interceptor(front, format="logfmt")])
    path = '/a/b" status=OK x="' + "y" * 1000
    assert rig.client.call(path, "unary_unary", [b""]).code == "UNIMPLEMENTED"
    line = kept.next().getMessage()
    fields = dict(part.split("=", 1) for part in shlex.split(line))
    assert fields["status"] == "UNIMPLEMENTED"
    assert fields["method"] == path[:256]


def test_nothing_is_made_where_nobody_listens() -> None:
    logger = logging.Logger("mine", logging.WARNING)
    stream = io.StringIO()
    logger.addHandler(logging.StreamHandler(stream))
    AccessLog(logger=logger).write(None)  # type: ignore[arg-type]
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "wrong", [{"format": "xml"}, {"sample": 1.5}, {"sample": -1}, {"skip": "/a/*"}]
)
def test_arguments_that_cannot_be_used(wrong: Any) -> None:
    with pytest.raises(ValueError):
        AccessLog(**wrong)
