"""Interceptors of sync servers; those of asyncio servers are in `clarion.auth.aio`.

A call that is refused never gets to its handler, nor to interceptors behind these; its requests are not even unpacked.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from clarion.auth.authenticator import Authentication, Authenticator
from clarion.auth.errors import AuthenticationFailed
from clarion.auth.identities import CallInfo, Identity
from clarion.auth.policy import Policy
from clarion.auth.policy_file import PolicyFile
from clarion.auth.refusal import NOT_ALLOWED, check_grace, check_policy, describe, note, refused
from clarion.method import RpcMethodHandler, stream_stream_rpc_method_handler
from clarion.status import StatusCode
from clarion.sync.interceptor_interface import ServerInterceptor

__all__ = ["AuthenticationInterceptor", "AuthorizationInterceptor"]


def _refuse(code: StatusCode, details: str) -> RpcMethodHandler:
    """A handler that waits for no request, whatever the method's pattern."""

    def refuse(_: Iterator[Any], context: Any) -> NoReturn:
        context.abort(code, details)
        raise AssertionError("abort returned")

    return stream_stream_rpc_method_handler(refuse)


class AuthenticationInterceptor(ServerInterceptor):
    """Finds out who makes each call, and refuses those of whom it cannot. See `identity` for the result.

    Args:
        authenticators: asked in this order, until one knows the caller. A call whose token was refused by those that
            look at tokens is refused, whatever its connection proves.
        exempt: methods that need no identity, with the patterns of policies: `/grpc.health.v1.Health/*`.
        optional: calls without credentials pass, without an identity; those with bad ones never do.
        expiry_grace: calls that still go on so many seconds after their caller's token expired end with
            UNAUTHENTICATED. Not less than the authenticators' leeway, or tokens within that are refused. None: calls go
            on, whatever their length.

    Raises:
        TypeError, ValueError: an argument cannot be used.
    """

    def __init__(
        self,
        *authenticators: Authenticator,
        exempt: Iterable[str] = (),
        optional: bool = False,
        expiry_grace: float | None = None,
    ) -> None:
        self._authentication = Authentication(authenticators, exempt, optional)
        self._grace = check_grace(expiry_grace)

    def intercept_service(
        self, continuation: Any, handler_call_details: Any
    ) -> RpcMethodHandler | None:
        """See `ServerInterceptor`."""
        info = describe(handler_call_details)
        try:
            note(self._identify(info), self._grace)
        except AuthenticationFailed as error:
            refused(info, error)
            return _refuse(error.code, error.reason)
        handler: RpcMethodHandler | None = continuation(handler_call_details)
        return handler

    def _identify(self, info: CallInfo) -> Identity | None:
        steps = self._authentication.steps(info)
        try:
            while True:
                pending = next(steps)
                concurrent.futures.wait([pending.future], pending.patience)
        except StopIteration as done:
            found: Identity | None = done.value
            return found


class AuthorizationInterceptor(ServerInterceptor):
    """Lets pass what a policy allows, and refuses all else with PERMISSION_DENIED (gRFC A43).

    It goes behind the authentication interceptor, if policies are to know identities of tokens.

    Args:
        policy: a `Policy` or a `PolicyFile`.
    """

    def __init__(self, policy: Policy | PolicyFile) -> None:
        self._policy = check_policy(policy)

    def intercept_service(
        self, continuation: Any, handler_call_details: Any
    ) -> RpcMethodHandler | None:
        """See `ServerInterceptor`."""
        if not self._policy.current().authorize(describe(handler_call_details)):
            return _refuse(StatusCode.PERMISSION_DENIED, NOT_ALLOWED)
        handler: RpcMethodHandler | None = continuation(handler_call_details)
        return handler
