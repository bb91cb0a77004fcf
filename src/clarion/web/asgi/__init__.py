"""Services as an ASGI application; what is public of it is in `clarion.asgi`. See docs/asgi.md, "How it works"."""

from __future__ import annotations

__all__: list[str] = []
