"""The `user-agent` header of a client, in the form that PROTOCOL-HTTP2 ("User Agents") recommends.

`grpc-python-clarion/1.2.3` names language, variant and version. The application may put its own
product before it and after it, as `grpc.primary_user_agent` and `grpc.secondary_user_agent` do.
"""

from __future__ import annotations

from clarion.errors import LocalError

__all__ = ["InvalidUserAgent", "user_agent"]


class InvalidUserAgent(LocalError, ValueError):
    """The application's part of the user agent cannot be sent as an HTTP/2 header value."""


def user_agent(primary: str | None, secondary: str | None, version: str) -> bytes:
    """Return `[primary ]grpc-python-clarion/<version>[ secondary]`.

    Args:
        primary: What the application puts first, or None (or blank) for nothing.
        secondary: What it puts last, or None (or blank) for nothing.
        version: Clarion's version.

    Raises:
        InvalidUserAgent: A part has characters other than space and printable ASCII.
    """
    parts = (primary or "", f"grpc-python-clarion/{version}", secondary or "")
    text = " ".join(part.strip(" ") for part in parts).strip(" ")
    if not (text.isascii() and text.isprintable()):
        raise InvalidUserAgent(
            f"the user agent {text!r} has characters that HTTP/2 header values do not carry; use"
            " printable ASCII in grpc.primary_user_agent and grpc.secondary_user_agent"
        )
    return text.encode("ascii")
