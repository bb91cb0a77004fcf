"""Threads for the application's code that Clarion calls and that may block: call credentials and their like.

A thread that is done waits a moment for more, so calls in quick succession do not start a thread each. They are
daemons, for code that blocks must not keep the interpreter from its exit; and there is no limit to them, because
one plugin that blocks must not stop another.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable

__all__ = ["apart"]

_LOG = logging.getLogger(__name__)

# How long a thread waits for more, in seconds.
_PATIENCE = 5.0


class _Threads:
    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._idle = 0
        self._lock = threading.Lock()

    def run(self, work: Callable[[], object]) -> None:
        with self._lock:
            start = self._idle == 0
            if not start:
                self._idle -= 1
        if start:
            threading.Thread(
                target=self._main, args=(work,), name="clarion-plugin", daemon=True
            ).start()
        else:
            self._work.put(work)

    def _main(self, work: Callable[[], object]) -> None:
        while True:
            try:
                work()
            except BaseException:
                _LOG.exception("what was called on a thread of its own raised")
            # Nothing of it may live on while the thread waits.
            del work
            with self._lock:
                self._idle += 1
            try:
                work = self._work.get(timeout=_PATIENCE)
            except queue.Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return
                # Somebody counted on this thread just now.
                work = self._work.get()


_threads = _Threads()


def apart(work: Callable[[], object]) -> None:
    """Run `work` on a thread on which it may block. What it raises is logged."""
    _threads.run(work)


def _forget_fork() -> None:
    global _threads
    _threads = _Threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_fork)
