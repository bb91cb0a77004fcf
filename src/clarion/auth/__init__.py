"""Who makes a call, and whether it may: authentication and authorization for servers of both front ends.

Authenticators find out who makes a call: `JwtAuthenticator`, `IntrospectionAuthenticator`, `TokenAuthenticator`,
`TlsAuthenticator`, `UnixAuthenticator`. Interceptors ask them before the handler runs, and `identity(context)` tells the
handler. A `Policy` (gRFC A43) says who may call what, and so does `require`, for one method.

The interceptors here are for sync servers, those in `clarion.auth.aio` for asyncio ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.first_use import on_first_use

if TYPE_CHECKING:
    from clarion.auth import aio as aio
    from clarion.auth.audit import AuditEvent, AuditLogger, register_audit_logger
    from clarion.auth.authenticator import Authenticator, Evidence, Pending, Steps
    from clarion.auth.connection import TlsAuthenticator, UnixAuthenticator
    from clarion.auth.errors import AuthenticationFailed, VerifierUnavailable
    from clarion.auth.identities import CallInfo, Identity, identity
    from clarion.auth.interceptors import AuthenticationInterceptor, AuthorizationInterceptor
    from clarion.auth.introspection import IntrospectionAuthenticator
    from clarion.auth.jwt import JwtAuthenticator
    from clarion.auth.keys import Jwks, KeySource, PublicKey, SharedSecret
    from clarion.auth.policy import Decision, InvalidPolicy, Policy
    from clarion.auth.policy_file import PolicyFile
    from clarion.auth.remote_keys import RemoteJwks
    from clarion.auth.replay import ReplayCache
    from clarion.auth.requirements import require, strict, unrestricted
    from clarion.auth.tokens import TokenAuthenticator
else:
    __getattr__ = on_first_use(
        "clarion.auth",
        {
            "clarion.auth.audit": "AuditEvent AuditLogger register_audit_logger",
            "clarion.auth.authenticator": "Authenticator Evidence Pending Steps",
            "clarion.auth.connection": "TlsAuthenticator UnixAuthenticator",
            "clarion.auth.errors": "AuthenticationFailed VerifierUnavailable",
            "clarion.auth.identities": "CallInfo Identity identity",
            "clarion.auth.interceptors": "AuthenticationInterceptor AuthorizationInterceptor",
            "clarion.auth.introspection": "IntrospectionAuthenticator",
            "clarion.auth.jwt": "JwtAuthenticator",
            "clarion.auth.keys": "Jwks KeySource PublicKey SharedSecret",
            "clarion.auth.policy": "Decision InvalidPolicy Policy",
            "clarion.auth.policy_file": "PolicyFile",
            "clarion.auth.remote_keys": "RemoteJwks",
            "clarion.auth.replay": "ReplayCache",
            "clarion.auth.requirements": "require strict unrestricted",
            "clarion.auth.tokens": "TokenAuthenticator",
        },
        ["aio"],
    )

__all__ = [
    "AuditEvent",
    "AuditLogger",
    "AuthenticationFailed",
    "AuthenticationInterceptor",
    "Authenticator",
    "AuthorizationInterceptor",
    "CallInfo",
    "Decision",
    "Evidence",
    "Identity",
    "IntrospectionAuthenticator",
    "InvalidPolicy",
    "Jwks",
    "JwtAuthenticator",
    "KeySource",
    "Pending",
    "Policy",
    "PolicyFile",
    "PublicKey",
    "RemoteJwks",
    "ReplayCache",
    "SharedSecret",
    "Steps",
    "TlsAuthenticator",
    "TokenAuthenticator",
    "UnixAuthenticator",
    "VerifierUnavailable",
    "aio",
    "identity",
    "register_audit_logger",
    "require",
    "strict",
    "unrestricted",
]
