"""Browsers and plain HTTP: gRPC-Web and Connect, beside gRPC on the same ports. See docs/web.md.

What is public: `WebOptions`, the value of the server's option `clarion.web`, and what it is made of: `CorsPolicy`, `WebSocketLimits`.
"""

from __future__ import annotations

from clarion.web.apps.websocket.limits import WebSocketLimits
from clarion.web.cors import CorsPolicy
from clarion.web.options import WEB, WebOptions

__all__ = ["WEB", "CorsPolicy", "WebOptions", "WebSocketLimits"]
