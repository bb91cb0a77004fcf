"""What those are told who ask."""

from __future__ import annotations

import gc
import os
import socket
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

import clarion
import clarion.aio
from clarion import admin, channelz
from clarion.channelz_data import CHANNEL, SERVER, SOCKET, SUBCHANNEL, find
from clarion.testing import ManualResolver
from support.credentials import client_tls, pair, server_tls
from support.front_end import SERVICE, FrontEnd
from support.libraries import LIMIT
from support.simple import ECHOES, Hang


def refused(asker: Any, method: str, **fields: int) -> tuple[str, str]:
    with pytest.raises(clarion.RpcError) as caught:
        asker.ask(method, **fields)
    error: Any = caught.value
    return error.code().name, error.details()


def texts(trace: Any) -> list[str]:
    return [event.description for event in trace.events]


def node_of(client: Any) -> Any:
    return client.raw.node


# What is there


def test_a_channel_and_its_parts(front: FrontEnd, asker: Any) -> None:
    rig = front.rig(**ECHOES)
    target = rig.server.target
    node = node_of(rig.client)
    idle = asker.channel_of(node)
    assert (idle.ref.channel_id, idle.data.target) == (node.number, f"dns:///{target}")
    assert idle.data.state.state == idle.data.state.IDLE
    assert not idle.subchannel_ref
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    ready = asker.channel_of(node)
    assert ready.data.state.state == ready.data.state.READY
    assert ready.data.max_connections_per_subchannel == 1
    [reference] = ready.subchannel_ref
    assert reference.name == target
    subchannel = asker.ask("GetSubchannel", subchannel_id=reference.subchannel_id).subchannel
    assert subchannel.data.state.state == subchannel.data.state.READY
    assert (subchannel.ref, subchannel.data.target) == (reference, target)
    [end] = subchannel.socket_ref
    mine = asker.ask("GetSocket", socket_id=end.socket_id).socket
    assert (mine.ref, end.name) == (end, f"ipv4:{target}")
    [theirs] = asker.sockets_of(rig.server.raw.core.node)
    assert (mine.local, mine.remote) == (theirs.remote, theirs.local)
    address = theirs.local.tcpip_address
    assert f"{socket.inet_ntoa(address.ip_address)}:{address.port}" == target
    assert not mine.HasField("security")
    assert mine.data.peer_max_concurrent_streams > 0
    for data in (mine.data, theirs.data):
        assert data.local_flow_control_window.value > 0
        assert data.remote_flow_control_window.value > 0
        assert (data.keep_alives_sent, data.HasField("received_goaway_error")) == (0, False)


def test_a_server_and_what_it_listens_on(front: FrontEnd, asker: Any, tmp_path: Path) -> None:
    path = tmp_path / "s"
    server = front.serve(ECHOES, addresses=["127.0.0.1:0", f"unix:{path}"])
    shown = asker.server_of(server.raw.core.node)
    first, second = shown.listen_socket
    assert first.name == f"listening {server.target}"
    assert second.name == f"listening {path}"
    listening = asker.ask("GetSocket", socket_id=second.socket_id).socket
    assert listening.local.uds_address.filename == str(path)
    assert not listening.HasField("remote")
    assert not listening.HasField("data")
    assert texts(shown.data.trace)[0] == "Server created"
    assert f"Listening on unix:{path}, port 1" in texts(shown.data.trace)
    client = front.connect(f"unix:{path}")
    assert client.call(f"{SERVICE}UnaryUnary", "unary_unary", [b"a"]).code == "OK"
    [connection] = asker.sockets_of(server.raw.core.node)
    assert connection.local.uds_address.filename == str(path)
    [subchannel] = asker.subchannels_of(node_of(client))
    assert subchannel.data.target == f"unix:{path}"


