"""Details as data classes, as messages, and what is left of them in little room."""

from __future__ import annotations

import pickle
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf import any_pb2, duration_pb2

from clarion.rich_errors import (
    DETAILS_KEY,
    BadRequest,
    DebugInfo,
    ErrorInfo,
    FieldViolation,
    Help,
    Link,
    LocalizedMessage,
    PreconditionFailure,
    PreconditionViolation,
    QuotaFailure,
    QuotaViolation,
    RequestInfo,
    ResourceInfo,
    RetryInfo,
    StatusError,
    error_details,
    find_detail,
    from_call,
    make_status,
    protos,
    to_status,
)
from clarion.rich_errors.details import pack, unpack
from clarion.rich_errors.sending import fitting
from clarion.status import StatusCode
from support.processes import python_environment

EVERY_KIND: list[Any] = [
    ErrorInfo("REASON", "example.com", {"a": "b", "c": ""}),
    RetryInfo(1.5),
    RetryInfo(0.000_000_001),
    DebugInfo(["inner", "outer"], "more"),
    QuotaFailure(
        [
            QuotaViolation("project:1", "too much", "s", "m", "id", {"zone": "a"}, 5, 0),
            QuotaViolation("project:2"),
        ]
    ),
    PreconditionFailure([PreconditionViolation("TOS", "books", "accept them")]),
    BadRequest(
        [
            FieldViolation("a[1].b", "is bad", "BAD", LocalizedMessage("de", "ist schlecht")),
            FieldViolation("c"),
        ]
    ),
    RequestInfo("id", "data"),
    ResourceInfo("book", "isbn/1", "me", "is gone"),
    Help([Link("more", "https://example.com")]),
    LocalizedMessage("en-US", "no"),
]


@pytest.mark.parametrize("detail", EVERY_KIND, ids=lambda detail: type(detail).__name__)
def test_a_detail_there_and_back(detail: Any) -> None:
    packed = pack(detail)
    assert packed.type_url == f"type.googleapis.com/google.rpc.{type(detail).__name__}"
    assert unpack(any_pb2.Any.FromString(packed.SerializeToString())) == detail
    assert unpack(pack(type(detail)())) == type(detail)()


def test_the_bytes_are_those_of_the_messages() -> None:
    pytest.importorskip("google.rpc.error_details_pb2", reason="no googleapis-common-protos")
    from google.rpc import error_details_pb2

    theirs = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field="a", description="is bad")
        ]
    )
    ours = BadRequest([FieldViolation("a", "is bad")])
    assert pack(ours).value == theirs.SerializeToString()
    assert unpack(pack(theirs)) == ours


def test_details_of_other_types() -> None:
    duration = duration_pb2.Duration(seconds=3)
    packed = any_pb2.Any(type_url="type.example.com/other.Type", value=b"\xff")
    assert unpack(packed) is packed
    assert pack(packed) is packed
    status = make_status(StatusCode.ABORTED, "no", packed, duration)
    error = failed(StatusCode.ABORTED, "no", status.SerializeToString())
    assert error_details(error) == (packed, pack(duration))
    assert find_detail(error, duration_pb2.Duration) == duration
    with pytest.raises(TypeError, match="protobuf message, not str"):
        pack("text")


def failed(code: StatusCode, details: str, data: bytes | None) -> Any:
    metadata = None if data is None else (("other", "1"), (DETAILS_KEY, data))
    return SimpleNamespace(
        code=lambda: code, details=lambda: details, trailing_metadata=lambda: metadata
    )


def test_from_call_as_grpcio_status_has_it() -> None:
    status = make_status(StatusCode.ABORTED, "no", RetryInfo(1))
    data = status.SerializeToString()
    assert from_call(failed(StatusCode.ABORTED, "no", data)) == status
    assert from_call(failed(StatusCode.ABORTED, "no", None)) is None
    with pytest.raises(ValueError, match=r"Code in Status proto .*ABORTED.* doesn't match"):
        from_call(failed(StatusCode.NOT_FOUND, "no", data))
    with pytest.raises(ValueError, match="Message in Status proto"):
        from_call(failed(StatusCode.ABORTED, "another", data))
    unknown = type(status)(code=99, message="no").SerializeToString()
    with pytest.raises(ValueError, match="99"):
        from_call(failed(StatusCode.ABORTED, "no", unknown))
    with pytest.raises(ValueError, match=r"no google\.rpc\.Status"):
        from_call(failed(StatusCode.ABORTED, "no", b"\xff\xff\xff"))


