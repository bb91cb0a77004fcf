"""What authenticators are, and how several decide on a call.

An authenticator has no front end: where it must wait, for keys or for an answer, it is a generator that yields what
it waits for. Each front end waits in its own way (`interceptors.py`, `aio.py`).
"""

from __future__ import annotations

import abc
import enum
import logging
import traceback
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from clarion.auth.errors import AuthenticationFailed
from clarion.auth.identities import CallInfo, Identity
from clarion.auth.patterns import Pattern
from clarion.status import StatusCode

__all__ = ["Authentication", "Authenticator", "Evidence", "Pending", "Steps"]

_LOG = logging.getLogger("clarion.auth")


class Evidence(enum.Enum):
    """What an authenticator looks at."""

    TOKEN = "token"  # nosec B105  # a name
    CONNECTION = "connection"


class Pending(NamedTuple):
    """What an authenticator waits for.

    Attributes:
        future: never fails; who waits looks again at what it waited for.
        patience: for how many seconds.
    """

    future: Future[None]
    patience: float


Steps = Generator[Pending, None, Identity | None]


class Authenticator(abc.ABC):
    """Finds out who makes a call. Used by many calls at a time, from several threads.

    Attributes:
        evidence: what it looks at. The connection does not vouch for a call whose token was refused.
    """

    evidence = Evidence.TOKEN

    @abc.abstractmethod
    def authenticate(self, call: CallInfo) -> Identity | Steps | None:
        """Decide on a call. It must not block; it may be a generator that yields `Pending`.

        Args:
            call: what there is to see.

        Returns:
            Who makes the call, or None if nothing in the call is for this authenticator.

        Raises:
            AuthenticationFailed: there is something, and it does not hold.
        """


class Authentication:
    """What an authentication interceptor does, on either front end.

    Args:
        authenticators: asked in this order, until one knows the caller.
        exempt: paths that need no identity, with the patterns of policies (`/grpc.health.v1.Health/*`).
        optional: calls without credentials pass; those with bad ones never do.

    Raises:
        TypeError: one of `authenticators` is none.
        ValueError: there are none.
    """

    def __init__(
        self, authenticators: Sequence[Authenticator], exempt: Iterable[str], optional: bool
    ) -> None:
        wrong = [type(each).__name__ for each in authenticators if not _is_one(each)]
        if wrong:
            raise TypeError(f"authenticators must be clarion.auth.Authenticator, not {wrong}")
        if not authenticators:
            raise ValueError("an authentication interceptor needs an authenticator")
        if isinstance(exempt, str):
            raise TypeError("exempt must be several paths: write a list, even of one")
        self._authenticators = tuple(authenticators)
        self._exempt = tuple(Pattern(each) for each in exempt)
        self._optional = optional

    def steps(self, call: CallInfo) -> Steps:
        """Find out who makes a call; None lets it pass unproven.

        Raises:
            AuthenticationFailed: the call must not pass.
        """
        if any(pattern.matches(call.method) for pattern in self._exempt):
            return None
        try:
            found = yield from self._identify(call)
        except AuthenticationFailed:
            raise
        except Exception as error:
            # Its text is not ours, and may have the token. Where it happened is enough to find it.
            where = "".join(traceback.format_tb(error.__traceback__))
            _LOG.error("an authenticator raised %s:\n%s", type(error).__name__, where)
            raise _Broken from None
        if found is None and not self._optional:
            raise AuthenticationFailed("the call has no credentials that this server takes")
        return found

    def _identify(self, call: CallInfo) -> Steps:
        refusal: AuthenticationFailed | None = None
        for each in self._authenticators:
            if refusal is not None and each.evidence is Evidence.CONNECTION:
                continue
            try:
                answer = each.authenticate(call)
                if isinstance(answer, Generator):
                    answer = yield from answer
            except AuthenticationFailed as error:
                if refusal is None or error.code is StatusCode.UNAVAILABLE:
                    refusal = error
                continue
            if answer is not None:
                if not isinstance(answer, Identity):
                    raise TypeError(f"an authenticator returned {type(answer).__name__}")
                return answer
        if refusal is not None:
            raise refusal
        return None


def _is_one(value: object) -> bool:
    return isinstance(value, Authenticator)


class _Broken(AuthenticationFailed):
    code = StatusCode.INTERNAL

    def __init__(self) -> None:
        super().__init__("the server could not authenticate the call")
