"""Metadata that credentials add to calls: what plugins are told, what becomes of their answers, where it may go."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest

from support.credentials import client_tls, server_tls
from support.front_end import FrontEnd, Rig
from support.handlers import Handler, ServerCall
from support.libraries import LIMIT, PATTERNS, Metadata
from support.simple import ECHOES, Hang

INSUFFICIENT = (
    "Established channel does not have a sufficient security level to transfer call credential."
)


class Seen:
    """Keeps the metadata that came."""

    def __init__(self) -> None:
        self.metadata: Metadata = []

    def handler(self, pattern: str) -> Handler:
        async def handle(call: ServerCall) -> bytes | None:
            # A user agent that an application cannot change is of no interest here.
            self.metadata = [each for each in call.metadata if each[0] != "user-agent"]
            while pattern.startswith("stream") and await call.read() is not None:
                pass
            if not pattern.endswith("stream"):
                return b"seen"
            await call.write(b"seen")
            return None

        return handle


def _rig(front: FrontEnd, **arguments: Any) -> tuple[Rig, Seen]:
    seen = Seen()
    arguments = {pattern: seen.handler(pattern) for pattern in PATTERNS} | arguments
    arguments.setdefault("credentials", server_tls(front.library))
    arguments.setdefault("client_credentials", client_tls(front.library))
    return front.rig(**arguments), seen


def _plugin(front: FrontEnd, *metadata: tuple[str, Any]) -> Any:
    """Call credentials with a plugin that answers at once."""
    return front.library.root.metadata_call_credentials(
        lambda context, callback: callback(metadata, None)
    )


def _details(rig: Rig, credentials: Any, code: str = "UNAVAILABLE") -> str:
    outcome = rig.call("unary_unary", [b"x"], credentials=credentials)
    assert outcome.code == code, outcome
    return outcome.details


# What arrives


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_plugin_adds_metadata_to_calls_of_every_pattern(front: FrontEnd, pattern: str) -> None:
    rig, seen = _rig(front)
    credentials = _plugin(front, ("x-a", "1"), ("x-bin", b"\x00\xff"))
    for _ in range(3):
        outcome = rig.call(pattern, [b"x"], metadata=[("x-m", "m")], credentials=credentials)
        assert outcome.code == "OK", outcome
        assert seen.metadata == [("x-m", "m"), ("x-a", "1"), ("x-bin", b"\x00\xff")]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_messages_of_calls_with_credentials(front: FrontEnd, pattern: str) -> None:
    rig, _ = _rig(front, **ECHOES)
    requests = [b"a", b"b", b"c"] if pattern.startswith("stream") else [b"a"]
    outcome = rig.call(pattern, requests, credentials=_plugin(front, ("a", "b")))
    assert outcome.code == "OK", outcome
    expected = {
        "unary_unary": [b"a"],
        "unary_stream": [b"a"] * 3,
        "stream_unary": [b"abc"],
        "stream_stream": requests,
    }
    assert outcome.responses == expected[pattern]


def test_an_access_token(front: FrontEnd) -> None:
    rig, seen = _rig(front)
    credentials = front.library.root.access_token_call_credentials("tok")
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert seen.metadata == [("authorization", "Bearer tok")]
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert seen.metadata == []


def test_several_credentials_keep_their_order(front: FrontEnd) -> None:
    root = front.library.root
    rig, seen = _rig(front)
    token = root.access_token_call_credentials
    inner = root.composite_call_credentials(token("1"), _plugin(front, ("x", "2")))
    credentials = root.composite_call_credentials(inner, token("3"), _plugin(front, ("x", "4")))
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert seen.metadata == [
        ("authorization", "Bearer 1"),
        ("x", "2"),
        ("authorization", "Bearer 3"),
        ("x", "4"),
    ]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_credentials_of_a_channel_go_before_those_of_a_call(front: FrontEnd, pattern: str) -> None:
    root = front.library.root
    once = root.composite_channel_credentials(client_tls(front.library), _plugin(front, ("x", "1")))
    twice = root.composite_channel_credentials(
        once, root.access_token_call_credentials("2"), _plugin(front, ("x", "3"))
    )
    rig, seen = _rig(front, client_credentials=twice)
    of_channel = [("x", "1"), ("authorization", "Bearer 2"), ("x", "3")]
    assert rig.call(pattern, [b"x"]).code == "OK"
    assert seen.metadata == of_channel
    outcome = rig.call(
        pattern, [b"x"], metadata=[("m", "0")], credentials=_plugin(front, ("x", "4"))
    )
    assert outcome.code == "OK"
    assert seen.metadata == [("m", "0"), *of_channel, ("x", "4")]


def test_a_channel_whose_credentials_are_a_token(front: FrontEnd) -> None:
    root = front.library.root
    credentials = root.composite_channel_credentials(
        client_tls(front.library), root.access_token_call_credentials("tok")
    )
    rig, seen = _rig(front, client_credentials=credentials)
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert seen.metadata == [("authorization", "Bearer tok")]


@pytest.mark.parametrize("answer", [None, (), []])
def test_a_plugin_without_metadata(front: FrontEnd, answer: Any) -> None:
    rig, seen = _rig(front)
    credentials = front.library.root.metadata_call_credentials(
        lambda context, callback: callback(answer, None)
    )
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert seen.metadata == []


# What plugins are told


class Noting:
    """A plugin that notes what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.threads: list[int] = []

    def __call__(self, context: Any, callback: Any) -> None:
        self.told.append((context.service_url, context.method_name))
        self.threads.append(threading.get_ident())
        callback((), None)


