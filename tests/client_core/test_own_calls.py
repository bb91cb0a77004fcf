"""Calls that a channel makes on its own account: health checks (gRFC A17), out-of-band load reports (gRFC A51)."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from clarion.client_core import ChannelCore
from clarion.credentials import access_token_call_credentials, metadata_call_credentials
from clarion.credentials.call import sources_of
from clarion.load_balancing.load_report import (
    STREAM_METHOD,
    LoadReport,
    decode_report_request,
    encode_load_report,
)
from clarion.status import StatusCode
from support.channels import BOTH, CONNECTING, FAILED, IDLE, ONE, READY, TWO, answer, serve, states
from support.http2 import DATA, HEADERS, RESPONSE, RST, data, goaway, headers, settings
from support.wire import Network, RawFar, begin, message

HEALTH = b"/grpc.health.v1.Health/Watch"
SERVING, NOT_SERVING, UNKNOWN_SERVICE = b"\x08\x01", b"\x08\x02", b"\x08\x03"


def trailers(code: int) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"grpc-status", b"%d" % code),)


def balanced(policy: str, config: Any = None, **members: Any) -> list[tuple[str, Any]]:
    """The options for a service config."""
    service = {"loadBalancingConfig": [{policy: config or {}}], **members}
    return [("grpc.service_config", json.dumps(service))]


def round_robin(**members: Any) -> list[tuple[str, Any]]:
    return balanced("round_robin", **members)


CHECKED = round_robin(healthCheckConfig={"serviceName": "test.Test"})


def asked(far: RawFar) -> list[tuple[int, str, bytes]]:
    """The calls that came since the last look: stream, method, request."""
    found = []
    for each in far.received:
        if each.kind == HEADERS:
            found.append([each.sid, far.heads.read(each.payload)[":path"], b""])
        elif each.kind == DATA:
            found[-1][2] = each.payload[5:]
    far.received = [each for each in far.received if each.kind not in (HEADERS, DATA)]
    return [(sid, path, request) for sid, path, request in found]


def say(far: RawFar, sid: int, status: bytes, *, first: bool = True) -> None:
    """Answer a health check."""
    if first:
        far.send(headers(sid, RESPONSE))
    far.send(data(sid, message(status)))


def end(far: RawFar, sid: int, code: StatusCode) -> None:
    """End a call with a status and nothing else."""
    far.send(headers(sid, (*RESPONSE, *trailers(code.value[0])), end=True))


# Health checks


def test_a_server_that_serves(network: Network) -> None:
    fars, core = serve(network), network.channel(options=CHECKED)
    seen = states(core)
    call = begin(network, core)
    network.run()
    assert asked(fars[0]) == [(1, HEALTH.decode(), b"\x0a\x09test.Test")]
    assert core.state is CONNECTING
    say(fars[0], 1, SERVING)
    network.run()
    assert seen == [CONNECTING, READY]
    [(stream, _, _)] = asked(fars[0])
    answer(fars[0], stream)
    network.run()
    assert call.code is StatusCode.OK
    assert network.links[0].unattended == 1


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (NOT_SERVING, "the health of 'test.Test' is NOT_SERVING"),
        (UNKNOWN_SERVICE, "the health of 'test.Test' is SERVICE_UNKNOWN"),
        (b"", "the health of 'test.Test' is UNKNOWN"),
        (b"\x08\x09", "the health of 'test.Test' is 9"),
        (b"\xff", "the health service's response is malformed"),
    ],
)
def test_a_server_that_does_not(network: Network, status: bytes, text: str) -> None:
    fars, core = serve(network), network.channel(options=CHECKED)
    call = begin(network, core)
    network.run()
    say(fars[0], 1, status)
    network.run()
    assert core.state is FAILED
    assert call.code is StatusCode.UNAVAILABLE
    assert f"1.1.1.1:1: {text}" in call.details
    # It keeps its connection, and may get well.
    say(fars[0], 1, SERVING, first=False)
    network.run()
    assert core.state is READY
    assert len(network.attempts) == 1
    say(fars[0], 1, status, first=False)
    network.run()
    assert core.state is FAILED


def test_calls_go_to_those_that_are_well(network: Network) -> None:
    fars, others = serve(network, ONE), serve(network, TWO)
    core = network.channel(BOTH, CHECKED)
    core.connect()
    network.run()
    say(fars[0], 1, NOT_SERVING)
    say(others[0], 1, SERVING)
    network.run()
    asked(others[0])
    for _ in range(3):
        begin(network, core)
    network.run()
    assert len(asked(others[0])) == 3
    assert [path for _, path, _ in asked(fars[0])] == [HEALTH.decode()]


def test_the_health_of_the_server_itself(network: Network) -> None:
    fars = serve(network)
    core = network.channel(options=round_robin(healthCheckConfig={"serviceName": ""}))
    call = begin(network, core)
    network.run()
    assert asked(fars[0]) == [(1, HEALTH.decode(), b"")]
    say(fars[0], 1, NOT_SERVING)
    network.run()
    assert "the health of the server is NOT_SERVING" in call.details


@pytest.mark.parametrize(
    "options",
    [
        round_robin(),
        round_robin(healthCheckConfig={}),
        [*CHECKED, ("grpc.inhibit_health_checking", 1)],
        balanced("pick_first", healthCheckConfig={"serviceName": ""}),
    ],
)
def test_nobody_asks(network: Network, options: list[tuple[str, Any]]) -> None:
    fars, core = serve(network), network.channel(options=options)
    core.connect()
    network.run()
    assert core.state is READY
    assert asked(fars[0]) == []


def test_a_server_without_health_service(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    fars, others = serve(network), serve(network, TWO)
    core = network.channel(BOTH, CHECKED)
    core.connect()
    network.run()
    for far in (fars[0], others[0]):
        end(far, 1, StatusCode.UNIMPLEMENTED)
    network.run()
    assert core.state is READY
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "no health service" in record.message
    network.advance(100)
    assert len(asked(fars[0])) == 1
    assert network.links[0].unattended == 0
    # The next connection is another server, perhaps.
    fars[0].close()
    network.run()
    assert len(asked(fars[1])) == 1


def test_a_check_that_fails_is_repeated_with_backoff(network: Network) -> None:
    fars, core = serve(network), network.channel(options=CHECKED)
    call = begin(network, core)
    network.run()
    waits = []
    for sid in (1, 3, 5):
        assert [each for each, _, _ in asked(fars[0])] == [sid]
        end(fars[0], sid, StatusCode.INTERNAL)
        network.run()
        assert core.state is FAILED
        waits.append(network.timers[0])
        network.advance(network.timers[0])
    assert waits == pytest.approx([1, 1.6, 2.56])
    assert "1.1.1.1:1: the health check ended: INTERNAL" in call.details


def test_a_check_that_worked_is_repeated_at_once(network: Network) -> None:
    fars, core = serve(network), network.channel(options=CHECKED)
    core.connect()
    network.run()
    asked(fars[0])
    say(fars[0], 1, SERVING)
    fars[0].send(headers(1, trailers(0), end=True))
    network.run()
    assert [sid for sid, _, _ in asked(fars[0])] == [3]
    end(fars[0], 3, StatusCode.INTERNAL)
    network.run()
    assert asked(fars[0]) == []
    network.advance(1.1)
    assert [sid for sid, _, _ in asked(fars[0])] == [5]
    say(fars[0], 5, SERVING)
    network.run()
    assert core.state is READY


def test_compressed_and_damaged_answers(network: Network) -> None:
    import gzip

    fars, core = serve(network), network.channel(options=CHECKED)
    core.connect()
    network.run()
    fars[0].send(
        headers(1, (*RESPONSE, (b"grpc-encoding", b"gzip"))),
        data(1, message(gzip.compress(SERVING), 1)),
    )
    network.run()
    assert core.state is READY
    fars[0].send(data(1, message(b"no gzip", 1)))
    network.run()
    assert core.state is not READY
    assert [each.kind for each in fars[0].received if each.kind == RST] == [RST]


def test_a_lost_connection_ends_the_check(network: Network) -> None:
    fars, core = serve(network), network.channel(options=CHECKED)
    core.connect()
    network.run()
    say(fars[0], 1, SERVING)
    network.run()
    fars[0].close()
    network.run()
    assert core.state is CONNECTING
    assert [path for _, path, _ in asked(fars[1])] == [HEALTH.decode()]
    say(fars[1], 1, SERVING)
    network.run()
    assert core.state is READY
    assert len(core.own_calls) == 1


def test_goaway_ends_the_check(network: Network) -> None:
    fars, core = serve(network), network.channel(options=CHECKED)
    core.connect()
    network.run()
    say(fars[0], 1, SERVING)
    fars[0].send(goaway(1))
    network.run()
    assert [each.kind for each in fars[0].received if each.kind == RST] == [RST]
    assert len(fars) == 2
    assert len(core.links) == 1


def test_a_connection_without_a_free_stream(network: Network) -> None:
    fars, core = serve(network, ONE, settings({3: 0})), network.channel(options=CHECKED)
    core.connect()
    network.run()
    assert asked(fars[0]) == []
    assert core.state is CONNECTING
    fars[0].send(settings({3: 1}))
    network.advance(1.1)
    assert len(asked(fars[0])) == 1


def test_the_service_config_changes() -> None:
    network = Network()
    fars, core = serve(network), network.channel(options=CHECKED)
    core.connect()
    network.run()
    assert len(asked(fars[0])) == 1
    core.check_health(None)
    network.run()
    assert core.state is READY
    core.check_health("other")
    network.run()
    assert [request for _, _, request in asked(fars[0])] == [b"\x0a\x05other"]
    say(fars[0], 3, NOT_SERVING)
    network.run()
    assert core.state is FAILED
    core.check_health("third")
    core.check_health("third")
    network.run()
    assert [request for _, _, request in asked(fars[0])] == [b"\x0a\x05third"]


def test_a_watcher_that_comes_late() -> None:
    network = Network()
    fars, core = serve(network), network.channel(options=round_robin())
    core.connect()
    network.run()
    core.health_service = "late"
    [subchannel] = core._subchannels
    heard: list[Any] = []
    subchannel.watch_health(lambda state, why: heard.append(state))
    assert heard == []
    network.run()
    say(fars[0], 1, NOT_SERVING)
    network.run()
    assert heard == [CONNECTING, FAILED]


# Whether the channel is in use


def test_checks_are_no_use_of_the_channel(network: Network) -> None:
    fars = serve(network)
    core = network.channel(options=[*CHECKED, ("grpc.client_idle_timeout_ms", 10_000)])
    core.connect()
    network.run()
    for number in range(6):
        say(fars[0], 1, SERVING, first=not number)
        network.advance(2)
    network.advance(1)
    assert core.state is IDLE
    assert core.links == set()
    assert core.own_calls == set()


def test_calls_are_use_of_the_channel(network: Network) -> None:
    fars = serve(network)
    core = network.channel(options=[*CHECKED, ("grpc.client_idle_timeout_ms", 10_000)])
    begin(network, core)
    network.run()
    say(fars[0], 1, SERVING)
    network.advance(60)
    assert core.state is READY


def test_checks_do_not_keep_a_channel_from_closing_in_good_order(network: Network) -> None:
    fars, core = serve(network), network.channel(options=CHECKED)
    call = begin(network, core)
    network.run()
    say(fars[0], 1, SERVING)
    network.run()
    over: list[bool] = []
    assert core.when_idle(lambda: over.append(True))
    network.run()
    assert over == []
    answer(fars[0], 3)
    network.run()
    assert call.code is StatusCode.OK
    assert over == [True]
    core.close()
    network.run()
    assert core.own_calls == set()


def test_closing_at_once(network: Network) -> None:
    fars, core = serve(network), network.channel(options=CHECKED)
    core.connect()
    network.run()
    assert len(asked(fars[0])) == 1
    core.close()
    network.run()
    assert core.own_calls == set()
    assert network.timers == []
    assert network.links[0].unattended == 0


# Credentials


class Secure:
    encrypted = True
    takes_call_credentials = True
    unusable = None


def credentialed(network: Network, *plugins: Any, secure: bool = True) -> ChannelCore:
    core = network.channel(options=CHECKED)
    core.security = Secure() if secure else None
    core.sources = tuple(source for each in plugins for source in sources_of(each))
    return core


def authorization(far: RawFar) -> list[str | None]:
    """Of the calls that came."""
    return [
        far.heads.read(each.payload).get("authorization")
        for each in far.received
        if each.kind == HEADERS
    ]


class Plugin:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __call__(self, context: Any, callback: Any) -> None:
        self.asked.append((context, callback))


def test_checks_have_the_channels_credentials(network: Network) -> None:
    fars = serve(network)
    plugin = Plugin()
    core = credentialed(network, metadata_call_credentials(plugin))
    core.connect()
    network.run()
    [(context, callback)] = plugin.asked
    assert context.service_url == "https://1.1.1.1:1/grpc.health.v1.Health"
    assert context.method_name == "Watch"
    callback([("authorization", "me")], None)
    network.run()
    assert authorization(fars[0]) == ["me"]


def test_credentials_that_fail(network: Network) -> None:
    serve(network)
    plugin = Plugin()
    core = credentialed(network, metadata_call_credentials(plugin))
    core.connect()
    network.run()
    plugin.asked[0][1](None, ValueError("no token"))
    network.run()
    assert core.state is FAILED
    network.advance(1.1)
    assert len(plugin.asked) == 2


def test_credentials_that_come_too_late(network: Network) -> None:
    fars = serve(network)
    plugin = Plugin()
    core = credentialed(network, metadata_call_credentials(plugin))
    core.connect()
    network.run()
    fars[0].close()
    network.run()
    plugin.asked[0][1]([("authorization", "me")], None)
    network.run()
    assert authorization(fars[1]) == []
    plugin.asked[1][1]([("authorization", "me")], None)
    network.run()
    assert authorization(fars[1]) == ["me"]


def test_credentials_are_not_sent_in_plain_text(network: Network) -> None:
    fars = serve(network)
    core = credentialed(network, access_token_call_credentials("token"), secure=False)
    core.connect()
    network.run()
    assert core.state is FAILED
    assert asked(fars[0]) == []


# Load reports


OUT_OF_BAND = balanced(
    "weighted_round_robin", {"enableOobLoadReport": True, "blackoutPeriod": "0s"}
)


def report(far: RawFar, sid: int, load: LoadReport | bytes, *, first: bool = True) -> None:
    wire = load if isinstance(load, bytes) else encode_load_report(load)
    say(far, sid, wire, first=first)


def test_weights_from_reports_out_of_band(network: Network) -> None:
    fars, others = serve(network, ONE), serve(network, TWO)
    core = network.channel(BOTH, OUT_OF_BAND)
    core.connect()
    network.run()
    for far, requests in ((fars[0], 1.0), (others[0], 3.0)):
        [(sid, path, request)] = asked(far)
        assert path == STREAM_METHOD
        assert decode_report_request(request) == 10
        report(far, sid, LoadReport(cpu_utilization=1.0, rps_fractional=requests))
    network.advance(1.1)
    for _ in range(400):
        begin(network, core)
    network.run()
    assert (len(asked(fars[0])), len(asked(others[0]))) == (100, 300)


def test_those_who_want_reports_share_a_call() -> None:
    network = Network()
    fars, core = serve(network), network.channel(options=round_robin())
    core.connect()
    network.run()
    [subchannel] = core._subchannels
    heard: list[tuple[str, LoadReport]] = []
    slow = subchannel.watch_load(10, lambda load: heard.append(("slow", load)))
    network.run()
    assert [decode_report_request(request) for _, _, request in asked(fars[0])] == [10]
    fast = subchannel.watch_load(2, lambda load: heard.append(("fast", load)))
    subchannel.watch_load(5, lambda load: heard.append(("other", load)))
    network.run()
    [(sid, _, request)] = asked(fars[0])
    assert decode_report_request(request) == 2
    assert len(core.own_calls) == 1
    load = LoadReport(cpu_utilization=0.5)
    report(fars[0], sid, load)
    network.run()
    assert heard == [("slow", load), ("fast", load), ("other", load)]
    report(fars[0], sid, b"\xff\xff", first=False)
    network.run()
    assert len(heard) == 3
    slow.cancel()
    slow.cancel()
    assert asked(fars[0]) == []
    fast.cancel()
    network.run()
    assert [decode_report_request(request) for _, _, request in asked(fars[0])] == [5]


def test_a_server_without_reports(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    fars, core = serve(network), network.channel(options=OUT_OF_BAND)
    core.connect()
    network.run()
    end(fars[0], 1, StatusCode.UNIMPLEMENTED)
    network.advance(100)
    assert len(asked(fars[0])) == 1
    assert core.state is READY
    fars[0].close()
    network.run()
    end(fars[1], 1, StatusCode.UNIMPLEMENTED)
    network.run()
    [record] = caplog.records
    assert "the server has none" in record.message


def test_reports_that_end_are_asked_for_again(network: Network) -> None:
    fars, core = serve(network), network.channel(options=OUT_OF_BAND)
    core.connect()
    network.run()
    end(fars[0], 1, StatusCode.UNAVAILABLE)
    network.advance(1.1)
    assert [sid for sid, _, _ in asked(fars[0])] == [1, 3]
    assert core.state is READY


def test_reports_begin_with_a_connection(network: Network) -> None:
    fars, core = serve(network), network.channel(options=round_robin())
    core.connect()
    network.run()
    [subchannel] = core._subchannels
    watch = subchannel.watch_load(10, lambda load: None)
    network.run()
    fars[0].close()
    network.run()
    assert len(asked(fars[1])) == 1
    watch.cancel()
    network.run()
    assert core.own_calls == set()


def test_the_next_connection_of_several(network: Network) -> None:
    """Where an address has several connections, one is asked, and the next when that ends."""
    fars = serve(network, ONE, settings({3: 2}))
    options = round_robin(
        healthCheckConfig={"serviceName": ""},
        connectionScaling={"maxConnectionsPerSubchannel": 2},
    )
    core = network.channel(options=options)
    core.connect()
    network.run()
    asked(fars[0])
    say(fars[0], 1, SERVING)
    network.run()
    for _ in range(2):
        begin(network, core)
    network.run()
    assert len(fars) == 2
    assert HEALTH.decode() not in [path for _, path, _ in asked(fars[1])]
    fars[0].close()
    network.run()
    assert HEALTH.decode() in [path for _, path, _ in asked(fars[1])]


def test_closing_during_the_backoff(network: Network) -> None:
    fars, core = serve(network), network.channel(options=CHECKED)
    core.connect()
    network.run()
    end(fars[0], 1, StatusCode.INTERNAL)
    network.run()
    core.close()
    assert network.timers == []
    network.run()
    assert network.links[0].unattended == 0


@pytest.mark.parametrize("when", [CONNECTING, FAILED])
def test_a_watcher_that_closes_its_subchannel(when: object) -> None:
    network = Network()
    fars, core = serve(network), network.channel(options=round_robin())
    core.check_health("")
    subchannel = core.create_subchannel(ONE, lambda callback: callback)
    seen: list[object] = []

    def watch(state: object, why: str) -> None:
        seen.append(state)
        # The first CONNECTING is the connection's.
        if state is when and len(seen) > 2:
            subchannel.close()

    subchannel.watch_health(watch)
    subchannel.connect()
    network.run()
    if when is FAILED:
        end(fars[0], 1, StatusCode.INTERNAL)
        network.run()
    assert seen[-1] is when
    assert core.own_calls == set()
    assert network.timers == []
