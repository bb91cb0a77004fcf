"""What calls and connections count, on both front ends."""

from __future__ import annotations

import json
import time
from concurrent import futures
from typing import Any

import pytest

from clarion.channelz import counting
from clarion.channelz_data import Times
from clarion.http2 import Connection
from support.front_end import SERVICE, FrontEnd, Rig
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.simple import ECHOES, Hang


async def refuse(call: ServerCall) -> None:
    await call.abort("NOT_FOUND", "there is no such thing")


def calls(message: Any) -> tuple[int, int, int]:
    data = message.data
    return data.calls_started, data.calls_succeeded, data.calls_failed


def all_calls(asker: Any, rig: Rig) -> list[tuple[int, int, int]]:
    """Of the channel, its one subchannel, and the server."""
    channel, server = rig.client.raw.node, rig.server.raw.core.node  # type: ignore[attr-defined]
    [subchannel] = asker.subchannels_of(channel)
    return [
        calls(asker.channel_of(channel)),
        calls(subchannel),
        calls(asker.server_of(server)),
    ]


def test_calls_of_all_patterns(front: FrontEnd, asker: Any, until: Any) -> None:
    rig = front.rig(**ECHOES)
    for pattern, requests in (
        ("unary_unary", [b"a"]),
        ("unary_stream", [b"a"]),
        ("stream_unary", [b"a", b"b"]),
        ("stream_stream", [b"a", b"b", b"c"]),
    ):
        assert rig.call(pattern, requests).code == "OK"
    until(lambda: all_calls(asker, rig) == [(4, 4, 0)] * 3)
    [subchannel] = asker.subchannels_of(rig.client.raw.node)  # type: ignore[attr-defined]
    [reference] = subchannel.socket_ref
    client = asker.ask("GetSocket", socket_id=reference.socket_id).socket
    [server] = asker.sockets_of(rig.server.raw.core.node)
    for one in (client, server):
        data = one.data
        assert (data.streams_started, data.streams_succeeded, data.streams_failed) == (4, 4, 0)
    assert (client.data.messages_sent, client.data.messages_received) == (7, 8)
    assert (server.data.messages_sent, server.data.messages_received) == (8, 7)


def test_calls_that_fail(front: FrontEnd, asker: Any, until: Any) -> None:
    rig = front.rig(unary_unary=refuse)
    assert rig.call("unary_unary", [b"a"]).code == "NOT_FOUND"
    unknown = rig.client.call(f"{SERVICE}Nothing", "unary_unary", [b"a"])
    assert unknown.code == "UNIMPLEMENTED"
    until(lambda: all_calls(asker, rig) == [(2, 0, 2)] * 3)


def test_calls_in_progress_and_cancelled_ones(front: FrontEnd, asker: Any, until: Any) -> None:
    hang = Hang()
    rig = front.rig(stream_stream=hang, unary_unary=ECHOES["unary_unary"])
    call = rig.open("stream_stream")
    hang.wait_started()
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    until(lambda: all_calls(asker, rig) == [(2, 1, 0)] * 3)
    call.cancel()
    until(lambda: all_calls(asker, rig) == [(2, 1, 1)] * 3)
    [server] = asker.sockets_of(rig.server.raw.core.node)
    assert (server.data.streams_started, server.data.streams_failed) == (2, 1)


def test_a_deadline_and_a_message_that_is_too_large(
    front: FrontEnd, asker: Any, until: Any
) -> None:
    hang = Hang()
    rig = front.rig(unary_unary=hang, client_options=[("grpc.max_send_message_length", 10)])
    assert rig.call("unary_unary", [b"a"], timeout=0.05).code == "DEADLINE_EXCEEDED"
    node = rig.client.raw.node  # type: ignore[attr-defined]
    until(lambda: calls(asker.channel_of(node)) == (1, 0, 1))
    assert rig.call("unary_unary", [b"a" * 11]).code == "RESOURCE_EXHAUSTED"
    assert calls(asker.channel_of(node)) == (2, 0, 2)


def test_calls_that_find_no_server(front: FrontEnd, asker: Any) -> None:
    server = front.serve({})
    target = server.target
    server.close()
    client = front.connect(target)
    assert client.call(f"{SERVICE}UnaryUnary", "unary_unary", [b"a"]).code == "UNAVAILABLE"
    node = client.raw.node  # type: ignore[attr-defined]
    channel = asker.channel_of(node)
    assert calls(channel) == (1, 0, 1)
    # It tries again and again.
    State = type(channel.data.state)
    assert channel.data.state.state in (State.TRANSIENT_FAILURE, State.CONNECTING, State.IDLE)
    warnings = [event for event in channel.data.trace.events if event.severity == 2]
    assert target in warnings[0].description