def test_ipv6(front: FrontEnd, asker: Any) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("the system has no IPv6")
    server = front.serve(ECHOES, addresses=["[::1]:0"])
    client = front.connect(f"[::1]:{server.ports[0]}")
    assert client.call(f"{SERVICE}UnaryUnary", "unary_unary", [b"a"]).code == "OK"
    [connection] = asker.sockets_of(server.raw.core.node)
    address = connection.local.tcpip_address
    assert socket.inet_ntop(socket.AF_INET6, address.ip_address) == "::1"
    assert address.port == server.ports[0]
    [listening] = asker.server_of(server.raw.core.node).listen_socket
    assert listening.name == f"listening [::1]:{server.ports[0]}"


def test_tls(front: FrontEnd, asker: Any) -> None:
    rig = front.rig(
        unary_unary=ECHOES["unary_unary"],
        credentials=server_tls(front.library, roots="ca", require=True),
        client_credentials=client_tls(front.library, "client"),
        client_options=[("grpc.ssl_target_name_override", "localhost")],
    )
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    [theirs] = asker.sockets_of(rig.server.raw.core.node)
    [subchannel] = asker.subchannels_of(node_of(rig.client))
    mine = asker.ask("GetSocket", socket_id=subchannel.socket_ref[0].socket_id).socket
    for one, peer in ((mine, "server"), (theirs, "client")):
        assert one.security.tls.standard_name.startswith("TLS_")
        certificate = one.security.tls.remote_certificate.strip()
        assert certificate in pair(peer)[1].replace(b"\r", b"")
    assert (mine.remote_name, theirs.remote_name) == ("localhost", "")


def test_local_credentials(front: FrontEnd, asker: Any) -> None:
    root = front.library.root
    rig = front.rig(
        unary_unary=ECHOES["unary_unary"],
        credentials=root.local_server_credentials(root.LocalConnectionType.LOCAL_TCP),
        client_credentials=root.local_channel_credentials(root.LocalConnectionType.LOCAL_TCP),
    )
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    [theirs] = asker.sockets_of(rig.server.raw.core.node)
    assert theirs.security.other.name == "local"


# What happened


def test_the_events_of_a_channel(front: FrontEnd, asker: Any) -> None:
    server = front.serve(ECHOES, options=[("grpc.max_connection_idle_ms", 100)])
    client = front.connect(server.target)
    watcher = front.watch(client, connect=True)
    watcher.until("READY")
    watcher.until("IDLE")
    shown = asker.channel_of(node_of(client))
    trace = shown.data.trace
    assert trace.num_events_logged == len(trace.events)
    assert trace.creation_timestamp.seconds > 0
    address = server.target
    assert texts(trace) == [
        "Channel created",
        "Channel state changed to CONNECTING",
        f"Addresses: {address}",
        "Load-balancing policy: pick_first",
        f"Subchannel created: {address}",
        "Channel state changed to READY",
        "Channel state changed to IDLE",
    ]
    [subchannel] = asker.subchannels_of(node_of(client))
    assert trace.events[4].subchannel_ref.subchannel_id == subchannel.ref.subchannel_id
    assert {event.severity for event in trace.events} == {1}
    assert texts(subchannel.data.trace) == [
        "Subchannel created",
        "Subchannel state changed to CONNECTING",
        "Subchannel state changed to READY",
        "Subchannel state changed to IDLE",
    ]


def test_what_resolvers_say(front: FrontEnd, asker: Any, until: Any) -> None:
    first, second = front.serve(ECHOES), front.serve(ECHOES)
    with ManualResolver() as names:
        # Much happens that could push out what is looked for.
        options = [("grpc.max_channel_trace_event_memory_per_node", 1 << 20)]
        client = front.connect(names.target(), options=options)
        watcher = front.watch(client, connect=True)
        names.set(error="nobody knows")
        watcher.until("TRANSIENT_FAILURE")
        names.set([first.target])
        watcher.until("READY")
        config = {"loadBalancingConfig": [{"round_robin": {}}]}
        others = [f"127.0.0.2:{port}" for port in range(1, 6)]
        names.set([second.target, *others], service_config=config)

        def trace() -> Any:
            return asker.channel_of(node_of(client)).data.trace

        until(lambda: f"Subchannel removed: {first.target}" in texts(trace()))
        shown = texts(trace())
        failed = trace().events[shown.index("Resolution failed: nobody knows")]
        assert failed.severity == 2
        assert f"Addresses: {first.target}" in shown
        many = ", ".join([second.target, *others[:4]])
        assert f"Addresses: {many} and 1 more" in shown
        assert "Service config changed" in shown
        assert "Load-balancing policy: round_robin" in shown


