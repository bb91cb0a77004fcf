"""The credential objects by themselves; what they do to calls and connections is the behaviour suite's matter."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

import pytest

from clarion import credentials
from clarion.credentials.call import describe_call, sources_of
from clarion.credentials.channel import kind_of_channel
from clarion.credentials.fetch import constant_fields, fetch
from clarion.credentials.kinds import (
    Alts,
    Composite,
    DynamicSslServer,
    Insecure,
    Local,
    LocalConnectionType,
    Plugin,
    Ssl,
    SslServer,
)
from clarion.credentials.server import kind_of_server
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode


@pytest.mark.parametrize(
    ("secure", "authority", "expected"),
    [
        (True, "host:50051", "https://host:50051/p.S"),
        (True, "host:443", "https://host/p.S"),
        (True, "[::1]:4430", "https://[::1]:4430/p.S"),
        (False, "host:443", "http://host:443/p.S"),
    ],
)
def test_the_description_of_a_call(secure: bool, authority: str, expected: str) -> None:
    described = describe_call(secure, authority, "/p.S/Method")
    assert (described.service_url, described.method_name) == (expected, "Method")


def test_composites_are_flat() -> None:
    token = credentials.access_token_call_credentials("t")
    plugin = credentials.metadata_call_credentials(lambda context, callback: None, "named")
    inner = credentials.composite_channel_credentials(credentials.ssl_channel_credentials(), token)
    kind = kind_of_channel(credentials.composite_channel_credentials(inner, plugin, token))
    assert isinstance(kind, Composite)
    assert isinstance(kind.channel, Ssl)
    assert kind.calls == sources_of(token) + sources_of(plugin) + sources_of(token)


def test_a_plugins_name() -> None:
    class Callable_:
        def __call__(self, context: Any, callback: Any) -> None: ...

    def function(context: Any, callback: Any) -> None: ...

    for plugin, name, expected in (
        (function, None, "function"),
        (Callable_(), None, "Callable_"),
        (function, "mine", "mine"),
    ):
        (source,) = sources_of(credentials.metadata_call_credentials(plugin, name))
        assert isinstance(source, Plugin)
        assert source.name == expected


def test_abstract_plugins_do_nothing() -> None:
    with pytest.raises(NotImplementedError):
        credentials.AuthMetadataPlugin()(None, None)  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        credentials.AuthMetadataPluginCallback()(None, None)


def test_kinds_of_servers() -> None:
    kind = kind_of_server(credentials.ssl_server_credentials([(b"k", b"c")], b"r", True))
    assert isinstance(kind, SslServer)
    assert kind.configuration.pairs == ((b"k", b"c"),)
    assert (kind.configuration.root_certificates, kind.require_client_auth) == (b"r", True)
    local = credentials.local_server_credentials(LocalConnectionType.UDS)
    assert kind_of_server(local) == Local(LocalConnectionType.UDS)
    assert kind_of_server(credentials.xds_server_credentials(local)) == kind_of_server(local)


def test_xds_credentials_without_a_fallback_are_tls_with_the_systems_roots() -> None:
    kind = kind_of_channel(credentials.xds_channel_credentials())
    assert isinstance(kind, Ssl)
    assert kind.root_certificates is None
    local = credentials.local_channel_credentials()
    fallback = credentials.xds_channel_credentials(local)
    assert kind_of_channel(fallback) == kind_of_channel(local)


def test_no_roots_of_another_type() -> None:
    with pytest.raises(TypeError, match="root_certificates must be bytes"):
        credentials.ssl_server_credentials([(b"k", b"c")], "r")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a certificate chain must be bytes"):
        credentials.ssl_server_credentials([(b"k", "c")])  # type: ignore[list-item]


def test_what_is_no_configuration_of_a_server() -> None:
    make = credentials.ssl_server_certificate_configuration
    with pytest.raises(ValueError, match="At least one private key"):
        make([])
    with pytest.raises(ValueError, match="without providing root certificates"):
        credentials.ssl_server_credentials([(b"k", b"c")], require_client_auth=True)
    with pytest.raises(TypeError, match="must come from ssl_server_certificate_configuration"):
        credentials.dynamic_ssl_server_credentials(b"k", lambda: None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be callable"):
        credentials.dynamic_ssl_server_credentials(make([(b"k", b"c")]), None)  # type: ignore[arg-type]


def test_a_configuration_that_is_fetched() -> None:
    first = credentials.ssl_server_certificate_configuration([(b"k", b"c")], b"r")
    kind = kind_of_server(credentials.dynamic_ssl_server_credentials(first, lambda: None, True))
    assert isinstance(kind, DynamicSslServer)
    assert kind.initial.pairs == ((b"k", b"c"),)
    assert (kind.fetcher(), kind.require_client_auth) == (None, True)


def test_kinds_for_googles_platform() -> None:
    assert isinstance(kind_of_channel(credentials.alts_channel_credentials()), Alts)
    assert isinstance(kind_of_server(credentials.alts_server_credentials()), Alts)
    assert isinstance(kind_of_server(credentials.insecure_server_credentials()), Insecure)
    token = credentials.access_token_call_credentials("t")
    kind = kind_of_channel(credentials.compute_engine_channel_credentials(token))
    assert isinstance(kind, Composite)
    assert isinstance(kind.channel, Ssl)


class Apart:
    """Where plugins run: here, when the test says so."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []
        self.done: list[Any] = []

    def fetch(self, *given: credentials.CallCredentials) -> None:
        sources = sources_of(credentials.composite_call_credentials(*given))
        context = describe_call(True, "host", "/p.S/M")
        fetch(sources, context, self.work.append, self.done.append)

    def run(self) -> None:
        while self.work:
            self.work.pop(0)()


