"""Why a call is refused, in words that its client may read. No message has a token, or a part of one."""

from __future__ import annotations

from clarion.status import StatusCode

__all__ = ["AuthenticationFailed", "VerifierUnavailable", "need_pyjwt"]


class AuthenticationFailed(Exception):
    """Credentials came with a call and do not hold. Authenticators raise it.

    Args:
        reason: sent to the client as the status message; say nothing of the credentials themselves.

    Attributes:
        code: with which status the call ends.
    """

    code = StatusCode.UNAUTHENTICATED

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class VerifierUnavailable(AuthenticationFailed):
    """Nobody can tell now whether the credentials hold: keys or answers cannot be had. The call ends with UNAVAILABLE."""

    code = StatusCode.UNAVAILABLE


def need_pyjwt() -> None:
    """Check that the libraries for signatures are there.

    Raises:
        ModuleNotFoundError: they are not; the message names the extra.
    """
    try:
        import cryptography  # noqa: F401
        import jwt  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is not installed, which verifies signatures of tokens: "
            "pip install 'clarion-rpc[auth]'",
            name=error.name,
        ) from None