def test_events_are_kept_as_far_as_they_may_be(front: FrontEnd, asker: Any) -> None:
    limit = [("grpc.max_channel_trace_event_memory_per_node", 300)]
    rig = front.rig(**ECHOES, options=limit, client_options=limit)
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    trace = asker.channel_of(node_of(rig.client)).data.trace
    assert trace.num_events_logged == 6
    assert texts(trace)[-1] == "Channel state changed to READY"
    assert len(trace.events) < 3
    assert len(asker.server_of(rig.server.raw.core.node).data.trace.events) == 2


def test_a_server_that_stops_with_a_call_in_progress(
    front: FrontEnd, asker: Any, until: Any
) -> None:
    hang = Hang()
    rig = front.rig(stream_stream=hang)
    call = rig.open("stream_stream")
    hang.wait_started()
    node = rig.server.raw.core.node
    stopped = rig.server.stop(60)

    def ending() -> Any:
        [subchannel] = asker.subchannels_of(node_of(rig.client))
        if subchannel.data.state.state != subchannel.data.state.IDLE:
            return None
        return subchannel

    subchannel = until(ending)
    assert (subchannel.data.calls_started, subchannel.data.calls_succeeded) == (1, 0)
    [reference] = subchannel.socket_ref
    data = asker.ask("GetSocket", socket_id=reference.socket_id).socket.data
    assert data.HasField("received_goaway_error")
    assert data.received_goaway_error.value == 0
    shown = asker.server_of(node)
    assert texts(shown.data.trace)[-1] == "Server stops"
    assert not shown.listen_socket
    call.cancel()
    stopped()
    assert refused(asker, "GetServer", server_id=node.number)[0] == "NOT_FOUND"


def test_keepalives_are_counted(front: FrontEnd, asker: Any, until: Any) -> None:
    keepalive = [("grpc.keepalive_time_ms", 20), ("grpc.keepalive_permit_without_calls", 1)]
    rig = front.rig(**ECHOES, client_options=keepalive)
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    [subchannel] = asker.subchannels_of(node_of(rig.client))
    number = subchannel.socket_ref[0].socket_id
    until(lambda: asker.ask("GetSocket", socket_id=number).socket.data.keep_alives_sent)


# What is not there


def test_channels_and_servers_that_do_not_want_it(front: FrontEnd, asker: Any) -> None:
    off = [("grpc.enable_channelz", 0)]
    rig = front.rig(**ECHOES, options=off, client_options=off)
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    known = asker.ask("GetTopChannels").channel
    assert f"dns:///{rig.server.target}" not in {each.data.target for each in known}
    listening = {
        each.name for server in asker.ask("GetServers").server for each in server.listen_socket
    }
    assert f"listening {rig.server.target}" not in listening
    assert node_of(rig.client).number == rig.server.raw.core.node.number == 0


def test_what_is_closed_is_gone(front: FrontEnd, asker: Any, until: Any) -> None:
    server = front.serve(ECHOES)
    client = front.connect(server.target)
    assert client.call(f"{SERVICE}UnaryUnary", "unary_unary", [b"a"]).code == "OK"
    channel, serving = node_of(client).number, server.raw.core.node.number
    [subchannel] = asker.ask("GetChannel", channel_id=channel).channel.subchannel_ref
    [theirs] = asker.ask("GetServerSockets", server_id=serving).socket_ref
    [mine] = asker.ask(
        "GetSubchannel", subchannel_id=subchannel.subchannel_id
    ).subchannel.socket_ref
    [listening] = asker.ask("GetServer", server_id=serving).server.listen_socket
    client.close()
    server.close()
    for method, kind, number in (
        ("GetChannel", CHANNEL, channel),
        ("GetSubchannel", SUBCHANNEL, subchannel.subchannel_id),
        ("GetServer", SERVER, serving),
        ("GetServerSockets", SERVER, serving),
        ("GetSocket", SOCKET, theirs.socket_id),
        ("GetSocket", SOCKET, mine.socket_id),
        ("GetSocket", SOCKET, listening.socket_id),
    ):
        field = f"{kind}_id"
        details = f"no {kind} has {field}={number}: it was closed, or there never was one"
        assert refused(asker, method, **{field: number}) == ("NOT_FOUND", details)


