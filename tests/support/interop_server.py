"""The interop server in this process. For tests/interop, which put the repository's root on the path."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from interop.program.flags import server_flags
from interop.program.library import Library
from interop.program.serving import serve_aio, serve_sync
from support.libraries import LIMIT

__all__ = ["InteropServer"]


class InteropServer:
    """A server of one library and front end, on a thread of its own; `port` is where it listens."""

    def __init__(
        self, library: Library, front_end: str, *, tls: bool = False, web: bool = False
    ) -> None:
        self.port = 0
        self._started, self._end = threading.Event(), threading.Event()
        self._loop: Any = None
        switches = [f"--use_tls={str(tls).lower()}", f"--web={str(web).lower()}"]
        flags = server_flags(["--port=0", *switches])
        target = self._aio if front_end == "aio" else self._sync
        self._thread = threading.Thread(target=target, args=(library, flags), daemon=True)
        self._thread.start()
        if not self._started.wait(LIMIT):
            # Should it come after all, it must not keep this process.
            self._end.set()
            raise AssertionError("the server did not start")

    def _serving(self, port: int) -> None:
        self.port = port
        self._started.set()
        self._end.wait()

    def _sync(self, library: Library, flags: Any) -> None:
        serve_sync(library, flags, self._serving)

    def _aio(self, library: Library, flags: Any) -> None:
        async def serving(port: int) -> None:
            await asyncio.to_thread(self._serving, port)

        asyncio.run(serve_aio(library, flags, serving))

    def close(self) -> None:
        self._end.set()
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()
