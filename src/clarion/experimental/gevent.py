"""gevent (`grpc.experimental.gevent`)."""

from __future__ import annotations

__all__ = ["init_gevent"]


def init_gevent() -> None:
    """Do nothing: Clarion has no C core to patch.

    Its sync API uses the standard library's sockets, locks and threads, which `gevent.monkey.patch_all()` has made
    cooperative already. Call that before anything else is imported, as gevent asks for.
    """
