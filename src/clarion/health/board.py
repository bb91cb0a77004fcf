"""What a server says of its health, and who is told when that changes. Both front ends serve from it.

Rules:

- Any thread may set and read. Those who watch are told without the lock held, and only that there may be something new:
  they read the status when they are ready to send it. So whoever is slow gets the latest one, and nothing piles up.
- What clients can make grow is bounded: all watches together, and the names watched that the server does not know.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Mapping

__all__ = ["OVERALL_HEALTH", "Health", "ServingStatus", "TooMany", "Watch"]

OVERALL_HEALTH = ""
"""The name under which a server's own health is set and asked for."""

# Of a name that the server does not know; it is kept for as long as somebody watches it.
_LONGEST_UNKNOWN_NAME = 1024


class ServingStatus(enum.IntEnum):
    """The health of a service: grpc.health.v1.HealthCheckResponse.ServingStatus."""

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


class TooMany(Exception):
    """Clients want more than the board has room for; the message is for them."""


class Watch:
    """Somebody's interest in one service's health."""

    def __init__(self, board: Health, service: str, changed: Callable[[], object]) -> None:
        self._board = board
        self.service = service
        self.changed = changed

    @property
    def status(self) -> ServingStatus:
        """The health now; SERVICE_UNKNOWN if the server does not know the service."""
        status = self._board.get(self.service)
        return ServingStatus.SERVICE_UNKNOWN if status is None else status

    def stop(self) -> None:
        """Be told no more. Doing so twice is doing so once."""
        self._board._forget(self)


class Health:
    """The health of a server and its services. Make it with `clarion.health.add_service`.

    A new one has one entry: the server itself is SERVING.

    Args:
        max_listed: a List call with more services than that ends with RESOURCE_EXHAUSTED.
        max_watchers: Watch calls at a time; more end with RESOURCE_EXHAUSTED.
        max_unknown: names at a time that are watched and have no status; more end with RESOURCE_EXHAUSTED.
    """

    UNKNOWN = ServingStatus.UNKNOWN
    SERVING = ServingStatus.SERVING
    NOT_SERVING = ServingStatus.NOT_SERVING

    def __init__(
        self, *, max_listed: int = 100, max_watchers: int = 10_000, max_unknown: int = 1_000
    ) -> None:
        self._lock = threading.Lock()
        self._statuses = {OVERALL_HEALTH: ServingStatus.SERVING}
        self._watches: dict[str, dict[Watch, None]] = {}
        self._watchers = 0
        self._unknown = 0
        self._shut_down = False
        self._max_listed = max_listed
        self._max_watchers = max_watchers
        self._max_unknown = max_unknown

    def __repr__(self) -> str:
        statuses = ", ".join(
            f"{name or 'the server'} {status.name}" for name, status in self.statuses().items()
        )
        return f"<clarion.health.Health: {statuses}; {self._watchers} watch>"

    def set(self, service: str, status: int) -> None:
        """Set the health of a service, and tell those who watch it. Ignored after `enter_graceful_shutdown`.

        Args:
            service: its full name, such as `hello.Greeter`; "" is the server as a whole.
            status: a `ServingStatus`, or its number.

        Raises:
            ValueError: there is no such status.
        """
        status = ServingStatus(status)
        with self._lock:
            if self._shut_down:
                return
            if service not in self._statuses and service in self._watches:
                self._unknown -= 1
            self._statuses[service] = status
            watches = list(self._watches.get(service, ()))
        _tell(watches)

    def get(self, service: str) -> ServingStatus | None:
        """The health of a service; None if it was never set."""
        return self._statuses.get(service)

    def statuses(self) -> Mapping[str, ServingStatus]:
        """The health of all services that were set, by name."""
        with self._lock:
            return dict(self._statuses)

    def enter_graceful_shutdown(self) -> None:
        """Make everything NOT_SERVING, for good. Call it before `Server.stop`, so that clients go elsewhere in time."""
        with self._lock:
            self._shut_down = True
            self._statuses = dict.fromkeys(self._statuses, ServingStatus.NOT_SERVING)
            watches = [watch for several in self._watches.values() for watch in several]
        _tell(watches)

    # What is served

    def listed(self) -> Mapping[str, ServingStatus]:
        """The same as `statuses`, for clients.

        Raises:
            TooMany: there are more than `max_listed`.
        """
        statuses = self.statuses()
        if len(statuses) > self._max_listed:
            raise TooMany(
                f"the server knows the health of {len(statuses)} services and lists {self._max_listed} at most;"
                " ask for one by Check or Watch"
            )
        return statuses

    def watch(self, service: str, changed: Callable[[], object]) -> Watch:
        """Be told when the health of a service may have changed.

        Args:
            service: its full name; the board need not know it.
            changed: called from any thread; must not block.

        Raises:
            TooMany: see `max_watchers` and `max_unknown`.
        """
        watch = Watch(self, service, changed)
        with self._lock:
            if self._watchers >= self._max_watchers:
                raise TooMany(f"{self._watchers} clients watch the health of this server already")
            if service not in self._statuses:
                if len(service) > _LONGEST_UNKNOWN_NAME:
                    raise TooMany(
                        f"the server knows no service with a name of {len(service)} characters"
                    )
                if service not in self._watches:
                    if self._unknown >= self._max_unknown:
                        raise TooMany(
                            f"{self._unknown} services that the server does not know are watched already"
                        )
                    self._unknown += 1
            self._watchers += 1
            self._watches.setdefault(service, {})[watch] = None
        return watch

    def _forget(self, watch: Watch) -> None:
        with self._lock:
            watches = self._watches.get(watch.service)
            if watches is None or watch not in watches:
                return
            del watches[watch]
            self._watchers -= 1
            if not watches:
                del self._watches[watch.service]
                if watch.service not in self._statuses:
                    self._unknown -= 1


def _tell(watches: list[Watch]) -> None:
    for watch in watches:
        watch.changed()
