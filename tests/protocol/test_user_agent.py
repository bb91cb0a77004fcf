"""The `user-agent` of a client."""

from __future__ import annotations

import pytest

from clarion.errors import LocalError
from clarion.protocol.user_agent import InvalidUserAgent, user_agent


@pytest.mark.parametrize(
    ("primary", "secondary", "value"),
    [
        (None, None, b"grpc-python-clarion/1.2.3"),
        ("", "", b"grpc-python-clarion/1.2.3"),
        (" ", " ", b"grpc-python-clarion/1.2.3"),
        ("shop/7", None, b"shop/7 grpc-python-clarion/1.2.3"),
        (None, "(linux)", b"grpc-python-clarion/1.2.3 (linux)"),
        (" shop/7 ", " (linux; x) ", b"shop/7 grpc-python-clarion/1.2.3 (linux; x)"),
    ],
)
def test_user_agent(primary: str | None, secondary: str | None, value: bytes) -> None:
    assert user_agent(primary, secondary, "1.2.3") == value


@pytest.mark.parametrize("part", ["a\r\nb: c", "é", "a\tb", "\x7f"])
def test_refuses_what_a_header_cannot_carry(part: str) -> None:
    for arguments in [(part, None), (None, part)]:
        with pytest.raises(InvalidUserAgent, match="primary_user_agent") as caught:
            user_agent(*arguments, "1")
        assert isinstance(caught.value, LocalError)
        assert isinstance(caught.value, ValueError)
