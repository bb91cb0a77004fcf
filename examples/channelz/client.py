"""Calls, and then asks what came of them: `python client.py PORT OPERATORS_PORT`."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

import clarion
from clarion import channelz


def ask(channel: clarion.Channel, method: str, **fields: int) -> Any:
    messages = channelz.messages()
    call = channel.unary_unary(
        f"/{channelz.SERVICE_NAME}/{method}",
        messages[f"{method}Request"].SerializeToString,
        messages[f"{method}Response"].FromString,
    )
    return call(messages[f"{method}Request"](**fields), timeout=10)


def show(operators: clarion.Channel) -> None:
    # The first server is the service, the second one the operators' own.
    server = ask(operators, "GetServers").server[0]
    data = server.data
    print(
        f"calls of the server: {data.calls_started} started, {data.calls_succeeded} succeeded, "
        f"{data.calls_failed} failed"
    )
    for reference in ask(operators, "GetServerSockets", server_id=server.ref.server_id).socket_ref:
        socket = ask(operators, "GetSocket", socket_id=reference.socket_id).socket
        peer = ipaddress.ip_address(socket.remote.tcpip_address.ip_address)
        print(
            f"connection of {peer}: {socket.data.streams_started} streams, "
            f"{socket.data.messages_received} messages received, {socket.data.messages_sent} sent"
        )
    print(f"what happened: {data.trace.events[0].description}")


def run(port: str, operators_port: str) -> None:
    with (
        clarion.insecure_channel(f"127.0.0.1:{port}") as service,
        clarion.insecure_channel(f"127.0.0.1:{operators_port}") as operators,
    ):
        greet = service.unary_unary("/example.Greeter/Greet")
        for name in (b"Alice", b"Bob", b""):
            # Waits for the end, and does not raise for the call that fails.
            greet.future(name, timeout=10).code()
        show(operators)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
