"""The sync servicer context, method by method. What both front ends share is in `test_context`."""

from __future__ import annotations

import collections
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from support.clients import Outcome
from support.front_end import FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT

Run = Callable[..., Outcome]


@pytest.fixture
def grpc(sync: FrontEnd) -> Any:
    return sync.library.root


@pytest.fixture
def run(sync: FrontEnd) -> Run:
    """Calls a unary method that does `action(context)` and returns `response`."""

    def run(action: Callable[[Any], Any], response: Any = b"x", **options: Any) -> Outcome:
        async def handler(call: ServerCall) -> Any:
            action(call.context)
            return response

        options.setdefault("timeout", LIMIT)
        return sync.rig(unary_unary=handler).call("unary_unary", [b"x"], **options)

    return run


def raised(action: Callable[[], Any]) -> type[BaseException] | None:
    try:
        action()
    except Exception as error:
        return type(error)
    return None


def test_a_call_without_tls_proves_nothing(run: Run) -> None:
    seen: list[Any] = []

    def action(context: Any) -> None:
        seen.append(context.peer_identities())
        seen.append(context.peer_identity_key())
        seen.append(context.auth_context())

    assert run(action).code == "OK"
    assert seen == [
        None,
        None,
        {"transport_security_type": [b"insecure"], "security_level": [b"TSI_SECURITY_NONE"]},
    ]


def test_what_was_not_set(run: Run) -> None:
    seen: list[Any] = []

    def action(context: Any) -> None:
        seen.append(context.code())
        seen.append(context.trailing_metadata())
        seen.append(bool(context.details()))

    assert run(action).code == "OK"
    assert seen == [None, None, False]


def test_the_time_that_remains(run: Run) -> None:
    seen: list[float] = []
    assert run(lambda context: seen.append(context.time_remaining()), timeout=1000).code == "OK"
    assert 0 < seen[0] <= 1000


def test_no_deadline(sync: FrontEnd, run: Run) -> None:
    sync.clarion_only("gives 292 billion years, its documentation says None")
    seen: list[Any] = []
    assert run(lambda context: seen.append(context.time_remaining()), timeout=None).code == "OK"
    assert seen == [None]


@pytest.mark.parametrize("code", [0, 5, "NOT_FOUND", (5, "not found")])
def test_a_code_that_is_no_status_is_unknown(run: Run, code: Any) -> None:
    seen: list[Any] = []

    def action(context: Any) -> None:
        context.set_code(code)
        seen.append(context.code())

    assert run(action).code == "UNKNOWN"
    assert seen == [code]


def test_the_last_code_counts(grpc: Any, run: Run) -> None:
    def action(context: Any) -> None:
        context.set_code(5)
        context.set_code(grpc.StatusCode.UNKNOWN)
        context.set_code(grpc.StatusCode.ABORTED)
        context.set_details("first")
        context.set_details("last")

    outcome = run(action)
    assert (outcome.code, outcome.details, outcome.responses) == ("ABORTED", "last", [])


def test_a_code_is_taken_back(grpc: Any, run: Run) -> None:
    def action(context: Any) -> None:
        context.set_code(grpc.StatusCode.ABORTED)
        context.set_code(None)

    assert run(action).code == "OK"


def test_details_as_bytes(grpc: Any, run: Run) -> None:
    def action(context: Any) -> None:
        context.set_code(grpc.StatusCode.ABORTED)
        context.set_details("näh".encode())

    assert run(action).details == "näh"


def test_details_that_are_no_text(grpc: Any, run: Run) -> None:
    def action(context: Any) -> None:
        context.set_code(grpc.StatusCode.ABORTED)
        context.set_details(5)

    outcome = run(action)
    assert outcome.code == "ABORTED"
    assert outcome.details.startswith("Exception calling application")


def test_no_details(sync: FrontEnd, grpc: Any, run: Run) -> None:
    sync.clarion_only("fails to encode them")
    outcome = run(lambda context: context.abort(grpc.StatusCode.ABORTED, None))
    assert (outcome.code, outcome.details) == ("ABORTED", "")


def test_abort_with_a_code_that_is_no_status(run: Run) -> None:
    outcome = run(lambda context: context.abort(5, "five"))
    assert (outcome.code, outcome.details) == ("UNKNOWN", "five")


def test_abort_with_ok(grpc: Any, run: Run) -> None:
    outcome = run(lambda context: context.abort(grpc.StatusCode.OK, "fine"))
    assert (outcome.code, outcome.details) == ("UNKNOWN", "")


def test_abort_replaces_what_was_set(grpc: Any, run: Run) -> None:
    def action(context: Any) -> None:
        context.set_code(grpc.StatusCode.DATA_LOSS)
        context.set_details("lost")
        context.set_trailing_metadata((("kept", "1"),))
        context.abort(grpc.StatusCode.ABORTED, "enough")

    outcome = run(action)
    assert (outcome.code, outcome.details) == ("ABORTED", "enough")
    assert ("kept", "1") in outcome.trailing


def test_another_exception_after_abort_does_not_count(grpc: Any, run: Run) -> None:
    def action(context: Any) -> None:
        try:
            context.abort(grpc.StatusCode.ABORTED, "enough")
        except Exception as error:
            raise ValueError("something else") from error

    outcome = run(action)
    assert (outcome.code, outcome.details) == ("ABORTED", "enough")


def test_abort_takes_a_code_and_details(grpc: Any, run: Run) -> None:
    for arguments in ((grpc.StatusCode.ABORTED,), (grpc.StatusCode.ABORTED, "a", ())):
        outcome = run(lambda context, arguments=arguments: context.abort(*arguments))
        assert outcome.code == "UNKNOWN"
        assert outcome.details.startswith("Exception calling application")