@pytest.mark.parametrize(
    ("options", "authority"),
    [
        ((), "127.0.0.1:{port}"),
        ([("grpc.ssl_target_name_override", "a.clarion.test")], "a.clarion.test"),
        ([("grpc.default_authority", "a.clarion.test:443")], "a.clarion.test"),
        ([("grpc.default_authority", "a.clarion.test:444")], "a.clarion.test:444"),
    ],
)
def test_the_context_of_a_call(front: FrontEnd, options: Any, authority: str) -> None:
    rig, _ = _rig(front, client_options=options)
    plugin = Noting()
    credentials = front.library.root.metadata_call_credentials(plugin, "noting")
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    authority = authority.format(port=rig.server.ports[0])
    assert plugin.told == [(f"https://{authority}/test.Service", "UnaryUnary")]


def test_a_plugin_that_is_a_subclass(front: FrontEnd) -> None:
    root = front.library.root
    kinds = []

    class Plugin(root.AuthMetadataPlugin):  # type: ignore[misc,name-defined]
        def __call__(self, context: Any, callback: Any) -> None:
            kinds.append(isinstance(context, root.AuthMetadataContext))
            kinds.append(isinstance(callback, root.AuthMetadataPluginCallback))
            callback((("a", "b"),), None)

    rig, seen = _rig(front)
    credentials = root.metadata_call_credentials(Plugin())
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert seen.metadata == [("a", "b")]
    assert kinds == [True, True]


def test_context_variables_are_those_of_the_credentials_making(front: FrontEnd) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("made")
    credentials = front.library.root.metadata_call_credentials(
        lambda context, callback: callback((("v", variable.get()),), None)
    )
    variable.set("called")
    rig, seen = _rig(front)
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert seen.metadata == [("v", "made")]


def test_plugins_have_threads_apart(front: FrontEnd) -> None:
    rig, _ = _rig(front)
    plugin = Noting()
    credentials = front.library.root.metadata_call_credentials(plugin)
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    main = front.loop.call(threading.get_ident)
    assert plugin.threads[0] not in (main, threading.get_ident())


def test_a_plugin_that_blocks_stops_no_other_call(front: FrontEnd) -> None:
    rig, seen = _rig(front)
    go_on = threading.Event()
    blocked = threading.Semaphore(0)

    def block(context: Any, callback: Any) -> None:
        blocked.release()
        assert go_on.wait(LIMIT)
        callback((("a", "b"),), None)

    credentials = front.library.root.metadata_call_credentials(block)
    calls = [rig.open("unary_unary", [b"x"], credentials=credentials) for _ in range(20)]
    for _ in calls:
        assert blocked.acquire(timeout=LIMIT)
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    other = _plugin(front, ("c", "d"))
    assert rig.call("unary_unary", [b"x"], credentials=other).code == "OK"
    go_on.set()
    assert {call.finish().code for call in calls} == {"OK"}
    assert seen.metadata == [("a", "b")]


RETRIES = """{"methodConfig": [{"name": [{}], "retryPolicy": {
    "maxAttempts": 3, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1,
    "retryableStatusCodes": ["UNAVAILABLE"]}}]}"""