def test_what_a_lost_connection_counted_stays(front: FrontEnd, asker: Any, until: Any) -> None:
    server = front.serve(ECHOES)
    client = front.connect(server.target)
    assert client.call(f"{SERVICE}UnaryUnary", "unary_unary", [b"a"]).code == "OK"
    node = server.raw.core.node
    number = node.number
    assert asker.ask("GetServerSockets", server_id=number).socket_ref
    assert calls(asker.server_of(node)) == (1, 1, 0)
    client.close()
    until(lambda: not asker.ask("GetServerSockets", server_id=number).socket_ref)
    assert calls(asker.server_of(node)) == (1, 1, 0)


def test_what_a_subchannel_counted_stays(front: FrontEnd, asker: Any, until: Any) -> None:
    server = front.serve(ECHOES, options=[("grpc.max_connection_idle_ms", 100)])
    client = front.connect(server.target)
    assert client.call(f"{SERVICE}UnaryUnary", "unary_unary", [b"a"]).code == "OK"
    node = client.raw.node  # type: ignore[attr-defined]

    def without_connection() -> Any:
        [subchannel] = asker.subchannels_of(node)
        return None if subchannel.socket_ref else subchannel

    subchannel = until(without_connection)
    assert calls(subchannel) == (1, 1, 0)
    assert calls(asker.channel_of(node)) == (1, 1, 0)


def test_times_begin_with_the_first_question(front: FrontEnd, asker: Any, until: Any) -> None:
    rig = front.rig(**ECHOES)
    node, served = rig.client.raw.node, rig.server.raw.core.node  # type: ignore[attr-defined]
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    assert not asker.channel_of(node).data.HasField("last_call_started_timestamp")
    [server] = asker.sockets_of(served)
    assert not server.data.HasField("last_message_received_timestamp")
    before = time.time()
    assert rig.call("unary_unary", [b"a"]).code == "OK"

    def all_there() -> bool:
        [subchannel] = asker.subchannels_of(node)
        [server] = asker.sockets_of(served)
        client = asker.ask("GetSocket", socket_id=subchannel.socket_ref[0].socket_id).socket.data
        times = [
            asker.channel_of(node).data.last_call_started_timestamp,
            subchannel.data.last_call_started_timestamp,
            asker.server_of(served).data.last_call_started_timestamp,
            client.last_local_stream_created_timestamp,
            client.last_message_sent_timestamp,
            client.last_message_received_timestamp,
            server.data.last_remote_stream_created_timestamp,
            server.data.last_message_sent_timestamp,
            server.data.last_message_received_timestamp,
        ]
        return all(before - 1 <= each.seconds + each.nanos / 1e9 <= time.time() for each in times)

    until(all_there)


def test_times_are_noted_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    class Observer:
        def __getattr__(self, name: str) -> Any:
            return lambda *arguments: None

    now = [1000.0]
    monkeypatch.setattr(counting.time, "monotonic", lambda: now[0])
    connection = Connection(Observer(), lambda: 0.0)  # type: ignore[arg-type]
    times = counting._watch(connection)
    assert type(connection) is not Connection
    connection.start()
    connection.opened += 1
    connection.messages_sent += 2
    assert connection.take_output()
    assert times.stream > 0
    assert times.sent > 0
    assert times.received == 0
    now[0] += 599
    connection.take_output()
    assert counting._watch(connection) is times
    now[0] += 599
    connection.take_output()
    assert type(connection) is not Connection
    now[0] += 2
    connection.take_output()
    assert type(connection) is Connection
    # What happens now has no time, and what time there was is out of date.
    connection.opened += 1
    connection.messages_received += 1
    sent = times.sent
    assert counting._watch(connection) is times
    assert (times.stream, times.sent, times.received) == (0.0, sent, 0.0)
    connection.messages_received += 1
    connection.receive_data(b"")
    assert times.received > 0


def test_old_times_of_each_kind_are_forgotten() -> None:
    times = Times()
    times.stream = times.sent = times.received = 5.0
    times.seen = 1, 1, 1
    counting._forget_old(times, (1, 2, 1))
    assert (times.stream, times.sent, times.received, times.seen) == (5.0, 0.0, 5.0, (1, 2, 1))
    counting._forget_old(times, (1, 2, 2))
    assert (times.stream, times.sent, times.received) == (5.0, 0.0, 0.0)


