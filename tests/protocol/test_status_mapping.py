"""Statuses from the wire, from HTTP statuses and from RST_STREAM, against the documents' tables."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.protocol.status_mapping import (
    http_details,
    reset_details,
    status_from_http,
    status_from_reset,
    status_from_wire,
)
from clarion.status import StatusCode


@pytest.mark.parametrize("code", list(StatusCode))
def test_every_status_number(code: StatusCode) -> None:
    assert status_from_wire(str(code.value[0]).encode()) is code


@pytest.mark.parametrize(
    "value", [b"17", b"99", b"-1", b"00", b"05", b"", b"abc", b" 5", b"5 ", b"5.0", b"\xff"]
)
def test_other_status_values_are_unknown(value: bytes) -> None:
    assert status_from_wire(value) is StatusCode.UNKNOWN


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=4))
def test_only_a_plain_zero_is_ok(value: bytes) -> None:
    assert (status_from_wire(value) is StatusCode.OK) == (value == b"0")


@pytest.mark.parametrize(
    ("http", "code"),
    [
        (400, StatusCode.INTERNAL),
        (401, StatusCode.UNAUTHENTICATED),
        (403, StatusCode.PERMISSION_DENIED),
        (404, StatusCode.UNIMPLEMENTED),
        (429, StatusCode.UNAVAILABLE),
        (431, StatusCode.INTERNAL),
        (502, StatusCode.UNAVAILABLE),
        (503, StatusCode.UNAVAILABLE),
        (504, StatusCode.UNAVAILABLE),
    ],
)
def test_http_status(http: int, code: StatusCode) -> None:
    assert status_from_http(http) is code
    assert http_details(http) == f"Received http2 header with status: {http}"


@pytest.mark.parametrize("http", [0, 100, 200, 204, 301, 402, 408, 415, 499, 500, 501, 505, 999])
def test_other_http_statuses_are_unknown(http: int) -> None:
    assert status_from_http(http) is StatusCode.UNKNOWN


@pytest.mark.parametrize(
    ("error_code", "code", "name"),
    [
        (0, StatusCode.INTERNAL, "NO_ERROR"),
        (1, StatusCode.INTERNAL, "PROTOCOL_ERROR"),
        (2, StatusCode.INTERNAL, "INTERNAL_ERROR"),
        (3, StatusCode.INTERNAL, "FLOW_CONTROL_ERROR"),
        (4, StatusCode.INTERNAL, "SETTINGS_TIMEOUT"),
        (5, StatusCode.INTERNAL, "STREAM_CLOSED"),
        (6, StatusCode.INTERNAL, "FRAME_SIZE_ERROR"),
        (7, StatusCode.UNAVAILABLE, "REFUSED_STREAM"),
        (8, StatusCode.CANCELLED, "CANCEL"),
        (9, StatusCode.INTERNAL, "COMPRESSION_ERROR"),
        (10, StatusCode.INTERNAL, "CONNECT_ERROR"),
        (11, StatusCode.RESOURCE_EXHAUSTED, "ENHANCE_YOUR_CALM"),
        (12, StatusCode.PERMISSION_DENIED, "INADEQUATE_SECURITY"),
        (13, StatusCode.INTERNAL, "HTTP_1_1_REQUIRED"),
        (14, StatusCode.INTERNAL, "not an error code"),
        (0xFFFFFFFF, StatusCode.INTERNAL, "not an error code"),
    ],
)
def test_reset(error_code: int, code: StatusCode, name: str) -> None:
    assert status_from_reset(error_code) is code
    assert reset_details(error_code).startswith(
        f"Received RST_STREAM with error code {error_code} ({name}"
    )