@pytest.mark.parametrize("options", [(), [("grpc.service_config", RETRIES)]])
def test_a_plugin_is_not_asked_for_a_server_that_is_away(front: FrontEnd, options: Any) -> None:
    plugin = Noting()
    credentials = front.library.root.metadata_call_credentials(plugin)
    client = front.connect("localhost:1", credentials=client_tls(front.library), options=options)
    outcome = client.call(
        "/test.Service/UnaryUnary", "unary_unary", [b"x"], credentials=credentials
    )
    assert outcome.code == "UNAVAILABLE"
    assert plugin.told == []


# What becomes of their answers


def _late(callback: Any) -> None:
    threading.Thread(target=lambda: callback((("late", "1"),), None)).start()


def test_an_answer_from_another_thread(front: FrontEnd) -> None:
    rig, seen = _rig(front)
    credentials = front.library.root.metadata_call_credentials(
        lambda context, callback: _late(callback)
    )
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert seen.metadata == [("late", "1")]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_plugin_that_raises(front: FrontEnd, pattern: str) -> None:
    def fail(context: Any, callback: Any) -> None:
        raise ValueError("no luck")

    rig, _ = _rig(front)
    credentials = front.library.root.metadata_call_credentials(fail)
    outcome = rig.call(pattern, [b"x"], credentials=credentials)
    assert outcome.code == "UNAVAILABLE"
    assert outcome.details == "Getting metadata from plugin failed with error: no luck"


def test_a_plugin_that_answers_with_an_error(front: FrontEnd) -> None:
    rig, _ = _rig(front)
    credentials = front.library.root.metadata_call_credentials(
        lambda context, callback: callback((("a", "b"),), RuntimeError("no token"))
    )
    details = _details(rig, credentials)
    assert details == "Getting metadata from plugin failed with error: no token"


def test_the_first_of_several_credentials_that_fails(front: FrontEnd) -> None:
    root = front.library.root
    rig, _ = _rig(front)
    after = Noting()
    credentials = root.composite_call_credentials(
        _plugin(front, ("a", "b")),
        root.metadata_call_credentials(lambda context, callback: callback(None, ValueError("2"))),
        root.metadata_call_credentials(after),
    )
    assert _details(rig, credentials) == "Getting metadata from plugin failed with error: 2"
    assert after.told == []


@pytest.mark.parametrize(
    "pair", [("Upper", "a"), ("a", "line\n"), ("a", "é"), (":path", "/"), ("a b", "c")]
)
def test_metadata_that_cannot_be_sent(front: FrontEnd, pair: tuple[str, str]) -> None:
    rig, _ = _rig(front)
    assert _details(rig, _plugin(front, pair)) == "Illegal metadata"


def test_a_token_that_cannot_be_sent(front: FrontEnd) -> None:
    rig, _ = _rig(front)
    credentials = front.library.root.access_token_call_credentials("a\r\nb: c")
    assert _details(rig, credentials) == "Illegal metadata"


@pytest.mark.parametrize("answer", [3, {"a": "b"}, (("a", 3),)])
def test_what_is_no_metadata(front: FrontEnd, answer: Any) -> None:
    front.clarion_only("grpcio's call waits for its deadline")
    rig, _ = _rig(front)
    credentials = front.library.root.metadata_call_credentials(
        lambda context, callback: callback(answer, None)
    )
    assert _details(rig, credentials) == "Illegal metadata"


def test_the_first_answer_counts(front: FrontEnd) -> None:
    refused: list[BaseException] = []

    def twice(context: Any, callback: Any) -> None:
        callback((("n", "1"),), None)
        try:
            callback((("n", "2"),), None)
        except RuntimeError as error:
            refused.append(error)

    rig, seen = _rig(front)
    credentials = front.library.root.metadata_call_credentials(twice)
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert seen.metadata == [("n", "1")]
    assert [str(each) for each in refused] == ["AuthMetadataPluginCallback invoked more than once!"]


def test_an_exception_after_the_answer_changes_nothing(front: FrontEnd) -> None:
    def answer_and_raise(context: Any, callback: Any) -> None:
        callback((("n", "1"),), None)
        raise ValueError("too late")

    rig, seen = _rig(front)
    credentials = front.library.root.metadata_call_credentials(answer_and_raise)
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert seen.metadata == [("n", "1")]


# Calls that end while a plugin is at work


