"""WebSockets of ASGI applications (RFC 6455, RFC 7692, ASGI's WebSocket 2.5): `wsproto` for the syntax, and around it what a
server has to bound.

    limits     what a client may send, and how long it is waited for
    opening    which requests become a WebSocket
    handshake  such a request, and the answer, without I/O
    payloads   sizes, and decompression that stops in time: an extension, to `wsproto`
    frames     messages and control frames, there and back, without I/O
    exchange   one WebSocket, between the connection and the application
    turn       what the application receives and sends

Modules but `limits` and `opening` need `wsproto`. See docs/web.md, "WebSocket".
"""

from __future__ import annotations

__all__: list[str] = []
