"""Brings calls to the threads of a server's pool.

Submitting a work item to a ThreadPoolExecutor costs more than a small handler does. So an item is not a call
but a worker, which takes calls until none waits; a burst costs as many items as the pool has threads. A call
never waits behind a handler that blocks while the pool has a free thread.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Protocol

__all__ = ["Dispatcher", "Work"]

_LOG = logging.getLogger(__name__)


class Work(Protocol):
    """A call that is ready for its handler."""

    def serve(self) -> None:
        """Run the handler."""


class Dispatcher:
    """The queue in front of a pool.

    Args:
        executor: the pool. Of executors other than ThreadPoolExecutor nothing is known, so each call is an item
            of its own there.

    Attributes:
        waiting: calls that no thread has taken yet.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._lock = threading.Lock()
        self.waiting: deque[Work] = deque()
        # Workers that were submitted and have not taken a call yet, and all that have not left.
        self._coming = 0
        self._workers = 0
        self._limit = 0
        if type(executor) is ThreadPoolExecutor:
            self._limit = executor._max_workers

    def submit(self, work: Work) -> None:
        """Have `work` served.

        Raises:
            RuntimeError: the executor was shut down.
        """
        if not self._limit:
            self._executor.submit(self._serve, work)
            return
        with self._lock:
            waiting = self.waiting
            waiting.append(work)
            if self._coming >= len(waiting) or self._workers >= self._limit:
                return
            self._coming += 1
            self._workers += 1
        try:
            self._executor.submit(self._serve_all)
        except RuntimeError:
            with self._lock:
                self._coming -= 1
                self._workers -= 1
                if work in self.waiting:
                    self.waiting.remove(work)
            raise

    def _serve_all(self) -> None:
        with self._lock:
            self._coming -= 1
        while True:
            with self._lock:
                if not self.waiting:
                    self._workers -= 1
                    return
                work = self.waiting.popleft()
            self._serve(work)

    def _serve(self, work: Work) -> None:
        try:
            work.serve()
        except BaseException:
            # SystemExit in a handler ended its call; the thread has others to serve.
            _LOG.exception("a handler tried to end its thread")
