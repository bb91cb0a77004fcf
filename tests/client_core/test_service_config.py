"""What a service config does to calls, and where it comes from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarion.load_balancing import (
    ConfigError,
    Picked,
    Picker,
    Policy,
    QueuePicker,
    Update,
    register,
)
from clarion.load_balancing import registry as policies
from clarion.resolver import registry as resolvers
from clarion.resolver.endpoint import Endpoint
from clarion.resolver.resolver import Resolution, Resolver
from clarion.status import StatusCode
from support.channels import BOTH, CONNECTING, FAILED, IDLE, ONE, READY, TWO, answer, serve, states
from support.http2 import settings
from support.wire import Network, begin


def options(**config: Any) -> list[tuple[str, Any]]:
    return [("grpc.service_config", json.dumps(config))]


def method_config(**members: Any) -> list[tuple[str, Any]]:
    return options(methodConfig=[{"name": [{}], **members}])


def test_its_policy_counts(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    core = network.channel(BOTH, options(loadBalancingConfig=[{"round_robin": {}}]))
    core.connect()
    network.run()
    for _ in range(4):
        begin(network, core)
        network.run()
    assert len(ones[0].requests()) == len(twos[0].requests()) == 2


def test_an_argument_names_the_policy(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    network.channel(BOTH, [("grpc.lb_policy_name", "round_robin")]).connect()
    network.run()
    assert len(ones) == len(twos) == 1


def test_an_argument_names_a_policy_that_is_not_there(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    network.channel(BOTH, [("grpc.lb_policy_name", "nonsense")]).connect()
    network.run()
    assert (len(ones), len(twos)) == (1, 0)
    assert "nonsense" in caplog.text


def test_a_timeout(network: Network) -> None:
    fars, core = serve(network), network.channel(options=method_config(timeout="2s"))
    first = begin(network, core)
    sooner = begin(network, core, timeout=1)
    later = begin(network, core, timeout=9)
    network.run()
    assert len(fars[0].requests()) == 3
    starts = [call.start.deadline for call in (first, sooner, later)]
    assert starts == [1002.0, 1001.0, 1002.0]
    assert ["deadline" in call.events for call in (first, sooner, later)] == [True, False, True]


def test_wait_for_ready(network: Network) -> None:
    network.answers[ONE] = "Connection refused"
    core = network.channel(options=method_config(waitForReady=True))
    silent = begin(network, core, wait_for_ready=None)
    against = begin(network, core, wait_for_ready=False)
    network.run()
    assert silent.outcome is None
    assert against.code is StatusCode.UNAVAILABLE
    fars = serve(network)
    network.advance(2)
    assert fars[0].requests() == [1]


def test_a_request_that_is_too_large(network: Network) -> None:
    serve(network)
    core = network.channel(options=method_config(maxRequestMessageBytes=3))
    call = begin(network, core, b"four")
    network.run()
    assert call.code is StatusCode.RESOURCE_EXHAUSTED
    assert call.details == "CLIENT: Sent message larger than max (4 vs. 3)"
    stream = begin(network, core, None)
    network.run()
    assert stream.send(stream.pack(b"yes"))
    assert stream.outcome is None
    assert stream.send(stream.pack(b"four"))
    assert stream.code is StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(("limit", "size"), [(2, 3), (-1, 8), (100, 8)])
def test_a_response_that_is_too_large(network: Network, limit: int, size: int) -> None:
    """The smaller of the channel's limit and the service config's counts."""
    fars = serve(network)
    core = network.channel(
        options=[
            *method_config(maxResponseMessageBytes=7),
            ("grpc.max_receive_message_length", limit),
        ]
    )
    call = begin(network, core)
    network.run()
    answer(fars[0], 1, bytes(size))
    network.run()
    assert call.code is StatusCode.RESOURCE_EXHAUSTED


def test_an_argument_names_a_policy_that_needs_a_config(network: Network) -> None:
    core = network.channel(options=[("grpc.lb_policy_name", "weighted_target_experimental")])
    call = begin(network, core, wait_for_ready=True)
    network.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert "weighted_target_experimental.targets: is missing" in call.details


def test_one_that_is_refused(network: Network) -> None:
    serve(network)
    core = network.channel(options=method_config(timeout="soon"))
    for wait_for_ready in (False, True):
        # The channel's own will not change, so there is nothing to wait for.
        call = begin(network, core, wait_for_ready=wait_for_ready)
        network.run()
        assert call.code is StatusCode.UNAVAILABLE
        assert "the service config is not acceptable: methodConfig[0].timeout" in call.details
    assert core.state is FAILED
    assert network.attempts == []


# From resolvers


class Manual(Resolver):
    """Says what the test says."""

    scheme = "manual-test"
    made: list[Manual]
    asked = 0
    closed = False

    def start(self) -> None:
        self.made.append(self)

    def resolve_now(self) -> None:
        self.asked += 1

    def close(self) -> None:
        self.closed = True

    def say(self, *addresses: Any, **more: Any) -> None:
        self.helper.update(Resolution(tuple(Endpoint((each,)) for each in addresses), **more))


@pytest.fixture
def manual(monkeypatch: pytest.MonkeyPatch) -> list[Manual]:
    monkeypatch.setitem(resolvers._registered, Manual.scheme, Manual)
    Manual.made = []
    return Manual.made


def test_what_the_resolver_says_comes_first(network: Network, manual: list[Manual]) -> None:
    serve(network)
    core = network.channel("manual-test:x", method_config(timeout="2s"))
    call = begin(network, core)
    network.run()
    assert core.state is CONNECTING
    manual[0].say(ONE, service_config='{"methodConfig": [{"name": [{}], "timeout": "5s"}]}')
    network.run()
    assert call.start.deadline == 1005.0


def test_a_new_one_counts_where_addresses_stay(network: Network, manual: list[Manual]) -> None:
    """pick_first has nothing to do then, but calls have."""
    fars = serve(network)
    core = network.channel("manual-test:x")
    core.connect()
    network.run()
    for seconds in ("5s", "2s"):
        manual[0].say(ONE, service_config={"methodConfig": [{"name": [{}], "timeout": seconds}]})
        network.run()
        call = begin(network, core)
        network.run()
        assert call.start.deadline == network.time + float(seconds[:-1])
    assert len(fars) == 1


def test_more_connections_for_calls_that_wait(network: Network, manual: list[Manual]) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel("manual-test:x")
    for _ in range(2):
        begin(network, core)
    network.run()
    for most in (1, 2):
        scaling = {"maxConnectionsPerSubchannel": most}
        manual[0].say(ONE, service_config={"connectionScaling": scaling})
        network.run()
        assert len(fars) == most


def test_the_first_one_of_a_resolver_is_refused(network: Network, manual: list[Manual]) -> None:
    """gRFC A21: the name is resolved again, with backoff, until it is acceptable."""
    serve(network)
    core = network.channel("manual-test:x")
    call = begin(network, core, wait_for_ready=True)
    network.run()
    for asked in (1, 2):
        manual[0].say(ONE, service_config="nonsense")
        network.advance(1.7)
        assert manual[0].asked == asked
    manual[0].say(ONE, service_config="more nonsense")
    manual[0].say(ONE, service_config="{}")
    network.run()
    assert core.state is READY
    assert call.attempt is not None
    core.close()
    assert network.timers == []


def test_the_resolver_need_not_be_heard(network: Network, manual: list[Manual]) -> None:
    serve(network)
    core = network.channel(
        "manual-test:x",
        [*method_config(timeout="2s"), ("grpc.service_config_disable_resolution", 1)],
    )
    call = begin(network, core)
    network.run()
    manual[0].say(ONE, service_config='{"methodConfig": [{"name": [{}], "timeout": "5s"}]}')
    network.run()
    assert call.start.deadline == 1002.0


@pytest.mark.parametrize("bad", [{"service_config": "{"}, {"config_error": "no JSON in TXT"}])
def test_the_last_good_one_stays(
    network: Network, manual: list[Manual], bad: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    serve(network)
    core = network.channel("manual-test:x")
    core.connect()
    network.run()
    manual[0].say(ONE, **bad)
    network.run()
    assert core.state is FAILED
    manual[0].say(ONE, service_config='{"methodConfig": [{"name": [{}], "timeout": "5s"}]}')
    network.run()
    assert core.state is READY
    manual[0].say(ONE, **bad)
    network.run()
    assert "the last one stays" in caplog.text
    call = begin(network, core)
    network.run()
    assert call.start.deadline == 1005.0


def test_a_resolution_that_fails_later(network: Network, manual: list[Manual]) -> None:
    serve(network)
    core = network.channel("manual-test:x")
    core.connect()
    network.run()
    manual[0].say(error="nobody knows x")
    network.run()
    assert core.state is FAILED
    assert core.last_failure == "nobody knows x"
    manual[0].say(ONE)
    network.run()
    assert core.state is READY
    manual[0].say(error="nobody knows x any more")
    network.run()
    assert core.state is READY


def test_a_name_without_addresses(network: Network, manual: list[Manual]) -> None:
    core = network.channel("manual-test:x")
    call = begin(network, core)
    network.run()
    manual[0].say()
    network.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert "x has no addresses" in call.details
    assert manual[0].asked == 1


def test_addresses_change(network: Network, manual: list[Manual]) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    core = network.channel("manual-test:x")
    begin(network, core)
    network.run()
    manual[0].say(ONE)
    network.run()
    assert ones[0].requests() == [1]
    manual[0].say(TWO)
    network.run()
    # The old connection stays for the call on it.
    assert not ones[0].closed
    answer(ones[0], 1)
    begin(network, core)
    network.run()
    assert ones[0].closed
    assert twos[0].requests() == [1]


def test_idle_channels_have_no_resolver(network: Network, manual: list[Manual]) -> None:
    serve(network)
    core = network.channel("manual-test:x", [("grpc.client_idle_timeout_ms", 100_000)])
    core.connect()
    network.run()
    manual[0].say(ONE)
    network.advance(200)
    assert core.state is IDLE
    assert manual[0].closed
    manual[0].say(TWO)
    network.run()
    assert core.state is IDLE
    core.connect()
    assert len(manual) == 2


# What raises


def test_a_resolver_that_raises(
    network: Network, manual: list[Manual], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Manual) -> None:
        raise RuntimeError("no idea")

    monkeypatch.setattr(Manual, "start", fail)
    core = network.channel("manual-test:x")
    call = begin(network, core)
    network.run()
    assert call.code is StatusCode.INTERNAL
    assert call.details == "the channel's resolver Manual raised RuntimeError: no idea"


def test_a_resolver_that_cannot_be_made(
    network: Network, manual: list[Manual], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Manual, *_: object) -> None:
        raise RuntimeError("no idea")

    monkeypatch.setattr(Manual, "__init__", fail)
    core = network.channel("manual-test:x")
    call = begin(network, core)
    network.run()
    assert call.details == "the channel's resolver Manual raised RuntimeError: no idea"
    core.close()


def test_a_resolver_that_raises_when_it_is_asked_again(
    network: Network, manual: list[Manual], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Manual) -> None:
        raise RuntimeError("no idea")

    monkeypatch.setattr(Manual, "resolve_now", fail)
    monkeypatch.setattr(Manual, "close", fail)
    core = network.channel("manual-test:x")
    core.connect()
    network.run()
    manual[0].say()
    network.run()
    call = begin(network, core)
    assert call.code is StatusCode.INTERNAL
    serve(network)
    manual[0].say(ONE)
    network.run()
    assert core.state is READY
    core.close()


class Faulty(Policy):
    """Raises where the test says."""

    name = "faulty_for_tests"
    where = ""

    @classmethod
    def parse_config(cls, config: Any) -> Any:
        if config:
            raise ConfigError("", "takes nothing")
        return None

    def update(self, update: Update) -> None:
        if self.where == "update":
            raise RuntimeError("no idea")
        subchannel = self.helper.create_subchannel(update.endpoints[0].addresses[0], {})
        subchannel.watch(self._changed)
        subchannel.connect()
        if self.where == "timer":
            self.helper.call_later(1, self._fail)
        if self.where == "post":
            self.helper.post(self._fail)

    def _changed(self, state: Any, why: str) -> None:
        if self.where == "watcher":
            raise RuntimeError("no idea")
        if state is READY:
            picker = FaultyPicker() if self.where == "picker" else QueuePicker()
            self.helper.update_state(READY, picker)

    def _fail(self) -> None:
        raise RuntimeError("no idea")

    def exit_idle(self) -> None: ...

    def close(self) -> None:
        if self.where == "close":
            raise RuntimeError("no idea")


class FaultyPicker(Picker):
    def pick(self, info: Any) -> Any:
        raise RuntimeError("no idea")


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> type[Faulty]:
    monkeypatch.setitem(policies._registered, "other", Faulty)
    monkeypatch.delitem(policies._registered, "other")
    register(Faulty)
    monkeypatch.setattr(Faulty, "where", "")
    return Faulty


@pytest.mark.parametrize("where", ["update", "watcher", "timer", "post", "picker"])
def test_a_policy_that_raises(network: Network, faulty: type[Faulty], where: str) -> None:
    faulty.where = where
    serve(network)
    core = network.channel(options=options(loadBalancingConfig=[{"faulty_for_tests": {}}]))
    call = begin(network, core, wait_for_ready=where == "picker")
    network.advance(2)
    assert call.code is StatusCode.INTERNAL
    assert "raised RuntimeError: no idea" in call.details


def test_a_policy_that_raises_when_it_is_closed(network: Network, faulty: type[Faulty]) -> None:
    faulty.where = "close"
    fars = serve(network)
    core = network.channel(options=options(loadBalancingConfig=[{"faulty_for_tests": {}}]))
    seen = states(core)
    core.connect()
    network.run()
    assert seen == [CONNECTING, READY]
    core.close()
    network.run()
    assert fars[0].closed
    assert core.links == set()


def test_a_policy_that_raises_while_it_reads_its_config(
    network: Network, faulty: type[Faulty], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(config: Any) -> Any:
        return config["missing"]

    monkeypatch.setattr(faulty, "parse_config", fail)
    core = network.channel(options=options(loadBalancingConfig=[{"faulty_for_tests": {}}]))
    call = begin(network, core)
    network.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert (
        "loadBalancingConfig[0].faulty_for_tests: the policy raised KeyError: 'missing'"
        in call.details
    )


def test_a_policy_that_raises_in_a_later_update(
    network: Network, manual: list[Manual], faulty: type[Faulty]
) -> None:
    """What it said before does not count any more."""
    serve(network)
    core = network.channel("manual-test:x")
    core.connect()
    network.run()
    config = {"loadBalancingConfig": [{"faulty_for_tests": {}}]}
    manual[0].say(ONE, service_config=config)
    network.run()
    assert core.state is READY
    faulty.where = "update"
    manual[0].say(ONE, service_config={**config, "methodConfig": []})
    network.run()
    call = begin(network, core)
    network.run()
    assert call.details == "the channel's load-balancing policy Faulty raised RuntimeError: no idea"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, "answered with None, which is no answer of a picker"),
        (Picked("a server"), "picked 'a server', which is no subchannel of its"),  # type: ignore[arg-type]
    ],
)
def test_a_picker_that_answers_nonsense(
    network: Network,
    faulty: type[Faulty],
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    text: str,
) -> None:
    monkeypatch.setattr(FaultyPicker, "pick", lambda self, info: answer)
    faulty.where = "picker"
    serve(network)
    core = network.channel(options=options(loadBalancingConfig=[{"faulty_for_tests": {}}]))
    call = begin(network, core, wait_for_ready=True)
    network.run()
    assert call.code is StatusCode.INTERNAL
    assert call.details == f"the channel's load-balancing picker FaultyPicker {text}"


def test_a_policy_that_refuses_its_config(network: Network, faulty: type[Faulty]) -> None:
    core = network.channel(options=options(loadBalancingConfig=[{"faulty_for_tests": {"a": 1}}]))
    call = begin(network, core)
    network.run()
    assert "loadBalancingConfig[0].faulty_for_tests: takes nothing" in call.details
