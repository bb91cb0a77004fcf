"""Tools for the tests of programs that make or serve calls. Public, like the rest of the API.

`ChaosProxy` stands between a client and a server and does to their bytes what networks do; `Faults` says what. It knows
nothing of HTTP/2 or gRPC, runs on a thread of its own, and works with any client and server, sync or asyncio.
`ManualResolver` is a scheme of targets whose addresses a test says.
"""

from __future__ import annotations

from clarion.testing.chaos_proxy import ChaosProxy, Counts
from clarion.testing.faults import Direction, Ending, Faults
from clarion.testing.manual_resolver import ManualResolver

__all__ = ["ChaosProxy", "Counts", "Direction", "Ending", "Faults", "ManualResolver"]
