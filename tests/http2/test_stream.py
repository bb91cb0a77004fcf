"""`Stream` is a contract; `Abort` explains itself."""

from __future__ import annotations

import pytest

from clarion.hpack import HeaderList
from clarion.http2 import Abort, Stream
from support.http2 import client


def test_the_layer_above_must_listen() -> None:
    stream = Stream(client().connection)
    with pytest.raises(NotImplementedError):
        stream.headers_received(HeaderList((), 0), False)
    with pytest.raises(NotImplementedError):
        stream.data_received(b"", False)
    with pytest.raises(NotImplementedError):
        stream.aborted(Abort(0, ""))
    with pytest.raises(NotImplementedError):
        stream.writable()


def test_a_stream_takes_its_windows_from_the_connection() -> None:
    connection = client(values={4: 1234}).connection
    stream = Stream(connection)
    assert stream.send_window == 1234
    assert stream.recv_window == connection.config.initial_window


def test_abort_describes_itself() -> None:
    assert Abort(8, "gone").describe() == "gone (CANCEL)"