def test_nothing_is_kept(asker: Any, until: Any) -> None:
    pool = futures.ThreadPoolExecutor(1)
    server = clarion.server(pool)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel: Any = clarion.insecure_channel(f"127.0.0.1:{port}")
    clarion.channel_ready_future(channel).result(LIMIT)
    [subchannel] = asker.subchannels_of(channel.node)
    sockets = [each.socket_id for each in subchannel.socket_ref]
    sockets += [each.ref.socket_id for each in asker.sockets_of(server.core.node)]  # type: ignore[attr-defined]
    kinds = [(CHANNEL, channel.node.number), (SERVER, server.core.node.number)]  # type: ignore[attr-defined]
    kinds += [(SUBCHANNEL, subchannel.ref.subchannel_id), *((SOCKET, each) for each in sockets)]
    assert all(find(*each) is not None for each in kinds)
    server.stop(None).wait(LIMIT)
    pool.shutdown()
    del channel, server

    def gone() -> bool:
        gc.collect()
        return not any(find(*each) for each in kinds)

    until(gone)


# How it is asked


def test_pages_of_channels_and_servers(asker: Any) -> None:
    channels: list[Any] = [clarion.insecure_channel(f"host-{number}:1") for number in range(5)]
    pool = futures.ThreadPoolExecutor(1)
    servers: list[Any] = [clarion.server(pool) for _ in range(3)]
    numbers = [channel.node.number for channel in channels]
    first = asker.ask("GetTopChannels", start_channel_id=numbers[0], max_results=2)
    assert [each.ref.channel_id for each in first.channel] == numbers[:2]
    assert not first.end
    rest = asker.ask("GetTopChannels", start_channel_id=numbers[1] + 1, max_results=3)
    assert [each.ref.channel_id for each in rest.channel] == numbers[2:]
    assert rest.end
    nothing = asker.ask("GetTopChannels", start_channel_id=10**9)
    assert (len(nothing.channel), nothing.end) == (0, True)
    numbers = [server.core.node.number for server in servers]
    page = asker.ask("GetServers", start_server_id=numbers[0], max_results=2)
    assert [each.ref.server_id for each in page.server] == numbers[:2]
    assert not page.end
    assert asker.ask("GetServers", start_server_id=numbers[2]).end
    for channel in channels:
        channel.close()
    for server in servers:
        server.stop(None).wait(LIMIT)
    pool.shutdown()


def test_pages_of_sockets(front: FrontEnd, asker: Any) -> None:
    server = front.serve(ECHOES)
    clients = [front.connect(server.target) for _ in range(3)]
    for client in clients:
        assert client.call(f"{SERVICE}UnaryUnary", "unary_unary", [b"a"]).code == "OK"
    number = server.raw.core.node.number
    found: list[int] = []
    start, ends = 0, []
    while not ends or not ends[-1]:
        page = asker.ask("GetServerSockets", server_id=number, start_socket_id=start, max_results=2)
        found += [each.socket_id for each in page.socket_ref]
        start = found[-1] + 1
        ends.append(page.end)
    assert ends == [False, True]
    assert len(set(found)) == 3
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("method", "fields", "details"),
    [
        ("GetTopChannels", {"start_channel_id": -1}, "start_channel_id must be 0 or more"),
        ("GetTopChannels", {"max_results": -2}, "max_results must be 0 or more, and it is -2"),
        ("GetServers", {"start_server_id": -1}, "start_server_id must be 0 or more"),
        ("GetServerSockets", {"start_socket_id": -1}, "start_socket_id must be 0 or more"),
    ],
)
def test_bad_questions(asker: Any, method: str, fields: dict[str, int], details: str) -> None:
    code, text = refused(asker, method, **fields)
    assert code == "INVALID_ARGUMENT"
    assert text.startswith(details)


