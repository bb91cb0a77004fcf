"""Other people's ASGI servers, each with an application on a port of the loopback, as the suite wants its servers.

A server here is `async run(app, place, over)`: it serves `app` until `over` is set. Certificates are files in `place`, as these
servers have them; its socket listens already.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["HOST", "OWN_SOCKET", "SERVERS", "Place", "until_it_listens"]

HOST = "127.0.0.1"
_GRACE_SECONDS = 1
# The suite opens more streams at a time than some servers allow by default.
_STREAMS = 250


class Place(NamedTuple):
    """Where to serve, and how.

    Attributes:
        cert, key: of the server, for TLS.
        roots: those that certificates of clients must have, if they must.
    """

    sock: socket.socket
    cert: Path | None = None
    key: Path | None = None
    roots: Path | None = None

    @classmethod
    def of(cls, wanted: Any, folder: Path) -> Place:
        """What the suite wants, with its certificates written to `folder`."""
        sock = socket.create_server((HOST, 0), backlog=100)
        if not wanted.use_tls:
            return cls(sock)
        cert, key, roots = folder / "cert.pem", folder / "key.pem", folder / "roots.pem"
        cert.write_bytes(wanted.server_creds.cert)
        key.write_bytes(wanted.server_creds.key)
        if not wanted.client_tls_cert:
            return cls(sock, cert, key)
        roots.write_bytes(wanted.client_tls_cert)
        return cls(sock, cert, key, roots)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.sock.getsockname()[1])


Run = Callable[[Any, Place, asyncio.Event], Awaitable[None]]


def _uvicorn(http: str, **more: Any) -> Run:
    async def run(app: Any, place: Place, over: asyncio.Event) -> None:
        import uvicorn

        config = uvicorn.Config(
            app,
            http=http,
            ws="none",
            log_config=None,
            log_level=logging.ERROR,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            ssl_certfile=place.cert,
            ssl_keyfile=place.key,
            ssl_ca_certs=place.roots and str(place.roots),
            ssl_cert_reqs=ssl.CERT_REQUIRED if place.roots else ssl.CERT_NONE,
            **more,
        )
        # On the main thread it takes signals before `over` hears of them.
        await uvicorn.Server(config).serve([place.sock])

    return run


async def _hypercorn(app: Any, place: Place, over: asyncio.Event) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from hypercorn.protocol import h2

    _mend(h2.H2Protocol)
    config = Config()
    config.bind = [f"fd://{place.sock.detach()}"]
    config.graceful_timeout = _GRACE_SECONDS
    config.h2_max_concurrent_streams = _STREAMS
    config.loglevel = "ERROR"
    if place.cert is not None:
        config.certfile, config.keyfile = str(place.cert), str(place.key)
    if place.roots is not None:
        config.ca_certs, config.verify_mode = str(place.roots), ssl.CERT_REQUIRED

    await serve(app, config, shutdown_trigger=over.wait)


class _Streams(dict[int, Any]):
    def __missing__(self, stream_id: int) -> Any:
        return _Gone()


class _Gone:
    async def handle(self, event: Any) -> None:
        """Nobody is there to hear of it."""


def _mend(protocol: Any) -> None:
    """hypercorn (0.18) forgets a stream with its answer; DATA behind that is a KeyError, which ends all calls of the connection.

    Which of them are under way is chance, so without this the suite has other failures each time.
    """
    initiate = protocol.initiate

    async def begun(self: Any, *arguments: Any, **named: Any) -> None:
        self.streams = _Streams()
        await initiate(self, *arguments, **named)

    protocol.initiate = begun


async def _granian(app: Any, place: Place, over: asyncio.Event) -> None:
    from granian.constants import Interfaces
    from granian.server.embed import Server

    server: Any = Server(
        app,
        address=HOST,
        port=place.port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        ssl_cert=place.cert,
        ssl_key=place.key,
        ssl_ca=place.roots,
        ssl_client_verify=place.roots is not None,
    )
    # It makes its socket by itself, and nobody was told of this one.
    place.sock.close()
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(over.wait())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    server.stop()
    await serving


async def until_it_listens(port: int) -> None:
    """Wait for a server that makes its socket by itself."""
    while True:
        try:
            _reader, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return


SERVERS: dict[str, Run] = {
    "uvicorn": _uvicorn("h11"),
    "uvicorn-httptools": _uvicorn("httptools"),
    "uvicorn-zttp": _uvicorn("zttp", http2=True),
    "hypercorn": _hypercorn,
    "granian": _granian,
}

# They cannot be given one.
OWN_SOCKET = frozenset(("granian",))
