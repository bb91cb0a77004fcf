"""Tools for the tests of programs that make or serve calls. Public, like the rest of the API; see docs/testing.md.

`in_process_channel` is a channel to a server of the same process, without a port. `FakeClock` is time by hand, for
deadlines and whatever else waits. `FaultInjector` holds calls up and makes them fail. `Recorder` writes the calls of a
channel to a file, `Replayer` answers from it.

`ChaosProxy` stands between a client and a server and does to their bytes what networks do; `Faults` says what. It knows
nothing of HTTP/2 or gRPC, runs on a thread of its own, and works with any client and server, sync or asyncio.
`ManualResolver` is a scheme of targets whose addresses a test says.

`clarion.testing.pytest_plugin` makes fixtures of them, `clarion.testing.scripted` is grpcio-testing's API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.first_use import on_first_use

if TYPE_CHECKING:
    from clarion.testing.chaos_proxy import ChaosProxy, Counts
    from clarion.testing.clock import FakeClock
    from clarion.testing.fault_injection import Fault, FaultInjector
    from clarion.testing.faults import Direction, Ending, Faults
    from clarion.testing.in_process import aio_in_process_channel, in_process_channel
    from clarion.testing.manual_resolver import ManualResolver
    from clarion.testing.recording import Recorder, Replayer
    from clarion.testing.session_file import SessionError
else:
    # pytest imports this package at its start, for the plugin, used or not.
    __getattr__ = on_first_use(
        "clarion.testing",
        {
            "clarion.testing.chaos_proxy": "ChaosProxy Counts",
            "clarion.testing.clock": "FakeClock",
            "clarion.testing.fault_injection": "Fault FaultInjector",
            "clarion.testing.faults": "Direction Ending Faults",
            "clarion.testing.in_process": "aio_in_process_channel in_process_channel",
            "clarion.testing.manual_resolver": "ManualResolver",
            "clarion.testing.recording": "Recorder Replayer",
            "clarion.testing.session_file": "SessionError",
        },
    )

__all__ = [
    "ChaosProxy",
    "Counts",
    "Direction",
    "Ending",
    "FakeClock",
    "Fault",
    "FaultInjector",
    "Faults",
    "ManualResolver",
    "Recorder",
    "Replayer",
    "SessionError",
    "aio_in_process_channel",
    "in_process_channel",
]
