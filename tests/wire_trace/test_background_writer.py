"""The thread that hands things on."""

from __future__ import annotations

import logging
import os
import threading

import pytest

from clarion.background_writer import BackgroundWriter


def test_in_order_and_all_of_it() -> None:
    seen: list[int] = []
    writer: BackgroundWriter[int] = BackgroundWriter(seen.extend)
    for number in range(1000):
        assert writer.put(number)
    assert writer.flush()
    assert seen == list(range(1000))
    assert writer.close()
    assert not writer.put(1)
    assert writer.dropped == 1


def test_what_does_not_fit_is_dropped_and_nobody_waits() -> None:
    held, gate = threading.Event(), threading.Event()
    seen: list[int] = []

    def write(items: list[int]) -> None:
        held.set()
        assert gate.wait(30)
        seen.extend(items)

    writer: BackgroundWriter[int] = BackgroundWriter(write, most=3)
    writer.put(0)
    assert held.wait(30)
    assert [writer.put(number) for number in range(1, 6)] == [True] * 3 + [False] * 2
    assert not writer.flush(0.0)
    gate.set()
    assert writer.close()
    assert (seen, writer.dropped) == ([0, 1, 2, 3], 2)


def test_a_receiver_that_raises_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def write(items: list[int]) -> None:
        raise OSError("disk full")

    writer: BackgroundWriter[int] = BackgroundWriter(write)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            writer.put(1)
            assert writer.flush()
    assert len(caplog.records) == 1
    assert writer.close()


def test_it_may_be_told_in_the_middle_of_being_told() -> None:
    # As when the garbage is collected there, and a call with it, which says that it ends.
    seen: list[int] = []
    writer: BackgroundWriter[int] = BackgroundWriter(seen.extend)

    def put() -> None:
        with writer._changed:
            writer.put(1)

    thread = threading.Thread(target=put, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert writer.close()
    assert seen == [1]


def test_the_receiver_itself_may_put_and_flush() -> None:
    seen: list[int] = []

    def write(items: list[int]) -> None:
        seen.extend(items)
        if items[0] == 0:
            writer.put(1)
            assert not writer.flush()

    writer: BackgroundWriter[int] = BackgroundWriter(write)
    writer.put(0)
    assert writer.flush()
    assert seen == [0, 1]
    assert writer.close()


def test_without_a_thread_flush_hands_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    seen: list[int] = []
    writer: BackgroundWriter[int] = BackgroundWriter(seen.extend)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert writer.put(7)
        assert writer.flush()
    assert seen == [7]
    assert writer.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_a_thread_of_its_own() -> None:
    out, into = os.pipe()
    writer: BackgroundWriter[bytes] = BackgroundWriter(
        lambda items: [os.write(into, item) for item in items]
    )
    writer.put(b"p")
    assert writer.flush()
    child = os.fork()
    if not child:
        try:
            writer.put(b"c")
            writer.flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(out, 10) == b"pc"
    assert writer.close()
    os.close(out)
    os.close(into)