def test_an_asyncio_server_answers_as_well(loop: Any) -> None:
    known = channelz.messages()

    async def ask() -> tuple[Any, str]:
        server = clarion.aio.server()
        assert admin.add_services(server) == ("grpc.channelz.v1.Channelz",)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with clarion.aio.insecure_channel(f"127.0.0.1:{port}") as channel:

            def method(name: str) -> Any:
                return channel.unary_unary(
                    f"/grpc.channelz.v1.Channelz/{name}",
                    known[f"{name}Request"].SerializeToString,
                    known[f"{name}Response"].FromString,
                )

            found = await method("GetServers")(known.GetServersRequest(), timeout=LIMIT)
            for name in ("GetTopChannels",):
                await method(name)(known[f"{name}Request"](), timeout=LIMIT)
            answers = []
            for name in (
                "GetServer",
                "GetServerSockets",
                "GetChannel",
                "GetSubchannel",
                "GetSocket",
            ):
                with pytest.raises(clarion.aio.AioRpcError) as caught:
                    await method(name)(known[f"{name}Request"](), timeout=LIMIT)
                answers.append(caught.value.code().name)
        await server.stop(None)
        listening = {each.name for one in found.server for each in one.listen_socket}
        return f"listening 127.0.0.1:{port}" in listening, answers

    assert loop.run(ask) == (True, ["NOT_FOUND"] * 5)


def test_a_sync_server_gets_all_services_for_operators() -> None:
    with futures.ThreadPoolExecutor(1) as pool:
        server: Any = clarion.server(pool)
        assert admin.add_services(server) == (channelz.SERVICE_NAME,)
        assert server.core.knows("/grpc.channelz.v1.Channelz/GetTopChannels")
        server.stop(None).wait(LIMIT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_shows_what_it_has() -> None:
    from support.processes import run_script

    done = run_script(FORKED)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "right\n")


FORKED = """
import os, sys, warnings
from concurrent import futures
import clarion
from clarion.channelz import answers, messages
from clarion.channelz_data import CHANNEL, SERVER, SOCKET, SUBCHANNEL, nodes

warnings.simplefilter("ignore")
known = messages()
def serve():
    pool = futures.ThreadPoolExecutor(1)
    server = clarion.server(pool)
    handler = clarion.unary_unary_rpc_method_handler(lambda request, context: request)
    server.add_registered_method_handlers("s", {"m": handler})
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port, pool

server, port, pool = serve()
channel = clarion.insecure_channel(f"127.0.0.1:{port}")
channel.unary_unary("/s/m")(b"", timeout=30)

def shown():
    [one] = answers.top_channels(known.GetTopChannelsRequest()).channel
    for each in one.subchannel_ref:
        answers.subchannel(known.GetSubchannelRequest(subchannel_id=each.subchannel_id))
    found = answers.servers(known.GetServersRequest()).server
    return one.data.calls_started, len(one.subchannel_ref), len(found)

assert shown() == (1, 1, 1), shown()
child = os.fork()
if not child:
    try:
        assert shown() == (0, 0, 0), shown()
        assert not nodes(SOCKET) and not nodes(SUBCHANNEL)
        mine, port, pool = serve()
        assert shown() == (0, 0, 1), shown()
        # The parent serves on.
        channel.unary_unary("/s/m")(b"", timeout=30)
        assert shown() == (1, 1, 1), shown()
        mine.stop(None).wait(30)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert code == 0, code
assert shown() == (1, 1, 1), shown()
channel.close()
server.stop(None).wait(30)
print("right")
"""