def test_calls_with_credentials_that_take_a_while(front: FrontEnd, asker: Any) -> None:
    from support.credentials import client_tls, server_tls

    root = front.library.root

    class Plugin(root.AuthMetadataPlugin):  # type: ignore[misc]
        def __call__(self, context: Any, callback: Any) -> None:
            callback((("x", "y"),), None)

    class Broken(root.AuthMetadataPlugin):  # type: ignore[misc]
        def __call__(self, context: Any, callback: Any) -> None:
            raise OSError("no token")

    rig = front.rig(
        unary_unary=ECHOES["unary_unary"],
        credentials=server_tls(front.library),
        client_credentials=client_tls(front.library),
        client_options=[("grpc.ssl_target_name_override", "localhost")],
    )
    good, bad = (root.metadata_call_credentials(each()) for each in (Plugin, Broken))
    assert rig.call("unary_unary", [b"a"], credentials=good, timeout=LIMIT).code == "OK"
    assert rig.call("unary_unary", [b"a"], credentials=bad, timeout=LIMIT).code == "UNAVAILABLE"
    node = rig.client.raw.node  # type: ignore[attr-defined]
    assert calls(asker.channel_of(node)) == (2, 1, 1)


def service_config(policy: dict[str, Any]) -> list[tuple[str, str]]:
    config = {"methodConfig": [{"name": [{}], **policy}]}
    return [("grpc.service_config", json.dumps(config))]


def test_a_call_that_is_tried_again(front: FrontEnd, asker: Any, until: Any) -> None:
    attempts = []

    async def second_time_lucky(call: ServerCall) -> Any:
        attempts.append(call)
        if len(attempts) == 1:
            await call.abort("UNAVAILABLE", "not now")
        return call.request

    policy = {
        "maxAttempts": 3,
        "initialBackoff": "0.001s",
        "maxBackoff": "0.001s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    rig = front.rig(
        unary_unary=second_time_lucky, client_options=service_config({"retryPolicy": policy})
    )
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    until(lambda: all_calls(asker, rig) == [(1, 1, 0), (2, 1, 1), (2, 1, 1)])


def test_a_hedged_call(front: FrontEnd, asker: Any, until: Any) -> None:
    attempts = []

    async def second_is_first(call: ServerCall) -> Any:
        attempts.append(call)
        if len(attempts) == 1:
            await call.until_cancelled(lambda: None)
        return call.request

    policy = {"maxAttempts": 2, "hedgingDelay": "0.01s", "nonFatalStatusCodes": []}
    rig = front.rig(
        unary_unary=second_is_first, client_options=service_config({"hedgingPolicy": policy})
    )
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    until(lambda: all_calls(asker, rig) == [(1, 1, 0), (2, 1, 1), (2, 1, 1)])


def test_a_hedged_call_that_fails(front: FrontEnd, asker: Any, until: Any) -> None:
    policy = {"maxAttempts": 2, "hedgingDelay": "0s", "nonFatalStatusCodes": ["NOT_FOUND"]}
    rig = front.rig(unary_unary=refuse, client_options=service_config({"hedgingPolicy": policy}))
    assert rig.call("unary_unary", [b"a"]).code == "NOT_FOUND"
    until(lambda: all_calls(asker, rig) == [(1, 0, 1), (2, 0, 2), (2, 0, 2)])


def test_many_threads_call_while_one_asks(library: Any, loop: Any, asker: Any, until: Any) -> None:
    front = FrontEnd(library, "sync", loop)
    try:
        rig = front.rig(**ECHOES)
        node = rig.client.raw.node  # type: ignore[attr-defined]

        def work() -> None:
            for _ in range(50):
                assert rig.call("unary_unary", [b"a"]).code == "OK"

        with futures.ThreadPoolExecutor(3) as pool:
            working = [pool.submit(work) for _ in range(3)]
            while not all(each.done() for each in working):
                data = asker.channel_of(node).data
                assert 0 <= data.calls_succeeded <= data.calls_started <= 150
                assert data.calls_failed == 0
                asker.subchannels_of(node)
                asker.server_of(rig.server.raw.core.node)
            for each in working:
                each.result()
        until(lambda: all_calls(asker, rig) == [(150, 150, 0)] * 3)
    finally:
        front.close()
