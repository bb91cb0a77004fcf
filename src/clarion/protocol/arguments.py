"""Channel arguments: grpcio's `(name, value)` pairs, and those that channels and servers share.

grpcio's rules: the first pair of a name counts, names that mean nothing are ignored, and so is a value of
another kind than the name's; a number out of its range counts as the nearest one in it. The largest 32-bit
number of milliseconds means "never".
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any

from clarion.http2 import Config, KeepaliveConfig
from clarion.http2.frames import MAX_MAX_FRAME_SIZE, MAX_WINDOW
from clarion.method import Compression

__all__ = ["DEFAULT_MAX_METADATA", "TRACE_MEMORY", "Arguments"]

_LOG = logging.getLogger(__name__)

DEFAULT_MAX_METADATA = 16_384
TRACE_MEMORY = 4096
"""What the events of each channel, subchannel or server take at most, in bytes, unless an option says otherwise."""
_DEFAULT_MAX_RECEIVE = 4 << 20
# Four times HTTP/2's: large messages cost a quarter of the frames, and other streams wait half a millisecond
# at most on a gigabit link.
_MAX_FRAME_SIZE = 65_536
_NEVER_MS = 2**31 - 1
# For what has to end some time; timers take no infinity.
_LONG = 1e6


class Arguments:
    """Channel arguments by name.

    Args:
        options: `(name, value)` pairs.

    Raises:
        TypeError: a name is no string, or a value is none of those that arguments have.
        ValueError: not pairs.
    """

    def __init__(self, options: Iterable[tuple[Any, Any]] | None) -> None:
        self._given: dict[str, Any] = {}
        for name, value in options or ():
            if isinstance(name, bytes):
                name = name.decode("utf-8", "replace")
            if not isinstance(name, str):
                raise TypeError(f"the name of a channel argument is a str, not {name!r}")
            if not (isinstance(value, (str, bytes)) or hasattr(value, "__int__")):
                raise TypeError(
                    f"channel argument {name} has the value {value!r}; it must be an int, str or bytes"
                )
            self._given.setdefault(name, value)

    def __contains__(self, name: str) -> bool:
        return name in self._given

    @property
    def given(self) -> Mapping[str, Any]:
        """All of them."""
        return self._given

    def value(self, name: str) -> Any:
        """Whatever was given, or None."""
        return self._given.get(name)

    def integer(self, name: str, default: int, low: int = 0, high: int = 2**32 - 1) -> int:
        """A number from `low` to `high`."""
        value = self._given.get(name, default)
        if not isinstance(value, int):
            _LOG.warning("channel argument %s: %r is no int; ignored", name, value)
            return default
        if not low <= value <= high:
            nearest = min(max(value, low), high)
            _LOG.warning("channel argument %s: %d taken for %d", name, value, nearest)
            return nearest
        return int(value)

    def limit(self, name: str, default: int) -> int:
        """A number of bytes; -1, or any number below, for no limit."""
        value = self._given.get(name)
        if isinstance(value, int) and value < 0:
            return -1
        return self.integer(name, default) if name in self._given else default

    def flag(self, name: str, default: bool) -> bool:
        """A number that is 0 or not."""
        return bool(self.integer(name, default, -(2**31)))

    def seconds(self, name: str, default: float, least: float = 0.0) -> float:
        """A number of milliseconds, in seconds; infinite for "never"."""
        if name not in self._given or not isinstance(self._given[name], int):
            return default
        value: int = self._given[name]
        return math.inf if value >= _NEVER_MS else max(value / 1000, least)

    def text(self, name: str) -> str | None:
        """A string, or None."""
        value = self._given.get(name)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if value is not None and not isinstance(value, str):
            _LOG.warning("channel argument %s: %r is no string; ignored", name, value)
            return None
        return value

    # What channels and servers share

    @property
    def max_receive(self) -> int:
        """Largest message received, in bytes; -1 for no limit."""
        return self.limit("grpc.max_receive_message_length", _DEFAULT_MAX_RECEIVE)

    @property
    def max_send(self) -> int:
        """Largest message sent, in bytes; -1 for no limit."""
        return self.limit("grpc.max_send_message_length", -1)

    @property
    def max_metadata(self) -> int:
        """Largest metadata received, in bytes as header list sizes count."""
        return max(
            self.integer("grpc.absolute_max_metadata_size", DEFAULT_MAX_METADATA, 1),
            self.integer("grpc.max_metadata_size", 0),
        )

    @property
    def compression(self) -> Compression | None:
        """How messages are compressed on the way out unless something more specific says otherwise."""
        if not self.flag("grpc.per_message_compression", True):
            return None
        number = self.integer("grpc.default_compression_algorithm", 0, 0, max(Compression))
        return Compression(number) or None

    @property
    def trace_memory(self) -> int | None:
        """What the events of each channel, subchannel or server may take, in bytes; None: none are recorded."""
        if not self.flag("grpc.enable_channelz", True):
            return None
        name = "grpc.max_channel_trace_event_memory_per_node"
        return self.integer(name, TRACE_MEMORY, 0, 2**31 - 1)

    @property
    def dscp(self) -> int | None:
        """The code point that packets carry, or None for the system's."""
        return self.integer("grpc.dscp", 0, 0, 63) if "grpc.dscp" in self else None

    @property
    def receive_buffer(self) -> int | None:
        """The size of sockets' receive buffers in bytes, or None for the system's."""
        name = "grpc.tcp_receive_buffer_size"
        return self.integer(name, 0, 1, 2**31 - 1) if name in self else None

    def keepalive(self, default_time: float) -> KeepaliveConfig:
        """When a connection asks for a sign of life.

        Args:
            default_time: seconds of silence before that.
        """
        return KeepaliveConfig(
            time=self.seconds("grpc.keepalive_time_ms", default_time, 0.001),
            timeout=min(self.seconds("grpc.keepalive_timeout_ms", 20.0), _LONG),
            without_calls=self.flag("grpc.keepalive_permit_without_calls", False),
            max_pings=self.integer("grpc.http2.max_pings_without_data", 0),
        )

    def http2(self, **more: Any) -> Config:
        """The connections' limits; `more` are those of one side."""
        config = Config()
        window = self.integer("grpc.http2.lookahead_bytes", config.initial_window, 1, MAX_WINDOW)
        probe = self.flag("grpc.http2.bdp_probe", True)
        return Config(
            max_header_list_size=self.max_metadata,
            max_frame_size=self.integer(
                "grpc.http2.max_frame_size",
                _MAX_FRAME_SIZE,
                config.max_frame_size,
                MAX_MAX_FRAME_SIZE,
            ),
            initial_window=window,
            max_window=max(window, config.max_window) if probe else window,
            header_table_size=self.integer(
                "grpc.http2.hpack_table_size.decoder", config.header_table_size
            ),
            encoder_table_size=self.integer(
                "grpc.http2.hpack_table_size.encoder", config.encoder_table_size
            ),
            **more,
        )
