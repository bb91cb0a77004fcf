"""An authorization policy in a file that may change while the server runs (gRFC A43)."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from pathlib import Path
from typing import Any

from clarion.auth.policy import InvalidPolicy, Policy

__all__ = ["PolicyFile"]

_LOG = logging.getLogger("clarion.auth")


class PolicyFile:
    """Reads a policy from a file, and again when that changes. A file that cannot be used changes nothing.

    Write another file and rename it: one that is half written is read, too, and refused where it makes no sense.

    Args:
        path: of the file.
        interval: how often to look, in seconds.

    Raises:
        InvalidPolicy: the first policy cannot be used.
        OSError: the first file cannot be read.
        ValueError: `interval` is not positive.
    """

    def __init__(self, path: str | os.PathLike[str], interval: float = 10.0) -> None:
        if not interval > 0:
            raise ValueError(f"the interval must be positive, not {interval}")
        self._path = Path(path)
        self._lock = threading.Lock()
        self._text = self._path.read_bytes()
        self._policy = Policy(self._text)
        # So that what cannot be used is told once, not each time.
        self._refused: Any = None
        self._interval = interval
        self._closed = threading.Event()
        self._pid = 0
        self._watch()

    def __repr__(self) -> str:
        return f"<clarion.auth.PolicyFile {str(self._path)!r}>"

    def __enter__(self) -> PolicyFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def current(self) -> Policy:
        """The last policy that could be used."""
        if self._pid != os.getpid():
            # Threads are not forked.
            self._watch()
        return self._policy

    def reload(self) -> bool:
        """Look at the file now.

        Returns:
            Whether there is a new policy.
        """
        with self._lock:
            try:
                text = self._path.read_bytes()
                if text == self._text:
                    self._refused = None
                    return False
                if text == self._refused:
                    return False
                self._policy, self._text, self._refused = Policy(text), text, None
            except (OSError, InvalidPolicy) as error:
                reason = text if isinstance(error, InvalidPolicy) else str(error)
                if reason != self._refused:
                    self._refused = reason
                    _LOG.error("%s is not used, and the last policy still is: %s", self, error)
                return False
        _LOG.info("%s has a new policy, %r", self, self._policy.name)
        return True

    def close(self) -> None:
        """Look at the file no more. The last policy stays."""
        self._closed.set()

    def _watch(self) -> None:
        self._pid = os.getpid()
        if self._closed.is_set():
            return
        closed = self._closed

        def gone(_: object) -> None:
            closed.set()

        # The thread does not keep the object, but ends with it.
        watched = weakref.ref(self, gone)
        threading.Thread(
            target=_look_now_and_then,
            args=(watched, closed, self._interval),
            name="clarion-policy",
            daemon=True,
        ).start()


def _look_now_and_then(
    watched: weakref.ref[PolicyFile], closed: threading.Event, interval: float
) -> None:
    while not closed.wait(min(interval, threading.TIMEOUT_MAX)):
        file = watched()
        if file is None:
            return
        try:
            file.reload()
        except Exception:
            _LOG.exception("%s could not be looked at", file)
        del file
