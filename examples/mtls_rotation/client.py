"""Ask the server who we are, before and after our certificate is renewed: `python client.py PORT DIRECTORY`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import clarion
import clarion.aio


async def ask(channel: clarion.aio.Channel) -> str:
    who_am_i = channel.unary_unary("/example.Identity/WhoAmI")
    return (await who_am_i(b"", timeout=10)).decode()


async def main(port: str, directory: Path) -> None:
    credentials = clarion.tls.channel_credentials(
        root_certificates=directory / "ca.pem",
        private_key=directory / "client.key",
        certificate_chain=directory / "client.pem",
    )
    async with clarion.aio.secure_channel(f"localhost:{port}", credentials) as first:
        print(f"first connection: {await ask(first)}", flush=True)
        print("renew the certificate, then press Enter", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        async with clarion.aio.secure_channel(f"localhost:{port}", credentials) as second:
            print(f"new connection:   {await ask(second)}", flush=True)
        # What is connected stays connected, with the identity it had.
        print(f"first connection: {await ask(first)}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
