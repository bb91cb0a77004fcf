"""An ASGI or WSGI application beside the services of a server, on the same ports: it gets the requests which are no calls.

    door      which requests are the application's
    answers   what it may say: heads without I/O
    exchange  one request and its answer, between the connection and the application
    asgi, lifespan, wsgi   the two interfaces
    websocket  WebSockets of ASGI applications, which need `wsproto`
    site      the application of one server, on the loop or the threads where it runs

See docs/web.md, "A site on the same port".
"""

from __future__ import annotations

__all__: list[str] = []
