"""HTTP/1.1 for servers, without I/O, by `h11` (extra `web`); see `connection`."""

from __future__ import annotations

__all__: list[str] = []
