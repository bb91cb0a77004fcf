"""Call the server of server.py with tokens of its issuer, good and bad: `python client.py PORT ISSUER_URL`."""

from __future__ import annotations

import sys
import time
import urllib.request

import clarion


def token(issuer: str, user: str, audience: str = "greeter") -> str:
    with urllib.request.urlopen(f"{issuer}/token?user={user}&for={audience}") as answer:
        text: str = answer.read().decode()
    return text


def call(port: str, method: str, bearer: str | None) -> None:
    credentials = clarion.local_channel_credentials()
    if bearer is not None:
        credentials = clarion.composite_channel_credentials(
            credentials, clarion.access_token_call_credentials(bearer)
        )
    with clarion.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        try:
            print(channel.unary_unary(f"/example.Greeter/{method}")(b"", timeout=10).decode())
        except clarion.RpcError as error:
            print(f"{error.code().name}: {error.details()}")


def main(port: str, issuer: str) -> None:
    alice = token(issuer, "alice")
    call(port, "Greet", alice)
    call(port, "Shout", alice)
    call(port, "Shout", token(issuer, "bob"))
    call(port, "Greet", None)
    call(port, "Greet", token(issuer, "alice", audience="another-service"))
    head, claims, signature = alice.split(".")
    call(port, "Greet", f"{head}.{claims}.{signature[::-1]}")
    # The issuer takes another key. The server finds it when a token says its name, and forgets the old one.
    urllib.request.urlopen(f"{issuer}/rotate").close()
    time.sleep(0.2)
    call(port, "Greet", token(issuer, "bob"))
    call(port, "Greet", alice)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
