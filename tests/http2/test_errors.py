"""Names of error codes, and what a fault carries."""

from __future__ import annotations

import pytest

from clarion.errors import RemoteError
from clarion.http2 import ConnectionFault, ErrorCode, StreamFault, error_name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0, "NO_ERROR"),
        (0xB, "ENHANCE_YOUR_CALM"),
        (0xD, "HTTP_1_1_REQUIRED"),
        (0x99, "error code 0x99"),
    ],
)
def test_names(code: int, name: str) -> None:
    assert error_name(code) == name


def test_faults_are_the_peers() -> None:
    fault = StreamFault(5, ErrorCode.CANCEL, "why")
    assert isinstance(fault, RemoteError)
    assert (fault.stream_id, fault.code, str(fault)) == (5, ErrorCode.CANCEL, "why")
    broken = ConnectionFault(ErrorCode.PROTOCOL_ERROR, "what")
    assert isinstance(broken, RemoteError)
    assert (broken.code, str(broken)) == (ErrorCode.PROTOCOL_ERROR, "what")
