"""How the calls on a connection end when their server stops without waiting for them."""

from __future__ import annotations

from typing import cast

from clarion.http2 import Connection
from clarion.server_core.call import ServerCall
from clarion.status import StatusCode

__all__ = ["STOPPED", "cut_off_calls"]

STOPPED = "the server was stopped"


def cut_off_calls(connection: Connection) -> None:
    """End the calls in progress with UNAVAILABLE; what cannot, is left for `Connection.close` to reset.

    That is so for calls with parked data: a status would have to wait until their clients read it.
    """
    for call in cast("list[ServerCall]", list(connection.streams.values())):
        if call.parked is None:
            call.fail(StatusCode.UNAVAILABLE, STOPPED)
