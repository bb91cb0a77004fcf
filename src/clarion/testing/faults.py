"""What a chaos proxy does to a connection, as plain data."""

from __future__ import annotations

import dataclasses
import enum

__all__ = ["Direction", "Ending", "Faults"]


class Direction(enum.Enum):
    """Which way bytes go."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


class Ending(enum.Enum):
    """What happens to a connection when `Faults.ends_after` bytes have passed."""

    TRUNCATE = "truncate"
    """Both directions end in good order (FIN) where they are, in the middle of whatever they carry."""

    RESET = "reset"
    """Both peers get a TCP reset (RST); what is on the way is lost."""

    HALF_CLOSE = "half_close"
    """The direction ends in good order, and what its sender still sends is dropped. The other one goes on."""

    STALL = "stall"
    """Nothing more is read in the direction, so that its sender has to wait. The connection stays open."""

    SWALLOW = "swallow"
    """What is sent in the direction disappears: it is read and dropped. The connection stays open."""


@dataclasses.dataclass(frozen=True, slots=True)
class Faults:
    """What is done to one connection. The default is nothing: bytes pass as they come.

    Bytes of one direction of one connection are never reordered, because TCP never does that. What jitter changes is the
    order of delivery among connections, and among the two directions of one.

    Attributes:
        latency: seconds for which each chunk is held.
        jitter: up to so many seconds more, evenly distributed.
        chunk: least and greatest size in bytes of the pieces that bytes are cut into; None leaves them as they were read.
            Each piece has a latency of its own and is written by itself.
        gather: what arrives within so many seconds leaves in one write. 0 gathers nothing.
        rate: bytes per second in each direction. 0 is no limit.
        ending: how the connection ends, if it does not end by itself before.
        ends_after: least and greatest number of bytes in a direction before `ending`; the number is drawn for each
            direction of each connection. With `SWALLOW` after no bytes in both directions (a black hole) the server
            never hears of the connection.
        only: the direction that all of this is for; None is both.
    """

    latency: float = 0.0
    jitter: float = 0.0
    chunk: tuple[int, int] | None = None
    gather: float = 0.0
    rate: float = 0.0
    ending: Ending | None = None
    ends_after: tuple[int, int] = (0, 0)
    only: Direction | None = None

    def __post_init__(self) -> None:
        for name in ("latency", "jitter", "gather", "rate"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        if self.chunk is not None and not 1 <= self.chunk[0] <= self.chunk[1]:
            raise ValueError(f"chunk is {self.chunk}; it must be two sizes, from 1 and in order")
        if not 0 <= self.ends_after[0] <= self.ends_after[1]:
            raise ValueError(f"ends_after is {self.ends_after}; it must be two sizes in order")

    def of(self, direction: Direction) -> Faults:
        """What of this is for `direction`."""
        return self if self.only is None or self.only is direction else _NONE

    @property
    def is_black_hole(self) -> bool:
        """Whether nothing ever reaches the server or the client."""
        return self.ending is Ending.SWALLOW and self.ends_after == (0, 0) and self.only is None


_NONE = Faults()
