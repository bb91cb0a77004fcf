"""What pickers hear of the attempts that their answers led to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing import Done, Pick, Picked, Picker, PickInfo, Policy, Update, register
from clarion.load_balancing import registry as policies
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from support.channels import ONE, answer, serve
from support.http2 import settings
from support.wire import PATH, Network, begin


class Counting(Policy):
    """Goes to the first address, and keeps what it hears."""

    name = "counting_for_tests"
    infos: list[PickInfo]
    ends: list[Done | None]
    metadata: tuple[tuple[bytes, bytes], ...] = ()
    raises = False

    def update(self, update: Update) -> None:
        subchannel = self.helper.create_subchannel(update.endpoints[0].addresses[0], {})

        def changed(state: ChannelConnectivity, why: str) -> None:
            if state is ChannelConnectivity.READY:
                self.helper.update_state(state, CountingPicker(type(self), subchannel))
            elif state is ChannelConnectivity.IDLE:
                subchannel.connect()

        subchannel.watch(changed)
        subchannel.connect()

    def exit_idle(self) -> None: ...

    def close(self) -> None: ...


class CountingPicker(Picker):
    def __init__(self, policy: type[Counting], subchannel: Any) -> None:
        self._policy = policy
        self._subchannel = subchannel

    def pick(self, info: PickInfo) -> Pick:
        self._policy.infos.append(info)
        return Picked(self._subchannel, self._ended, metadata=self._policy.metadata)

    def _ended(self, done: Done | None) -> None:
        self._policy.ends.append(done)
        if self._policy.raises:
            raise RuntimeError("no idea")


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setattr(policies, "_registered", dict(policies._registered))
    register(Counting)
    Counting.infos, Counting.ends = [], []
    Counting.metadata, Counting.raises = (), False
    return Counting


CONFIG: dict[str, Any] = {"loadBalancingConfig": [{"counting_for_tests": {}}]}
OPTIONS = [("grpc.service_config", json.dumps(CONFIG))]


def test_what_a_picker_is_told(network: Network, counting: type[Counting]) -> None:
    fars, core = serve(network), network.channel(options=OPTIONS)
    core.connect()
    network.run()
    call = begin(network, core, metadata=[("key", "one"), ("key", "two")])
    network.run()
    [info] = counting.infos
    assert (info.method, info.wait_for_ready) == (PATH, False)
    assert info.header(b"key") == b"one,two"
    assert info.header(b"none") is None
    answer(fars[0], 1)
    network.run()
    [done] = counting.ends
    assert done is not None
    assert done.outcome.code is call.code is StatusCode.OK
    assert (done.reached, done.load) == (True, None)


def test_what_a_picker_adds(network: Network, counting: type[Counting]) -> None:
    counting.metadata = ((b"from-picker", b"yes"),)
    fars, core = serve(network), network.channel(options=OPTIONS)
    begin(network, core)
    network.run()
    assert fars[0].heads.read(fars[0].received[0].payload)["from-picker"] == "yes"


def test_a_call_that_ends_while_it_waits_for_a_stream(
    network: Network, counting: type[Counting]
) -> None:
    serve(network, ONE, settings({3: 1}))
    core = network.channel(options=OPTIONS)
    begin(network, core)
    network.run()
    waiting = begin(network, core)
    assert counting.ends == []
    waiting.end(Outcome(StatusCode.CANCELLED))
    assert counting.ends == [None]


def test_a_call_whose_connection_goes_while_it_waits(
    network: Network, counting: type[Counting]
) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel(options=OPTIONS)
    first = begin(network, core)
    network.run()
    begin(network, core)
    fars[0].close()
    network.run()
    assert first.code is StatusCode.UNAVAILABLE
    assert fars[1].requests() == [1]
    assert [done is None for done in counting.ends].count(False) == 1
    # Every answer but that of the call in progress came to an end.
    assert len(counting.ends) == len(counting.infos) - 1


def test_a_policy_that_raises_when_it_hears(
    network: Network, counting: type[Counting], caplog: pytest.LogCaptureFixture
) -> None:
    counting.raises = True
    fars, core = serve(network), network.channel(options=OPTIONS)
    call = begin(network, core)
    network.run()
    answer(fars[0], 1)
    network.run()
    assert call.code is StatusCode.OK
    assert "raised when it heard" in caplog.text
