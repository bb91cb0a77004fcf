"""Call the server of server.py, as several people: `python client.py PORT`."""

from __future__ import annotations

import sys

import clarion

Metadata = tuple[tuple[str, str], ...]


def call(port: str, method: str, name: str | None, metadata: Metadata = ()) -> None:
    credentials = clarion.local_channel_credentials()
    if name is not None:
        token = clarion.access_token_call_credentials(f"the-token-of-{name}")
        credentials = clarion.composite_channel_credentials(credentials, token)
    with clarion.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        invoke = channel.unary_unary(f"/example.Greeter/{method}")
        try:
            print(invoke(b"", timeout=10, metadata=metadata).decode())
        except clarion.RpcError as error:
            print(f"{error.code().name}: {error.details()}")


def main(port: str) -> None:
    call(port, "Greet", "bob")
    call(port, "Shout", "alice", (("room", "lab-1"),))
    call(port, "Shout", "alice", (("room", "lab-1"), ("time", "night")))
    call(port, "Shout", "alice")
    call(port, "Greet", None)
    print("press Enter for one more", flush=True)
    sys.stdin.readline()
    call(port, "Greet", None)


if __name__ == "__main__":
    main(sys.argv[1])
