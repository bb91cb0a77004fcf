"""What both front ends make of the arguments of `web_channel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from clarion.credentials import ChannelCredentials, ssl_channel_credentials
from clarion.credentials.channel import kind_of_channel
from clarion.web.client.options import OPTION, WebClient
from clarion.web.client.targets import read_place

__all__ = ["Codec", "Http", "Protocol", "Settings", "settings_of"]


Protocol = Literal["connect", "grpc-web", "grpc-web-text"]
Codec = Literal["proto", "json"]
Http = Literal["auto", "1.1", "2"]


class Settings(NamedTuple):
    """What a channel is made with."""

    target: str
    options: list[tuple[str, Any]]
    credentials: ChannelCredentials | None


def settings_of(
    target: str,
    credentials: ChannelCredentials | None,
    options: Sequence[tuple[str, Any]] | None,
    **chosen: Any,
) -> Settings:
    """Work out what a channel is made with; `chosen` is for `WebClient`.

    Raises:
        LocalError, TypeError, ValueError: see `web_channel`.
    """
    place = read_place(target)
    if credentials is not None:
        kind_of_channel(credentials)
        if place.tls is False:
            raise ValueError(f"{target!r} is without TLS, and credentials were given; use https://")
    elif place.tls:
        credentials = ssl_channel_credentials()
    web = WebClient(prefix=place.prefix, **chosen)
    given = [(OPTION, web), *(options or ())]
    if place.authority is not None:
        given.append(("grpc.default_authority", place.authority))
    return Settings(place.target, given, credentials)
