"""Callers that prove who they are with tokens; only over TLS, for tokens must not be overheard.

The cases are written for Google's cloud. Here the authority is `interop.program.authority`, or
whatever the key file and `GCE_METADATA_HOST` name.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from interop.cases.registry import LARGE_RESPONSE, TEST, case, check
from interop.cases.unary import large_request
from interop.program.channel_credentials import call_credentials, service_account_token
from interop.program.messages import testing
from interop.program.session import Failure, Session


def _account(flags: argparse.Namespace) -> str:
    """Who the caller is."""
    if flags.service_account_key_file:
        account = json.loads(Path(flags.service_account_key_file).read_text())["client_email"]
        return str(account)
    return str(flags.default_service_account)


async def _ask(session: Session, request: Any, flags: argparse.Namespace, **options: Any) -> None:
    response, _ = await session.ok(TEST["UnaryCall"], request, **options)
    check("username", response.message.username, _account(flags))
    if request.fill_oauth_scope:
        scope = response.message.oauth_scope
        if not scope or scope not in flags.oauth_scope:
            raise Failure(f"oauth_scope: {scope!r} is not in {flags.oauth_scope!r}")
    check("payload size", len(response.message.payload.body), request.response_size)


@case(secure=True)
async def compute_engine_creds(session: Session, flags: argparse.Namespace) -> None:
    flags.service_account_key_file = None  # the metadata server's account counts
    await _ask(session, large_request(fill_username=True, fill_oauth_scope=True), flags)


@case(secure=True)
async def jwt_token_creds(session: Session, flags: argparse.Namespace) -> None:
    request = large_request(fill_username=True)
    check("response size asked for", request.response_size, LARGE_RESPONSE)
    await _ask(session, request, flags)


@case(secure=True)
async def oauth2_auth_token(session: Session, flags: argparse.Namespace) -> None:
    await _ask(session, testing.SimpleRequest(fill_username=True, fill_oauth_scope=True), flags)


@case(secure=True)
async def per_rpc_creds(session: Session, flags: argparse.Namespace) -> None:
    # Once with a token that is signed for each call, once with one that was fetched.
    for scope in (False, True):
        request = testing.SimpleRequest(fill_username=True, fill_oauth_scope=scope)
        if scope:
            token = service_account_token(flags)
            own = session.library.root.access_token_call_credentials(token)
        else:
            own = call_credentials(session.library, "jwt_token_creds", flags)
        await _ask(session, request, flags, credentials=own)


@case(secure=True)
async def google_default_credentials(session: Session, flags: argparse.Namespace) -> None:
    await _ask(session, large_request(fill_username=True), flags)
