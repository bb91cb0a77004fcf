"""The credentials of calls (`grpc.CallCredentials`): metadata that says on whose behalf a call is made."""

from __future__ import annotations

import abc
import contextvars
import dataclasses
from collections.abc import Callable
from typing import Any

from clarion.credentials.kinds import Plugin, Token

__all__ = [
    "AuthMetadataContext",
    "AuthMetadataPlugin",
    "AuthMetadataPluginCallback",
    "CallCredentials",
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
            error: why there is no metadata; the call then ends with UNAVAILABLE.
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
    raise TypeError(
        f"call credentials expected (metadata_call_credentials() makes some), not {credentials!r}"
    )


def metadata_call_credentials(
    metadata_plugin: Callable[[Any, Any], Any], name: str | None = None
) -> CallCredentials:
    """Call credentials from a plugin that makes metadata.

    Args:
        metadata_plugin: see `AuthMetadataPlugin`. It runs with the context variables that are set here.
        name: the plugin's name, for logs.
    """
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