class Silent:
    """A plugin that answers when the test says so."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.callback: Callable[..., None] | None = None

    def __call__(self, context: Any, callback: Any) -> None:
        self.callback = callback
        self.asked.set()


def test_the_deadline_passes(front: FrontEnd) -> None:
    rig, _ = _rig(front)
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    waiting = []
    # All at once: each waits for its deadline.
    for pattern in PATTERNS:
        plugin = Silent()
        credentials = front.library.root.metadata_call_credentials(plugin)
        requests = None if pattern.startswith("stream") else [b"x"]
        call = rig.open(pattern, requests, credentials=credentials, timeout=1)
        waiting.append((pattern, plugin, call))
    for pattern, plugin, call in waiting:
        outcome = call.finish()
        assert outcome.code == "DEADLINE_EXCEEDED", pattern
        assert plugin.asked.wait(LIMIT)
        if front.library.name == "clarion":
            assert outcome.details.endswith(
                "while waiting for the metadata of its call credentials"
            )
        # Nobody waits for it any more, and it must not matter.
        assert plugin.callback is not None
        plugin.callback((("a", "b"),), None)
        assert rig.call(pattern, [b"x"]).code == "OK"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_call_is_cancelled(front: FrontEnd, pattern: str) -> None:
    rig, _ = _rig(front)
    plugin = Silent()
    credentials = front.library.root.metadata_call_credentials(plugin)
    requests = None if pattern.startswith("stream") else [b"x"]
    call = rig.open(pattern, requests, credentials=credentials)
    assert plugin.asked.wait(LIMIT)
    call.cancel()
    assert call.finish().code == "CANCELLED"
    assert plugin.callback is not None
    plugin.callback((), None)
    assert rig.call(pattern, [b"x"]).code == "OK"


def test_the_channel_is_closed(front: FrontEnd) -> None:
    rig, _ = _rig(front)
    plugin = Silent()
    credentials = front.library.root.metadata_call_credentials(plugin)
    client = front.connect(rig.server.target, credentials=client_tls(front.library))
    call = client.open("/test.Service/UnaryUnary", "unary_unary", [b"x"], credentials=credentials)
    assert plugin.asked.wait(LIMIT)
    client.close()
    assert call.finish().code == "CANCELLED"


def test_a_call_with_credentials_reaches_its_handler_and_its_deadline(front: FrontEnd) -> None:
    hang = Hang()
    rig, _ = _rig(front, unary_unary=hang)
    call = rig.open("unary_unary", [b"x"], credentials=_plugin(front, ("a", "b")), timeout=1)
    hang.wait_started()
    assert call.finish().code == "DEADLINE_EXCEEDED"
    hang.wait_ended()


# Where they may go


def test_not_over_plain_text_sync(sync: FrontEnd) -> None:
    rig, seen = _rig(sync, credentials=None, client_credentials=None)
    plugin = Noting()
    root = sync.library.root
    for credentials in (
        root.access_token_call_credentials("tok"),
        root.metadata_call_credentials(plugin),
    ):
        seen.metadata = [("untouched", "")]
        assert _details(rig, credentials, "UNAUTHENTICATED") == INSUFFICIENT
        assert seen.metadata == [("untouched", "")]
    assert plugin.told == []
    assert rig.call("unary_unary", [b"x"]).code == "OK"


def test_not_over_plain_text_aio(aio: FrontEnd) -> None:
    rig, _ = _rig(aio, credentials=None, client_credentials=None)
    credentials = aio.library.root.access_token_call_credentials("tok")
    with pytest.raises(aio.library.aio.UsageError, match="Call credentials are only valid on"):
        rig.call("unary_unary", [b"x"], credentials=credentials)


def test_not_over_plain_text_with_credentials_of_the_channel(front: FrontEnd) -> None:
    root = front.library.root
    insecure = __import__(f"{root.__name__}.experimental", fromlist=["x"])
    credentials = root.composite_channel_credentials(
        insecure.insecure_channel_credentials(), root.access_token_call_credentials("tok")
    )
    rig, seen = _rig(front, credentials=None, client_credentials=credentials)
    assert _details(rig, None, "UNAUTHENTICATED") == INSUFFICIENT
    assert seen.metadata == []


def test_an_unreachable_plain_server_is_unavailable_first(sync: FrontEnd) -> None:
    client = sync.connect("localhost:1")
    credentials = sync.library.root.access_token_call_credentials("tok")
    outcome = client.call(
        "/test.Service/UnaryUnary", "unary_unary", [b"x"], credentials=credentials
    )
    assert outcome.code == "UNAVAILABLE"


def test_within_the_machine(front: FrontEnd) -> None:
    root = front.library.root
    token = root.access_token_call_credentials("tok")
    local = root.local_channel_credentials()
    for credentials, of_call in (
        (local, token),
        (root.composite_channel_credentials(local, token), None),
    ):
        rig, seen = _rig(
            front,
            credentials=root.local_server_credentials(),
            client_credentials=credentials,
        )
        assert rig.call("unary_unary", [b"x"], credentials=of_call).code == "OK"
        assert seen.metadata == [("authorization", "Bearer tok")]


def test_a_plugin_within_the_machine(front: FrontEnd) -> None:
    root = front.library.root
    plugin = Noting()
    rig, _ = _rig(
        front,
        credentials=root.local_server_credentials(),
        client_credentials=root.local_channel_credentials(),
    )
    credentials = root.metadata_call_credentials(plugin)
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    [(url, method)] = plugin.told
    # What the scheme is without TLS, the two libraries see differently.
    assert url.endswith(f"://{rig.server.target}/test.Service")
    assert method == "UnaryUnary"


def test_compute_engine_credentials_have_tls_with_the_systems_roots(front: FrontEnd) -> None:
    root = front.library.root
    credentials = root.compute_engine_channel_credentials(root.access_token_call_credentials("t"))
    rig, seen = _rig(front, client_credentials=credentials)
    assert "certificate" in _details(rig, None).lower()
    assert seen.metadata == []


@pytest.mark.parametrize("wrong", [3, "text"])
def test_what_is_no_call_credentials(front: FrontEnd, wrong: Any) -> None:
    root = front.library.root
    rig, _ = _rig(front)
    with pytest.raises((TypeError, AttributeError)):
        rig.call("unary_unary", [b"x"], credentials=wrong)
    with pytest.raises((TypeError, AttributeError)):
        root.composite_call_credentials(root.access_token_call_credentials("t"), wrong)
    with pytest.raises((TypeError, AttributeError)):
        root.composite_channel_credentials(client_tls(front.library), wrong)
    with pytest.raises((TypeError, AttributeError)):
        root.composite_channel_credentials(wrong, root.access_token_call_credentials("t"))


# Interceptors


def test_interceptors_see_and_change_credentials_sync(sync: FrontEnd) -> None:
    root = sync.library.root
    given: list[Any] = []

    class Interceptor(root.UnaryUnaryClientInterceptor):  # type: ignore[misc,name-defined]
        def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            given.append(details.credentials)
            changed = root.composite_call_credentials(
                details.credentials, root.access_token_call_credentials("2")
            )
            fields = ("method", "timeout", "metadata", "wait_for_ready", "compression")
            copy = type("Details", (root.ClientCallDetails,), {})()
            for field in fields:
                setattr(copy, field, getattr(details, field))
            copy.credentials = changed
            return continuation(copy, request)

    rig, seen = _rig(sync)
    channel = root.intercept_channel(rig.client.raw, Interceptor())  # type: ignore[attr-defined]
    credentials = root.access_token_call_credentials("1")
    method = channel.unary_unary("/test.Service/UnaryUnary")
    assert method(b"x", credentials=credentials) == b"seen"
    assert seen.metadata == [("authorization", "Bearer 1"), ("authorization", "Bearer 2")]
    assert given == [credentials]


def test_interceptors_see_and_change_credentials_aio(aio: FrontEnd) -> None:
    root = aio.library.root
    given: list[Any] = []

    class Interceptor(aio.library.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc,name-defined]
        async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            given.append(details.credentials)
            changed = root.composite_call_credentials(
                details.credentials, root.access_token_call_credentials("2")
            )
            return await continuation(details._replace(credentials=changed), request)

    rig, seen = _rig(aio)
    credentials = root.access_token_call_credentials("1")

    async def call() -> Any:
        async with aio.library.aio.secure_channel(
            rig.server.target, client_tls(aio.library), interceptors=[Interceptor()]
        ) as channel:
            method = channel.unary_unary("/test.Service/UnaryUnary")
            return await method(b"x", credentials=credentials)

    assert aio.loop.run(call) == b"seen"
    assert seen.metadata == [("authorization", "Bearer 1"), ("authorization", "Bearer 2")]
    assert given == [credentials]
