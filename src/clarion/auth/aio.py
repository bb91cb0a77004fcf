"""Interceptors of asyncio servers; the same as in `clarion.auth`, which has those of sync servers.

Nothing of it blocks the event loop: keys and answers are fetched on other threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from clarion.aio.interceptors import ServerInterceptor
from clarion.auth.authenticator import Authentication, Authenticator, Pending
from clarion.auth.errors import AuthenticationFailed
from clarion.auth.identities import CallInfo, Identity
from clarion.auth.policy import Policy
from clarion.auth.policy_file import PolicyFile
from clarion.auth.refusal import NOT_ALLOWED, check_grace, check_policy, describe, note, refused
from clarion.method import RpcMethodHandler, stream_stream_rpc_method_handler
from clarion.status import StatusCode

__all__ = ["AuthenticationInterceptor", "AuthorizationInterceptor"]


def _refuse(code: StatusCode, details: str) -> RpcMethodHandler:
    """A handler that waits for no request, whatever the method's pattern."""

    async def refuse(_: AsyncIterator[Any], context: Any) -> None:
        await context.abort(code, details)

    return stream_stream_rpc_method_handler(refuse)


async def _wait(pending: Pending) -> None:
    future = asyncio.wrap_future(pending.future)
    await asyncio.wait([future], timeout=pending.patience)


class AuthenticationInterceptor(ServerInterceptor):
    """Finds out who makes each call, and refuses those of whom it cannot. See `clarion.auth.identity` for the result.

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

    async def intercept_service(
        self, continuation: Any, handler_call_details: Any
    ) -> RpcMethodHandler | None:
        """See `ServerInterceptor`."""
        info = describe(handler_call_details)
        try:
            note(await self._identify(info), self._grace)
        except AuthenticationFailed as error:
            refused(info, error)
            return _refuse(error.code, error.reason)
        handler: RpcMethodHandler | None = await continuation(handler_call_details)
        return handler

    async def _identify(self, info: CallInfo) -> Identity | None:
        steps = self._authentication.steps(info)
        try:
            while True:
                await _wait(next(steps))
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

    async def intercept_service(
        self, continuation: Any, handler_call_details: Any
    ) -> RpcMethodHandler | None:
        """See `ServerInterceptor`."""
        if not self._policy.current().authorize(describe(handler_call_details)):
            return _refuse(StatusCode.PERMISSION_DENIED, NOT_ALLOWED)
        handler: RpcMethodHandler | None = await continuation(handler_call_details)
        return handler