FIELDS = collections.namedtuple("Fields", "code details trailing_metadata")


@pytest.mark.parametrize("duck", [False, True])
def test_abort_with_status(grpc: Any, run: Run, duck: bool) -> None:
    kind: Any = FIELDS if duck else type("Mine", (FIELDS, grpc.Status), {})

    def action(context: Any) -> None:
        context.set_trailing_metadata((("replaced", "1"),))
        context.abort_with_status(kind(grpc.StatusCode.ABORTED, "enough", (("a", "b"),)))

    outcome = run(action)
    assert (outcome.code, outcome.details) == ("ABORTED", "enough")
    assert outcome.trailing == [("a", "b")]


def test_abort_with_a_status_without_metadata(grpc: Any, run: Run) -> None:
    def action(context: Any) -> None:
        context.set_trailing_metadata((("replaced", "1"),))
        context.abort_with_status(FIELDS(grpc.StatusCode.ABORTED, "enough", None))

    assert run(action).trailing == []


def test_abort_with_status_ok(grpc: Any, run: Run) -> None:
    status = FIELDS(grpc.StatusCode.OK, "fine", (("a", "b"),))
    outcome = run(lambda context: context.abort_with_status(status))
    assert (outcome.code, outcome.details) == ("UNKNOWN", "")
    assert outcome.trailing == [("a", "b")]


def test_initial_metadata_is_refused_after_the_first_time(run: Run) -> None:
    seen: list[Any] = []

    def action(context: Any) -> None:
        context.send_initial_metadata((("a", "1"),))
        seen.append(raised(lambda: context.send_initial_metadata((("a", "2"),))))

    assert ("a", "1") in run(action).initial
    assert seen == [ValueError]


@pytest.mark.parametrize("nothing", [None, (), []])
def test_no_metadata(run: Run, nothing: Any) -> None:
    def action(context: Any) -> None:
        context.send_initial_metadata(nothing)
        context.set_trailing_metadata(nothing)

    outcome = run(action)
    assert (outcome.code, outcome.trailing) == ("OK", [])


def test_the_last_trailing_metadata_counts(run: Run) -> None:
    def action(context: Any) -> None:
        context.set_trailing_metadata((("a", "1"),))
        context.set_trailing_metadata([("b", "2"), ("c-bin", b"\0")])
        assert [tuple(each) for each in context.trailing_metadata()] == [
            ("b", "2"),
            ("c-bin", b"\0"),
        ]

    assert run(action).trailing == [("b", "2"), ("c-bin", b"\0")]


def test_metadata_of_the_asyncio_type(sync: FrontEnd, run: Run) -> None:
    metadata = sync.library.aio.Metadata(("a", "1"), ("a", "2"))

    def action(context: Any) -> None:
        context.send_initial_metadata(metadata)
        context.set_trailing_metadata(metadata)

    outcome = run(action)
    assert outcome.initial == outcome.trailing == [("a", "1"), ("a", "2")]


@pytest.mark.parametrize("wrong", ["text", {"a": "b"}, (("Ä", "b"),), (("a",),), 5])
def test_metadata_that_cannot_be_sent_is_refused(sync: FrontEnd, run: Run, wrong: Any) -> None:
    sync.clarion_only("fails when it is too late, and the call hangs")
    seen: list[Any] = []

    def action(context: Any) -> None:
        for method in (context.send_initial_metadata, context.set_trailing_metadata):
            try:
                method(wrong)
            except (TypeError, ValueError):
                seen.append(method)

    assert run(action).code == "OK"
    assert len(seen) == 2


def test_compression_set_too_late_does_nothing(grpc: Any, run: Run) -> None:
    def action(context: Any) -> None:
        context.send_initial_metadata((("a", "1"),))
        context.set_compression(grpc.Compression.Gzip)

    assert run(action, bytes(1000)).responses == [bytes(1000)]


def test_compression_none_leaves_it(run: Run) -> None:
    def action(context: Any) -> None:
        context.set_compression(None)
        context.disable_next_message_compression()

    assert run(action, bytes(1000)).responses == [bytes(1000)]


def test_attributes_of_the_application(run: Run) -> None:
    seen: list[Any] = []

    def action(context: Any) -> None:
        context.user = "somebody"
        seen.append(context.user)
        seen.append(weakref.ref(context)() is context)

    assert run(action).code == "OK"
    assert seen == ["somebody", True]


def test_a_cancelled_call(run: Run, grpc: Any) -> None:
    seen: list[Any] = []
    left = threading.Event()

    def action(context: Any) -> None:
        over = threading.Event()
        seen.append(context.add_callback(over.set))
        context.cancel()
        seen.append(over.wait(LIMIT))
        seen.append(context.is_active())
        seen.append(context.add_callback(over.set))
        seen.append(context.cancel())
        error = raised(lambda: context.send_initial_metadata((("a", "1"),)))
        seen.append(error is not None and issubclass(error, grpc.RpcError))
        left.set()

    assert run(action).code == "CANCELLED"
    assert left.wait(LIMIT)
    assert seen == [True, True, False, False, None, True]


def test_callbacks_all_run_even_if_one_raises(run: Run) -> None:
    ended = threading.Event()

    def fail() -> None:
        raise ValueError("a callback of the test")

    def action(context: Any) -> None:
        context.add_callback(fail)
        context.add_callback(ended.set)

    assert run(action).code == "OK"
    assert ended.wait(LIMIT)
