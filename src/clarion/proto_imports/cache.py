"""Compiled .proto files on disk, for one user, so that protoc runs once for each content.

An entry's name says all that its content depends on, so nothing is ever out of date. Rules: an entry appears whole or
not at all; one that was damaged, or that another user could have written, counts as absent, because the modules made
of it would be his; a folder that cannot be read or written does no harm; the folder is bounded, the entries that were
not used for longest go first, and files that are no entries stay.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import time
from pathlib import Path

__all__ = ["Cache", "user_folder"]

# Of all programs of the user. A compiled file takes a few kilobytes.
_MOST_ENTRIES = 2000
# Entries used within this time are not marked as used again, in seconds.
_FRESH = 86400.0
# A key, or what was to become the entry of one.
_ENTRY = re.compile(r"\.?[0-9a-f]{64}(\.\d+\.\d+)?")


def user_folder() -> Path | None:
    """Where programs of this user keep what they can make again; None if that is not known."""
    try:
        if sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA")
            return Path(base, "clarion", "protos") if base else None
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "clarion" / "protos"
        given = os.environ.get("XDG_CACHE_HOME", "")
        # The XDG base directory specification: relative paths are to be ignored.
        base_folder = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
        return base_folder / "clarion" / "protos"
    except RuntimeError:
        # No home.
        return None


def _digest(key: str, value: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + value).digest()


def _is_own(status: os.stat_result) -> bool:
    """Tell whether nobody but this user, or the administrator, can have written a file."""
    if not hasattr(os, "geteuid"):
        # Windows keeps the folders of users apart.
        return True
    others = stat.S_IWGRP | stat.S_IWOTH
    return status.st_uid in (os.geteuid(), 0) and not status.st_mode & others


class Cache:
    """Bytes by key, in a folder.

    Args:
        folder: where they are kept; made with the first entry. None keeps nothing.
        most: how many entries are kept.
    """

    def __init__(self, folder: Path | None, most: int = _MOST_ENTRIES) -> None:
        self.folder = folder
        self._most = most

    def get(self, key: str) -> bytes | None:
        """The entry of `key`, or None."""
        if self.folder is None:
            return None
        path = self.folder / key
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                if not _is_own(status):
                    return None
                content = file.read()
            digest, value = content[:32], content[32:]
            if _digest(key, value) != digest:
                return None
            if time.time() - status.st_mtime > _FRESH:
                os.utime(path)
        except OSError:
            return None
        return value

    def put(self, entries: dict[str, bytes]) -> None:
        """Keep entries, and drop the oldest where there are too many."""
        folder = self.folder
        if folder is None or not entries:
            return
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for key, value in entries.items():
                self._write(folder / key, _digest(key, value) + value)
            self._prune(folder)
        except OSError:
            return

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            # Nobody else may write it, whatever the umask; nor may it be there already, as a link to elsewhere.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with open(os.open(temporary, flags, 0o644), "wb") as file:
                file.write(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def _prune(self, folder: Path) -> None:
        with os.scandir(folder) as listing:
            names = [entry.path for entry in listing if _ENTRY.fullmatch(entry.name)]
        if len(names) <= self._most:
            return
        ages: list[tuple[float, str]] = []
        for name in names:
            try:
                ages.append((os.stat(name).st_mtime, name))
            except FileNotFoundError:
                # Another process prunes, too.
                continue
        # Some more than needed, so that it is not done with every entry.
        for _, name in sorted(ages)[: len(ages) - self._most * 9 // 10]:
            Path(name).unlink(missing_ok=True)
