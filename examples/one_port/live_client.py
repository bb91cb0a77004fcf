"""Opens the site's WebSocket, as its page does, and as a page of another site would; with the package websockets.

python live_client.py            # or another port than 50051: python live_client.py 8080
"""

from __future__ import annotations

import sys

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


def run(port: str) -> None:
    url = f"ws://localhost:{port}/live"
    with connect(url, origin=f"http://localhost:{port}") as live:
        live.send("Carol")
        print("live:", live.recv(timeout=10))
    try:
        with connect(url, origin="https://elsewhere.example"):
            pass
    except InvalidStatus as error:
        print("elsewhere:", error.response.status_code)


if __name__ == "__main__":
    run(sys.argv[1] if len(sys.argv) > 1 else "50051")
