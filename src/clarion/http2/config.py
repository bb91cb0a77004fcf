"""Every limit of a connection, with its safe default, in one place.

The names of the limits are what error messages and GOAWAY debug data quote, so that whoever meets a limit
can find the value to change.
"""

from __future__ import annotations

import dataclasses
import math

from clarion.errors import LocalError
from clarion.http2 import frames

__all__ = ["Budget", "Config", "KeepaliveConfig", "LifetimeConfig", "PingRules"]


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """How many frames of one kind a peer may send beyond what its useful work pays for.

    Attributes:
        burst: frames accepted at once.
        per_second: how quickly the budget refills with time alone.
    """

    burst: int
    per_second: float


@dataclasses.dataclass(frozen=True, slots=True)
class KeepaliveConfig:
    """When a connection asks its peer for a sign of life (gRFC A8). Times are seconds.

    Attributes:
        time: how long nothing is heard before a PING is sent; infinite: never.
        timeout: how long nothing is heard after it before the connection is given up.
        without_calls: ask also while no stream is open.
        max_pings: how many are sent while nothing else is; 0: no limit.
    """

    time: float = math.inf
    timeout: float = 20.0
    without_calls: bool = False
    max_pings: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class LifetimeConfig:
    """When a server ends a connection of its own accord (gRFC A9). Times are seconds.

    Attributes:
        handshake: how long the client may take for its first SETTINGS.
        max_idle: how long no stream is open before the connection is drained.
        max_age: when the connection is drained, give or take a tenth.
        age_grace: how long streams may go on after that.
    """

    handshake: float = math.inf
    max_idle: float = math.inf
    max_age: float = math.inf
    age_grace: float = math.inf


@dataclasses.dataclass(frozen=True, slots=True)
class PingRules:
    """How often a client may send PING (gRFC A8), beyond the budget that every peer has.

    Attributes:
        interval: seconds that must lie between two of them unless streams or DATA do.
        max_strikes: how many may come too early before the connection ends.
        without_calls: the interval counts while no stream is open too; otherwise it is two hours then.
    """

    interval: float = 300.0
    max_strikes: int = 2
    without_calls: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """Limits and sizes of one HTTP/2 connection. Sizes are bytes.

    Attributes:
        max_concurrent_streams: streams the peer may have open at a time (§5.1.2); more are refused with
            REFUSED_STREAM. Servers only.
        initial_window: what a peer may send on a stream before it is credited (§6.9.2).
        max_window: up to where the stream window may grow when the link proves faster than the window.
        connection_window: the same for the whole connection; credited on receipt, so that a stream whose
            reader rests does not stop the others.
        max_frame_size: largest frame payload accepted (§4.2).
        header_table_size: HPACK table offered to the peer (§4.3.1).
        max_header_list_size: decoded size of a header list above which a request or response is refused.
        max_header_block_size: encoded size of a header block above which the connection ends.
        max_continuations: CONTINUATION frames one header block may have.
        send_buffer: how much is handed to the transport at a time before senders have to wait.
        max_unsent: answers other than DATA that a peer which does not read may make us hold while the
            transport is congested.
        max_parked: unsent bytes of finished calls that a peer without window credit may make us hold.
        resets: budget for streams that the peer resets before it got any DATA; paid with streams that
            both sides finished.
        induced_resets: budget for stream errors, each of which resets a stream; paid likewise.
        settings: budget for SETTINGS; paid with time alone.
        pings: budget for PING; paid with work (streams and DATA frames).
        empty_data: budget for DATA without content; paid with work.
        control: budget for all other frames that need no answer; paid with work, four for each unit.
        encoder_table_size: HPACK table that is used of what the peer offers.
        first_stream: the first stream's identifier, which is odd. Clients only.
        ping_rules: how often the peer may send PING; None: as its budget allows. Servers only.
        keepalive: when to ask for a sign of life; see `upkeep`.
        lifetime: when to end the connection. Servers only.
    """

    max_concurrent_streams: int = 100
    initial_window: int = 1 << 20
    max_window: int = 8 << 20
    connection_window: int = 16 << 20
    max_frame_size: int = frames.DEFAULT_MAX_FRAME_SIZE
    header_table_size: int = 4096
    max_header_list_size: int = 16_384
    max_header_block_size: int = 1 << 17
    max_continuations: int = 64
    send_buffer: int = 1 << 18
    max_unsent: int = 4 << 20
    max_parked: int = 64 << 20
    resets: Budget = Budget(500, 100.0)
    induced_resets: Budget = Budget(200, 50.0)
    settings: Budget = Budget(100, 10.0)
    pings: Budget = Budget(200, 20.0)
    empty_data: Budget = Budget(500, 100.0)
    control: Budget = Budget(10_000, 1_000.0)
    encoder_table_size: int = 4096
    first_stream: int = 1
    ping_rules: PingRules | None = None
    keepalive: KeepaliveConfig = KeepaliveConfig()
    lifetime: LifetimeConfig = LifetimeConfig()

    def __post_init__(self) -> None:
        ranges = {
            "max_concurrent_streams": (0, 2**32 - 1),
            "initial_window": (1, frames.MAX_WINDOW),
            "max_window": (self.initial_window, frames.MAX_WINDOW),
            "connection_window": (frames.DEFAULT_WINDOW, frames.MAX_WINDOW),
            "max_frame_size": (frames.DEFAULT_MAX_FRAME_SIZE, frames.MAX_MAX_FRAME_SIZE),
            "header_table_size": (0, 2**32 - 1),
            "max_header_list_size": (1, 2**32 - 1),
            "encoder_table_size": (0, 2**32 - 1),
            "first_stream": (1, frames.MAX_STREAM_ID),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise LocalError(f"{name} is {value}; it must be from {low} to {high}")
        if not self.first_stream & 1:
            raise LocalError(f"first_stream is {self.first_stream}; it must be odd")