def test_to_status() -> None:
    status = make_status(StatusCode.ABORTED, "no", RetryInfo(1))
    result = to_status(status)
    assert (result.code, result.details) == (StatusCode.ABORTED, "no")
    assert result.trailing_metadata == ((DETAILS_KEY, status.SerializeToString()),)
    with pytest.raises(ValueError, match="17"):
        to_status(type(status)(code=17))
    large = make_status(StatusCode.ABORTED, "no", RetryInfo(1), DebugInfo(detail="x" * 9000))
    ((_, data),) = to_status(large).trailing_metadata
    assert data == status.SerializeToString()
    ((_, data),) = to_status(large, max_size=None).trailing_metadata
    assert data == large.SerializeToString()


def test_a_status_that_does_not_say_its_code_is_read() -> None:
    status = make_status(StatusCode.OK, "", RetryInfo(1))
    error = failed(StatusCode.ABORTED, "no", status.SerializeToString())
    assert error_details(error) == (RetryInfo(1),)


def test_what_fits() -> None:
    status = make_status(StatusCode.ABORTED, "no", *[RetryInfo(1)] * 20)
    kept = []
    for size in range(3000):
        metadata = fitting(status, size)
        kept.append(len(type(status).FromString(metadata[0][1]).details) if metadata else -1)
    assert kept == sorted(kept)
    assert set(kept) == set(range(-1, 21))
    assert len(status.details) == 20
    assert fitting(status, -5) == ()


def test_a_long_message_leaves_less_room() -> None:
    detail = DebugInfo(detail="x" * 1000)
    short = StatusError(StatusCode.ABORTED, "no", detail)
    # In the message, each of these is six bytes.
    long = StatusError(StatusCode.ABORTED, "ö" * 900, detail)
    assert len(short.fit(None)) == 1
    assert make_status(StatusCode.ABORTED, "no", detail) == short.status
    ((_, data),) = long.fit(None) or (("", b""),)
    assert not data or not type(long.status).FromString(data).details


def test_errors_are_checked_and_can_be_copied() -> None:
    with pytest.raises(TypeError, match="StatusCode"):
        StatusError(5, "no")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="OK"):
        StatusError(StatusCode.OK)
    with pytest.raises(TypeError, match="a detail is"):
        StatusError(StatusCode.ABORTED, "no", "why")
    error = StatusError(StatusCode.ABORTED, "no", RetryInfo(1))
    again = pickle.loads(pickle.dumps(error))
    assert str(error) == str(again) == "ABORTED: no"
    assert again.status == error.status


ALONE = """
import sys, importlib
# As if googleapis-common-protos were not installed, though it may be.
sys.modules["google.rpc"] = None
import clarion.rich_errors
assert "google.protobuf" not in sys.modules
from clarion.rich_errors import RetryInfo, make_status, protos
status = make_status(clarion.StatusCode.ABORTED, "no", RetryInfo(1))
assert type(status).DESCRIPTOR.full_name == "google.rpc.Status"
assert protos.message_class("Status") is type(status)
from google.protobuf import descriptor_pool
names = [protos.STATUS_FILE, protos.DETAILS_FILE]
for name in names:
    descriptor_pool.Default().FindFileByName(name)
del sys.modules["google.rpc"]
try:
    from google.rpc import error_details_pb2, status_pb2
except ImportError:
    print("alone")
else:
    print("together")
    assert status_pb2.Status.FromString(status.SerializeToString()).code == 10
"""


def test_messages_without_googleapis_common_protos() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=python_environment(),
    )
    assert done.returncode == 0, done.stderr
    try:
        import google.rpc.status_pb2
    except ImportError:
        assert done.stdout == "alone\n"
    else:
        assert google.rpc.status_pb2
        assert done.stdout == "together\n"


def test_the_files_are_the_published_ones() -> None:
    pytest.importorskip("google.rpc.error_details_pb2", reason="no googleapis-common-protos")
    from google.rpc import error_details_pb2, status_pb2

    published = error_details_pb2.DESCRIPTOR
    if (
        "api_service"
        not in published.message_types_by_name["QuotaFailure"].nested_types[0].fields_by_name
    ):
        pytest.skip("googleapis-common-protos is older than these fields")
    for name, file in (
        (protos.STATUS_FILE, status_pb2.DESCRIPTOR),
        (protos.DETAILS_FILE, published),
    ):
        assert protos._describe(name).SerializeToString() == file.serialized_pb
