"""Services inside applications of others: an ASGI application for uvicorn, hypercorn, granian and their like. See docs/asgi.md."""

from __future__ import annotations

from clarion.web.asgi.application import Application
from clarion.web.cors import CorsPolicy
from clarion.web.options import WebOptions

__all__ = ["Application", "CorsPolicy", "WebOptions"]
