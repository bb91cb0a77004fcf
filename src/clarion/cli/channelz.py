"""`clarion channelz`: show what a process does with gRPC, as far as it tells (`clarion.channelz`).

Rules: what is shown is a tree for people, in the order of the numbers; errors go to standard error.
"""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import clarion
from clarion.channelz.messages import SERVICE_NAME, messages

__all__ = ["run"]

_USAGE = 2


class _Asker:
    """Asks one process."""

    def __init__(self, channel: Any, timeout: float) -> None:
        self._channel = channel
        self._timeout = timeout

    def ask(self, method: str, **fields: int) -> Any:
        known = messages()
        call = self._channel.unary_unary(
            f"/{SERVICE_NAME}/{method}",
            known[f"{method}Request"].SerializeToString,
            known[f"{method}Response"].FromString,
        )
        return call(known[f"{method}Request"](**fields), timeout=self._timeout)

    def one(self, kind: str, number: int) -> Any:
        """One thing, or None if it was closed meanwhile."""
        try:
            answer = self.ask(f"Get{kind.title()}", **{f"{kind}_id": number})
        except clarion.RpcError as error:
            failed: Any = error
            if failed.code() is clarion.StatusCode.NOT_FOUND:
                return None
            raise
        return getattr(answer, kind)

    def all(self, method: str, field: str, kind: str, **more: int) -> Iterator[Any]:
        """All of a list, page by page; `kind` is what its numbers are called by, `field` where the list is."""
        start, end = 0, False
        while not end:
            page = self.ask(method, **{f"start_{kind}_id": start}, **more)
            found = getattr(page, field)
            yield from found
            before = start
            if found:
                start = getattr(getattr(found[-1], "ref", found[-1]), f"{kind}_id") + 1
            end = page.end or start <= before


# The tree


def _tree(asker: _Asker, events: bool) -> Iterator[str]:
    for channel in asker.all("GetTopChannels", "channel", "channel"):
        yield f"channel {channel.ref.channel_id}  {_state(channel.data)}"
        yield from _details(channel.data, events, 1)
        for reference in channel.subchannel_ref:
            yield from _subchannel(asker, reference.subchannel_id, events)
    for server in asker.all("GetServers", "server", "server"):
        yield f"server {server.ref.server_id}"
        yield from _details(server.data, events, 1)
        for reference in server.listen_socket:
            yield f"  socket {reference.socket_id}  {reference.name}"
        number = server.ref.server_id
        for reference in asker.all("GetServerSockets", "socket_ref", "socket", server_id=number):
            yield from _socket(asker, reference.socket_id, 1)


def _subchannel(asker: _Asker, number: int, events: bool) -> Iterator[str]:
    subchannel = asker.one("subchannel", number)
    if subchannel is not None:
        yield f"  subchannel {number}  {_state(subchannel.data)}"
        yield from _details(subchannel.data, events, 2)
        for reference in subchannel.socket_ref:
            yield from _socket(asker, reference.socket_id, 2)


def _state(data: Any) -> str:
    states = data.state.State
    number = data.state.state
    return f"{states.Name(number) if number in states.values() else number}  {data.target}"


def _details(data: Any, events: bool, depth: int) -> Iterator[str]:
    margin = "  " * depth
    running = data.calls_started - data.calls_succeeded - data.calls_failed
    last = ""
    if data.HasField("last_call_started_timestamp"):
        last = f", the last one at {_time(data.last_call_started_timestamp)}"
    yield (
        f"{margin}calls: {data.calls_started} started, {data.calls_succeeded} succeeded, "
        f"{data.calls_failed} failed, {running} in progress{last}"
    )
    if events:
        for event in data.trace.events:
            mark = {2: " WARNING", 3: " ERROR"}.get(event.severity, "")
            yield f"{margin}{_time(event.timestamp)}{mark} {event.description}"


def _socket(asker: _Asker, number: int, depth: int) -> Iterator[str]:
    socket = asker.one("socket", number)
    if socket is None:
        return
    margin, data = "  " * depth, socket.data
    yield f"{margin}socket {number}  {_address(socket.local)} - {_address(socket.remote)}{_security(socket)}"
    yield (
        f"{margin}  streams: {data.streams_started} started, {data.streams_succeeded} succeeded, "
        f"{data.streams_failed} failed; messages: {data.messages_sent} sent, "
        f"{data.messages_received} received"
    )


def _security(socket: Any) -> str:
    model = socket.security.WhichOneof("model")
    if model == "tls":
        tls = socket.security.tls
        return f"  TLS {tls.standard_name or tls.other_name}"
    return f"  {socket.security.other.name}" if model else ""


def _address(address: Any) -> str:
    kind = address.WhichOneof("address")
    if kind == "tcpip_address":
        port = address.tcpip_address.port
        try:
            host = ipaddress.ip_address(address.tcpip_address.ip_address)
        except ValueError:
            return f"?:{port}"
        return f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}"
    if kind == "uds_address":
        return f"unix:{address.uds_address.filename}"
    return address.other_address.name or "?"


def _time(stamp: Any) -> str:
    try:
        moment = datetime.datetime.fromtimestamp(stamp.seconds + stamp.nanos / 1e9).astimezone()
    except (OSError, OverflowError, ValueError):
        return f"{stamp.seconds} s"
    return moment.isoformat(sep=" ", timespec="milliseconds")


# The command


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Show the channels, servers and connections of a process that serves grpc.channelz.v1.",
    )
    parser.add_argument("target", metavar="HOST:PORT", help="any target of a channel")
    parser.add_argument("--events", action="store_true", help="show what happened to each, too")
    parser.add_argument(
        "--timeout", type=float, default=5.0, metavar="S", help="seconds for each question; 5"
    )
    tls = parser.add_argument_group("TLS")
    tls.add_argument("--tls", action="store_true", help="connect with TLS; the others imply it")
    tls.add_argument("--ca", type=Path, metavar="FILE", help="trusted certificates (PEM)")
    tls.add_argument("--cert", type=Path, metavar="FILE", help="the client's certificate (PEM)")
    tls.add_argument("--key", type=Path, metavar="FILE", help="its key (PEM)")
    return parser


def _connect(given: argparse.Namespace) -> Any:
    files = [
        None if each is None else each.read_bytes() for each in (given.ca, given.key, given.cert)
    ]
    if given.tls or any(files):
        return clarion.secure_channel(given.target, clarion.ssl_channel_credentials(*files))
    return clarion.insecure_channel(given.target)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        # What comes from elsewhere must not steer the terminal.
        print("".join(each if each.isprintable() else "?" for each in line))


def run(arguments: Sequence[str], *, prog: str) -> int:
    """Show what a process tells.

    Args:
        arguments: what the user wrote after the command.
        prog: the command, for messages.

    Returns:
        The exit code: 0, 1 if the process did not answer, 2 for arguments that make no sense.
    """
    try:
        given = _parser(prog).parse_args(list(arguments))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else _USAGE
    try:
        channel = _connect(given)
    except (OSError, ValueError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return _USAGE
    with channel:
        try:
            _print(_tree(_Asker(channel, given.timeout), given.events))
        except clarion.RpcError as error:
            failed: Any = error
            print(
                f"{prog}: {given.target}: {failed.code().name}: {failed.details()}", file=sys.stderr
            )
            return 1
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            # Whoever reads has enough, such as `head`.
            sys.stderr.close()
    return 0
