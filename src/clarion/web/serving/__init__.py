"""How requests of gRPC-Web and Connect become calls of a server; see docs/web.md, "How a request becomes a call"."""

from __future__ import annotations

__all__: list[str] = []
