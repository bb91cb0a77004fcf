"""Compiled .proto files on disk, for one user, so that protoc runs once for each content.

An entry's name says all that its content depends on, so nothing is ever out of date. Rules: an entry appears whole or
not at all; one that was damaged counts as absent; a folder that cannot be read or written does no harm; the folder
is bounded, and the entries that were not used for longest go first.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

__all__ = ["Cache", "user_folder"]

# Of all programs of the user. A compiled file takes a few kilobytes.
_MOST_ENTRIES = 2000
# Entries used within this time are not marked as used again, in seconds.
_FRESH = 86400.0


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
            content = path.read_bytes()
            digest, value = content[:32], content[32:]
            if hashlib.sha256(value).digest() != digest:
                return None
            if time.time() - path.stat().st_mtime > _FRESH:
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
                self._write(folder / key, hashlib.sha256(value).digest() + value)
            self._prune(folder)
        except OSError:
            return

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def _prune(self, folder: Path) -> None:
        with os.scandir(folder) as listing:
            names = [entry.path for entry in listing]
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
