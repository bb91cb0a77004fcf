"""Where the entries of a binary log go."""

from __future__ import annotations

import abc
import os
from typing import Any

__all__ = ["FileSink", "Sink"]


class Sink(abc.ABC):
    """Takes entries. Its methods are called on one thread, which belongs to the log; so they may block."""

    @abc.abstractmethod
    def write(self, entry: Any) -> None:
        """Take an entry, a `grpc.binarylog.v1.GrpcLogEntry`. What this raises is logged, and the entry is lost."""

    def flush(self) -> None:  # noqa: B027
        """Entries came, and no more are waiting now."""

    def close(self) -> None:  # noqa: B027
        """No more entries come."""


class FileSink(Sink):
    """A file of entries, each behind its length in four bytes, big-endian: what grpc-go's sinks write.

    Args:
        path: the file, which is continued; a new one only its owner reads, for what calls say is in it. `%p` in it stands for the number of the process.
        max_bytes: a file that would get larger is put aside as `PATH.1`, and another one begun; None: no limit.
        backups: how many of those are kept: `PATH.1` is the newest.

    Raises:
        OSError: the file cannot be opened.
        ValueError: a number is negative.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, max_bytes: int | None = None, backups: int = 1
    ) -> None:
        if backups < 0 or (max_bytes is not None and max_bytes <= 0):
            raise ValueError(f"max_bytes={max_bytes}, backups={backups}: sizes are positive")
        self._pattern = os.fspath(path)
        self._max_bytes = max_bytes
        self._backups = backups
        self._process = os.getpid()
        self._open()

    def _open(self) -> None:
        self.path = self._pattern.replace("%p", str(os.getpid()))
        self._file = open(self.path, "ab", opener=_for_owner)  # noqa: SIM115
        self._size = self._file.tell()

    def write(self, entry: Any) -> None:
        data = entry.SerializeToString()
        record = len(data).to_bytes(4, "big") + data
        if self._process != os.getpid() and "%p" in self._pattern:
            # This is a forked child, which has a file of its own.
            self._process = os.getpid()
            self._file.close()
            self._open()
        limit = self._max_bytes
        if limit is not None and self._size and self._size + len(record) > limit:
            self._rotate()
        try:
            self._file.write(record)
            self._file.flush()
        except OSError:
            self._undo(len(record))
            raise
        self._size += len(record)

    def _undo(self, most: int) -> None:
        """Take back half an entry of `most` bytes, which would make what follows unreadable."""
        try:
            self._file.close()
        except OSError:
            # What is in its buffer does not fit now, either.
            pass
        with open(self.path, "ab") as file:
            # Unless another process writes to the file, too.
            if self._size <= file.tell() <= self._size + most:
                file.truncate(self._size)
        self._open()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._backups, 0, -1):
            older = f"{self.path}.{number}"
            newer = f"{self.path}.{number - 1}" if number > 1 else self.path
            if os.path.exists(newer):
                os.replace(newer, older)
        if not self._backups:
            os.remove(self.path)
        self._open()

    def close(self) -> None:
        self._file.close()


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
