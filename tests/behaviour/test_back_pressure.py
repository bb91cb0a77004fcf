"""A side that does not read stops the side that writes, at a bounded distance; nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from support.front_end import FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT

CHUNK = bytes(64 * 1024)
TOTAL = 1024
# Half of everything. Windows and socket buffers on the way hold a few mebibytes each.
BOUND = TOTAL // 2
QUIET = 0.4


class Counter:
    """Counts in one thread; another waits until the counting pauses."""

    def __init__(self) -> None:
        self.value = 0
        self._changed = threading.Condition()

    def add(self) -> None:
        with self._changed:
            self.value += 1
            self._changed.notify_all()

    def settled(self) -> int:
        """The count once it has not changed for a while. A slow writer can only pass too easily."""
        with self._changed:
            while self.value < TOTAL and self._changed.wait(QUIET):
                pass
            return self.value


def test_a_client_that_does_not_read_stops_the_handler(front: FrontEnd) -> None:
    written = Counter()

    async def handler(call: ServerCall) -> None:
        for _ in range(TOTAL):
            await call.write(CHUNK)
            written.add()

    call = front.rig(unary_stream=handler).open("unary_stream", [b"x"])
    assert call.read() == CHUNK
    assert written.settled() < BOUND
    outcome = call.finish()
    assert (outcome.code, len(outcome.responses)) == ("OK", TOTAL - 1)


def test_a_handler_that_does_not_read_stops_the_client(front: FrontEnd) -> None:
    taken = Counter()
    go_on = threading.Event()

    def requests() -> Iterator[bytes]:
        for _ in range(TOTAL):
            taken.add()
            yield CHUNK

    async def handler(call: ServerCall) -> bytes:
        await call.read()
        await call.wait(go_on)
        count = 1
        while await call.read() is not None:
            count += 1
        return b"%d" % count

    call = front.rig(stream_unary=handler).open("stream_unary", requests())
    assert taken.settled() < BOUND
    go_on.set()
    outcome = call.finish()
    assert (outcome.code, outcome.responses) == ("OK", [b"%d" % TOTAL])


def test_a_stalled_stream_does_not_stall_its_neighbours(front: FrontEnd) -> None:
    written = Counter()

    async def flood(call: ServerCall) -> None:
        for _ in range(TOTAL):
            await call.write(CHUNK)
            written.add()

    async def echo(call: ServerCall) -> bytes:
        assert isinstance(call.request, bytes)
        return call.request

    rig = front.rig(unary_stream=flood, unary_unary=echo)
    stalled = rig.open("unary_stream", [b"x"])
    assert stalled.read() == CHUNK
    written.settled()
    outcome = rig.call("unary_unary", [CHUNK * 4], timeout=LIMIT)
    assert (outcome.code, outcome.responses) == ("OK", [CHUNK * 4])
    stalled.cancel()
    assert stalled.finish().code == "CANCELLED"


def test_abandoned_data_frees_the_connection(front: FrontEnd) -> None:
    async def flood(call: ServerCall) -> None:
        for _ in range(TOTAL):
            await call.write(CHUNK)

    rig = front.rig(unary_stream=flood)
    for _ in range(20):
        # What arrived and was never read has to be given back to the connection's window.
        call = rig.open("unary_stream", [b"x"])
        assert call.read() == CHUNK
        call.cancel()
        assert call.finish().code == "CANCELLED"
    call = rig.open("unary_stream", [b"x"], timeout=LIMIT)
    assert len(call.finish().responses) == TOTAL