def _plugin(answer: Callable[[Any], object]) -> credentials.CallCredentials:
    return credentials.metadata_call_credentials(lambda context, callback: answer(callback))


def test_sources_are_asked_one_after_another() -> None:
    apart = Apart()
    callbacks: list[Any] = []
    apart.fetch(
        credentials.access_token_call_credentials("t"),
        _plugin(callbacks.append),
        _plugin(lambda callback: callback([("b", "2")], None)),
    )
    apart.run()
    assert (len(callbacks), apart.done) == (1, [])
    callbacks[0]((("a", "1"),), None)
    apart.run()
    assert apart.done == [((b"authorization", b"Bearer t"), (b"a", b"1"), (b"b", b"2"))]


def test_a_plugin_that_raises_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    apart = Apart()

    def fail(callback: Any) -> None:
        raise SystemExit("leave")

    apart.fetch(_plugin(fail), _plugin(lambda callback: callback((), None)))
    apart.run()
    (outcome,) = apart.done
    assert isinstance(outcome, Outcome)
    assert outcome.code is StatusCode.UNAVAILABLE
    assert outcome.details == "Getting metadata from plugin failed with error: leave"
    assert "the call credentials plugin" in caplog.text


def test_only_the_first_answer_counts(caplog: pytest.LogCaptureFixture) -> None:
    apart = Apart()

    def twice(callback: Any) -> None:
        callback((("a", "1"),), None)
        with pytest.raises(RuntimeError, match="more than once"):
            callback((("a", "2"),), None)
        raise ValueError("and that")

    apart.fetch(_plugin(twice))
    apart.run()
    assert apart.done == [((b"a", b"1"),)]


@pytest.mark.parametrize("token", ["a\nb", "é"])
def test_a_token_that_cannot_be_sent(token: str) -> None:
    given = credentials.access_token_call_credentials(token)
    assert constant_fields(sources_of(given)) is None
    apart = Apart()
    apart.fetch(given)
    (outcome,) = apart.done
    assert outcome.details == "Illegal metadata"
    assert token not in outcome.debug


def test_metadata_of_a_plugin_that_cannot_be_sent() -> None:
    apart = Apart()
    apart.fetch(
        _plugin(lambda callback: callback((("a", "1\n"),), None)),
        _plugin(lambda callback: callback((), None)),
    )
    apart.run()
    (outcome,) = apart.done
    assert (outcome.code, outcome.details) == (StatusCode.UNAVAILABLE, "Illegal metadata")


def test_metadata_that_is_always_the_same() -> None:
    token = credentials.access_token_call_credentials("t")
    assert constant_fields(sources_of(token)) == ((b"authorization", b"Bearer t"),)
    mixed = credentials.composite_call_credentials(token, _plugin(lambda callback: None))
    assert constant_fields(sources_of(mixed)) is None


def test_plugins_run_in_the_context_where_they_were_made() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    variable.set("made")
    seen: list[str] = []

    def look(callback: Any) -> None:
        seen.append(variable.get())
        variable.set("inside")
        callback((), None)

    given = _plugin(look)
    variable.set("later")
    apart = Apart()
    apart.fetch(given, given)
    apart.run()
    assert seen == ["made", "made"]
    assert variable.get() == "later"
