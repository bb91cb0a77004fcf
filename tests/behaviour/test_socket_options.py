"""Sockets that a channel cannot prepare as its arguments ask."""

from __future__ import annotations

import errno
import os
import socket
import time
from typing import Any

import pytest

from clarion.aio import runtime as aio_runtime
from clarion.sync import runtime as sync_runtime
from support.front_end import FrontEnd
from support.libraries import LIMIT
from support.simple import ECHOES


def test_a_socket_that_cannot_be_prepared_is_closed(
    front: FrontEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.clarion_only("it has its own sockets")
    sockets: list[Any] = []

    def prepare(sock: Any, *_: Any) -> None:
        sockets.append(sock)
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    for module in (aio_runtime, sync_runtime):
        monkeypatch.setattr(module, "prepare", prepare)
    server = front.serve(ECHOES)
    client = front.connect(server.target)
    outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])
    assert outcome.code == "UNAVAILABLE"
    assert os.strerror(errno.ENOBUFS) in outcome.details
    give_up = time.monotonic() + LIMIT
    # An event loop closes what is aborted in its next turn.
    while sockets[0].fileno() != -1:
        assert time.monotonic() < give_up, "the socket stays open"
    client.close()


def test_a_path_that_no_socket_has(front: FrontEnd) -> None:
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("there are no Unix sockets")
    client = front.connect("unix:/" + "x" * 200)
    outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])
    assert outcome.code == "UNAVAILABLE"
