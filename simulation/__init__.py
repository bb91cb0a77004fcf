"""Channels by the thousand, without sockets and in no time: how policies share out load, and what retries do to a service.

Channels, subchannels, policies, pickers and calls are those of Clarion. The clock, the network and the servers are not:
see `world`. Nothing depends on the machine; the same seed gives the same figures.
"""

from __future__ import annotations

__all__: list[str] = []
