"""Call the server of server.py, with a token and without: `python client.py PORT TOKEN_URL`."""

from __future__ import annotations

import sys

import clarion


def greet(port: str, credentials: clarion.ChannelCredentials) -> None:
    with clarion.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        call = channel.unary_unary("/example.Greeter/Greet")
        try:
            print(call(b"", timeout=10).decode())
        except clarion.RpcError as error:
            print(f"{error.code().name}: {error.details()}")


def main(port: str, token_url: str) -> None:
    transport = clarion.local_channel_credentials()
    for secret in ("example-secret", "a wrong one"):
        # Made once for a program: the token is got with the first call, shared by all, and renewed in time.
        token = clarion.oauth2.client_credentials(token_url, "example-client", secret)
        greet(port, clarion.composite_channel_credentials(transport, token))
    greet(port, transport)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
