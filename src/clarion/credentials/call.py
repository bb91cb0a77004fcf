"""The credentials of calls (`grpc.CallCredentials`): metadata that says on whose behalf a call is made."""

from __future__ import annotations

import abc
import contextvars
import dataclasses
from collections.abc import Callable
from typing import Any

from clarion.credentials.google import GoogleAuth, is_google_auth
from clarion.credentials.kinds import Plugin, Token
from clarion.status import StatusCode

__all__ = [
    "AuthMetadataContext",
    "AuthMetadataPlugin",
    "AuthMetadataPluginCallback",
    "CallCredentials",
    "CallCredentialsError",
    "CallDescription",
    "Sources",
    "access_token_call_credentials",
    "composite_call_credentials",
    "describe_call",
    "metadata_call_credentials",
    "sources_of",
]

Sources = tuple[Plugin | Token, ...]


class CallCredentials:
    """Metadata for calls; for `credentials` of a call, or `composite_channel_credentials`.

    It is sent on secure channels only. Made by the functions of this module.
    """

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials


class AuthMetadataContext(abc.ABC):
    """The call that a plugin makes metadata for.

    Attributes:
        service_url: `https://host:port/package.Service`, for whom the metadata is; without the port if that is 443.
        method_name: the method, without its service.
    """

    service_url: str
    method_name: str


class AuthMetadataPluginCallback(abc.ABC):  # noqa: B024
    """What a plugin answers through."""

    def __call__(self, metadata: Any, error: Exception | None) -> None:
        """Answer, once, from any thread.

        Args:
            metadata: `(key, value)` pairs, or None for none.
            error: why there is no metadata; the call then ends with UNAVAILABLE, or as a `CallCredentialsError` says.
        """
        raise NotImplementedError


class AuthMetadataPlugin(abc.ABC):  # noqa: B024
    """Makes metadata for calls; any callable with these arguments will do."""

    def __call__(self, context: AuthMetadataContext, callback: AuthMetadataPluginCallback) -> None:
        """Make metadata for a call, and pass it to `callback`, now or later.

        It runs on a thread of Clarion's, where it may block; the call's deadline goes on.

        Args:
            context: the call.
            callback: where the metadata goes.
        """
        raise NotImplementedError


class CallCredentialsError(Exception):
    """Why there is no metadata, and what the call ends with; for plugins to raise, or to pass to their callback.

    Other exceptions end the call with UNAVAILABLE, as with grpcio.

    Args:
        details: what went wrong, without secrets: it becomes the call's details.
        code: `UNAUTHENTICATED` for credentials that are refused or unusable, so that trying again is of no use;
            `UNAVAILABLE` for what may pass. gRFC A54 allows no other code that would do here.

    Raises:
        ValueError: another code.
    """

    def __init__(self, details: str, code: StatusCode = StatusCode.UNAUTHENTICATED) -> None:
        if code not in (StatusCode.UNAUTHENTICATED, StatusCode.UNAVAILABLE):
            raise ValueError(
                f"call credentials end calls with UNAUTHENTICATED or UNAVAILABLE, not {code!r}"
            )
        super().__init__(details)
        self.code = code


@dataclasses.dataclass(frozen=True)
class CallDescription(AuthMetadataContext):
    """The context that plugins get."""

    service_url: str
    method_name: str


def describe_call(secure: bool, authority: str, path: str) -> CallDescription:
    """The context for a call.

    Args:
        secure: whether the channel has TLS.
        authority: whom it calls.
        path: `/package.Service/Method`.
    """
    service, _, method = path.rpartition("/")
    if secure:
        authority = authority.removesuffix(":443")
    return CallDescription(f"http{'s' if secure else ''}://{authority}{service}", method)


def sources_of(credentials: Any) -> Sources:
    """What `credentials` hold.

    Raises:
        TypeError: they are no call credentials.
    """
    sources = getattr(credentials, "_credentials", None)
    if isinstance(credentials, CallCredentials) and isinstance(sources, tuple):
        return sources
    if is_google_auth(credentials):
        return metadata_call_credentials(credentials)._credentials  # type: ignore[no-any-return]
    raise TypeError(
        "call credentials expected (metadata_call_credentials() makes some), "
        f"not {type(credentials).__name__}"
    )


def metadata_call_credentials(
    metadata_plugin: Callable[[Any, Any], Any], name: str | None = None
) -> CallCredentials:
    """Call credentials from a plugin that makes metadata.

    Args:
        metadata_plugin: see `AuthMetadataPlugin`. It runs with the context variables that are set here. Credentials of
            google-auth (`google.auth.credentials.Credentials`) are taken as they are.
        name: the plugin's name, for logs.
    """
    if is_google_auth(metadata_plugin):
        name = name or type(metadata_plugin).__name__
        metadata_plugin = GoogleAuth(metadata_plugin)
    if name is None:
        name = getattr(metadata_plugin, "__name__", None) or type(metadata_plugin).__name__
    return CallCredentials((Plugin(metadata_plugin, name, contextvars.copy_context()),))


def access_token_call_credentials(access_token: str) -> CallCredentials:
    """Call credentials from an access token: `authorization: Bearer TOKEN`.

    Args:
        access_token: the token.
    """
    return CallCredentials((Token((("authorization", f"Bearer {access_token}"),)),))


def composite_call_credentials(*call_credentials: CallCredentials) -> CallCredentials:
    """Call credentials that are several together; their metadata goes out in this order.

    Raises:
        TypeError: one of the arguments is something else.
    """
    return CallCredentials(
        tuple(source for each in call_credentials for source in sources_of(each))
    )
