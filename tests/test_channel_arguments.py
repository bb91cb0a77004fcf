"""Every channel argument of grpcio's is honoured, or the documentation says why not."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clarion.call_timeline import channel_tracing
from clarion.client_core import ChannelOptions
from clarion.protocol.arguments import Arguments
from clarion.resolver.dns import DnsResolver
from clarion.resolver.http_proxy import address_proxy, through_proxy
from clarion.resolver.kubernetes import KubernetesResolver
from clarion.resolver.registry import target_of
from clarion.server_core import ServerOptions

_HERE = Path(__file__).parent
OWN = {
    "clarion.call_tracing",
    "clarion.dns_refresh_interval_ms",
    "clarion.expose_exceptions",
    "clarion.kubernetes_api_server",
    "clarion.propagate",
    "clarion.server_call_tracing",
    "clarion.web",
    "clarion.web_channel",
    "clarion.timeline",
}
# grpcio's documented names: those of its header of channel arguments and of compression, and Python's own.
NAMES = (_HERE / "channel_arg_names.txt").read_text(encoding="utf-8").split()
PAGE = (_HERE.parent / "docs" / "channel-arguments.md").read_text(encoding="utf-8")


def listed(*headings: str) -> set[str]:
    """The names in the first columns of the tables under some headings of the page."""
    found: set[str] = set()
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        if section.splitlines()[0] in headings:
            for first in re.findall(r"^\| (`[^|]*`) \|", section, flags=re.MULTILINE):
                found.update(re.findall(r"`([^`]+)`", first))
    return found


SHARED = listed("Channels and servers")
CHANNELS = listed("Channels only")
SERVERS = listed("Servers only")
WITHOUT_EFFECT = listed("Names without effect")


class Asked(dict[str, Any]):
    """Options that note what is looked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return default

    def __contains__(self, key: object) -> bool:
        self.names.add(str(key))
        return False


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    given = Asked()

    def init(self: Arguments, options: object) -> None:
        self._given = given

    monkeypatch.setattr(Arguments, "__init__", init)
    return given.names


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_on_the_page_once(name: str) -> None:
    assert sum(name in names for names in (SHARED, CHANNELS, SERVERS, WITHOUT_EFFECT)) == 1


def test_the_page_lists_no_other_names() -> None:
    assert set(NAMES) | OWN == SHARED | CHANNELS | SERVERS | WITHOUT_EFFECT


def test_channels_read_what_the_page_says(asked: set[str]) -> None:
    options = ChannelOptions.read(())
    # These are read when the target is known, and when there is something to look up.
    option = options.arguments.value
    helper: Any = SimpleNamespace(option=option, backoff=lambda: None, random=lambda: 0.0)
    through_proxy(target_of("host"), option, {})
    address_proxy(option, {})
    channel_tracing(options.arguments, options.timeline)
    DnsResolver(target_of("host"), helper)
    KubernetesResolver(target_of("kubernetes:///a.b"), helper)
    assert asked == SHARED | CHANNELS


def test_servers_read_what_the_page_says(asked: set[str]) -> None:
    ServerOptions.read(())
    assert asked == SHARED | SERVERS
