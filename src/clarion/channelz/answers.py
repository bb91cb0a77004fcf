"""The answers to questions of channelz: what `channelz_data` has, as messages.

Both front ends' servicers give them. Any thread may ask; an answer takes no longer than its page is long, but for a
server's sockets, all of which are looked at for each page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from clarion.channelz import counting, sockets
from clarion.channelz.messages import messages
from clarion.channelz_data import CHANNEL, SERVER, SOCKET, SUBCHANNEL, Node, find, nodes
from clarion.connectivity import ChannelConnectivity
from clarion.resolver.target import Target
from clarion.status import StatusCode

__all__ = ["ANSWERS", "Refused"]

_PAGE = 100
_LARGEST_PAGE = 1000

# What a channel in use on several event loops is called: the first of these that one of them is.
_RANK = (
    ChannelConnectivity.READY,
    ChannelConnectivity.CONNECTING,
    ChannelConnectivity.TRANSIENT_FAILURE,
    ChannelConnectivity.IDLE,
    ChannelConnectivity.SHUTDOWN,
)


class Refused(Exception):
    """A question that has no answer.

    Attributes:
        code: the status.
        details: why.
    """

    def __init__(self, code: StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


# Lists


def top_channels(request: Any) -> Any:
    """GetTopChannels."""
    response = messages().GetTopChannelsResponse()
    start, size = _page("start_channel_id", request.start_channel_id, request.max_results)
    page, response.end = _select(nodes(CHANNEL), start, size)
    for node, channel in page:
        _fill_channel(response.channel.add(), node, channel)
    return response


def servers(request: Any) -> Any:
    """GetServers."""
    response = messages().GetServersResponse()
    start, size = _page("start_server_id", request.start_server_id, request.max_results)
    page, response.end = _select(nodes(SERVER), start, size)
    for node, server in page:
        _fill_server(response.server.add(), node, server)
    return response


def server_sockets(request: Any) -> Any:
    """GetServerSockets."""
    response = messages().GetServerSocketsResponse()
    start, size = _page("start_socket_id", request.start_socket_id, request.max_results)
    _, server = _found(SERVER, "server_id", request.server_id)
    known = [sockets.connection_node(link) for link in server.open_links if sockets.is_open(link)]
    page, response.end = _select(sorted(known, key=lambda node: node.number), start, size)
    for node, link in page:
        _refer_to_socket(response.socket_ref.add(), node, link)
    return response


def _page(name: str, start: int, most: int) -> tuple[int, int]:
    for what, value in ((name, start), ("max_results", most)):
        if value < 0:
            raise Refused(
                StatusCode.INVALID_ARGUMENT, f"{what} must be 0 or more, and it is {value}"
            )
    return start, min(most or _PAGE, _LARGEST_PAGE)


def _select(known: Iterable[Node], start: int, size: int) -> tuple[list[tuple[Node, Any]], bool]:
    """Up to `size` of them from number `start` on, with what they are about; and whether these are the last."""
    page: list[tuple[Node, Any]] = []
    for node in known:
        entity = node.reference()
        if node.number >= start and entity is not None:
            if len(page) == size:
                return page, False
            page.append((node, entity))
    return page, True


# Single ones


def server(request: Any) -> Any:
    """GetServer."""
    response = messages().GetServerResponse()
    _fill_server(response.server, *_found(SERVER, "server_id", request.server_id))
    return response


def channel(request: Any) -> Any:
    """GetChannel."""
    response = messages().GetChannelResponse()
    _fill_channel(response.channel, *_found(CHANNEL, "channel_id", request.channel_id))
    return response


def subchannel(request: Any) -> Any:
    """GetSubchannel."""
    response = messages().GetSubchannelResponse()
    _fill_subchannel(
        response.subchannel, *_found(SUBCHANNEL, "subchannel_id", request.subchannel_id)
    )
    return response


def socket(request: Any) -> Any:
    """GetSocket."""
    response = messages().GetSocketResponse()
    node, entity = _found(SOCKET, "socket_id", request.socket_id)
    if not sockets.is_open(entity):
        raise _not_found(SOCKET, "socket_id", request.socket_id)
    message = response.socket
    _refer_to_socket(message.ref, node, entity)
    sockets.fill_ends(message, entity)
    if hasattr(entity, "connection"):
        _fill_socket_data(message.data, entity)
        sockets.fill_security(message, entity)
    return response


def _found(kind: str, field: str, number: int) -> tuple[Node, Any]:
    node = find(kind, number)
    entity = None if node is None else node.reference()
    if node is None or entity is None:
        raise _not_found(kind, field, number)
    return node, entity


def _not_found(kind: str, field: str, number: int) -> Refused:
    return Refused(
        StatusCode.NOT_FOUND,
        f"no {kind} has {field}={number}: it was closed, or there never was one",
    )


ANSWERS: dict[str, Callable[[Any], Any]] = {
    "GetTopChannels": top_channels,
    "GetServers": servers,
    "GetServer": server,
    "GetServerSockets": server_sockets,
    "GetChannel": channel,
    "GetSubchannel": subchannel,
    "GetSocket": socket,
}
"""By method."""


# The messages


def _most_connections(core: Any) -> int:
    # Connections of HTTP/1.1 have a limit of their own; see `clarion.web.client`.
    most: list[int] = [core.most_links(link) for link in core.links.copy()]
    return max(most, default=core.max_connections)


def _fill_channel(message: Any, node: Node, channel: Any) -> None:
    cores = channel.cores
    message.ref.channel_id = node.number
    message.ref.name = message.data.target = _target_text(channel.target)
    states = [core.state for core in cores] or [ChannelConnectivity.IDLE]
    _fill_state(message.data, min(states, key=_RANK.index))
    for core in cores:
        message.data.max_connections_per_subchannel = _most_connections(core)
        for subchannel in core.subchannels:
            if find(SUBCHANNEL, subchannel.node.number) is not None:
                reference = message.subchannel_ref.add()
                reference.subchannel_id = subchannel.node.number
                reference.name = str(subchannel.address)
    _fill_calls(message.data, counting.of_channel(cores))
    _fill_trace(message.data.trace, node)


def _fill_subchannel(message: Any, node: Node, subchannel: Any) -> None:
    message.ref.subchannel_id = node.number
    message.ref.name = message.data.target = str(subchannel.address)
    _fill_state(message.data, subchannel.state)
    _fill_calls(message.data, counting.of_subchannel(subchannel))
    _fill_trace(message.data.trace, node)
    for link in [*subchannel.links, *subchannel.ending]:
        if sockets.is_open(link):
            _refer_to_socket(message.socket_ref.add(), sockets.connection_node(link), link)


def _fill_server(message: Any, node: Node, server: Any) -> None:
    message.ref.server_id = node.number
    _fill_calls(message.data, counting.of_server(server))
    _fill_trace(message.data.trace, node)
    for listener in server.listeners:
        for each in listener.sockets:
            _refer_to_socket(message.listen_socket.add(), sockets.connection_node(each), each)


def _refer_to_socket(message: Any, node: Node, entity: Any) -> None:
    message.socket_id = node.number
    message.name = sockets.name_of(entity)


def _fill_state(message: Any, state: ChannelConnectivity) -> None:
    message.state.state = message.state.State.Value(state.name)


def _fill_calls(message: Any, counts: counting.CallCounts) -> None:
    message.calls_started = counts.started
    message.calls_succeeded = counts.succeeded
    message.calls_failed = counts.failed
    _fill_time(message.last_call_started_timestamp, counts.last)


def _fill_trace(message: Any, node: Node) -> None:
    message.num_events_logged = node.logged
    _fill_time(message.creation_timestamp, node.created)
    for event in node.events:
        entry = message.events.add(description=event.text, severity=event.severity)
        _fill_time(entry.timestamp, event.at)
        if event.child is not None:
            entry.subchannel_ref.subchannel_id = event.child[1]


def _fill_socket_data(message: Any, link: Any) -> None:
    counts = counting.of_socket(link)
    connection = link.connection
    message.streams_started = counts.started
    message.streams_succeeded = counts.succeeded
    message.streams_failed = counts.failed
    message.messages_sent = counts.messages_sent
    message.messages_received = counts.messages_received
    message.keep_alives_sent = link.keepalives_sent
    if connection.is_client:
        _fill_time(message.last_local_stream_created_timestamp, counts.last_stream)
        message.peer_max_concurrent_streams = connection.peer_max_concurrent_streams
    else:
        _fill_time(message.last_remote_stream_created_timestamp, counts.last_stream)
    _fill_time(message.last_message_sent_timestamp, counts.last_sent)
    _fill_time(message.last_message_received_timestamp, counts.last_received)
    message.local_flow_control_window.value = connection.send_window
    message.remote_flow_control_window.value = connection.recv_window
    if connection.goaway is not None:
        message.received_goaway_error.value = connection.goaway[0]


def _fill_time(message: Any, seconds: float) -> None:
    """Set a Timestamp, unless it is not known."""
    if seconds:
        message.FromNanoseconds(int(seconds * 1e9))


def _target_text(target: Target) -> str:
    if target.rest:
        return f"{target.scheme}:{target.rest}"
    if target.scheme == "dns":
        return f"dns:///{target.authority}"
    return f"{target.scheme}:{','.join(map(str, target.addresses))}"
