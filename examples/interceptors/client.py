"""Asks what is in stock: `python client.py PORT`."""

from __future__ import annotations

import sys

import clarion


def ask(port: str) -> None:
    with clarion.insecure_channel(f"127.0.0.1:{port}") as channel:
        count = channel.unary_unary("/example.Stock/Count")
        watch = channel.unary_stream("/example.Stock/Watch")
        print(f"tea: {count(b'Tea', timeout=10).decode()}")
        print(f"tea: {b', '.join(watch(b'TEA', timeout=10)).decode()}")
        try:
            count(b"milk", timeout=10)
        except clarion.RpcError as error:
            print(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    ask(sys.argv[1])
