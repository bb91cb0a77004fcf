"""Call the server of server.py: `python client.py PORT DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

import clarion


def greet(port: str, credentials: clarion.ChannelCredentials) -> None:
    with clarion.secure_channel(f"localhost:{port}", credentials) as channel:
        call = channel.unary_unary("/example.Greeter/Greet")
        try:
            print(call(b"Alice", timeout=10).decode())
        except clarion.RpcError as error:
            # The error says which certificate the server has, and why it is not trusted.
            print(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    port, directory = sys.argv[1], Path(sys.argv[2])
    greet(port, clarion.ssl_channel_credentials((directory / "ca.pem").read_bytes()))
    # Without roots it is the system's that count, and they do not know our authority.
    greet(port, clarion.ssl_channel_credentials())
