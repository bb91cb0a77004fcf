"""The client below its front ends: connecting, waiting for a connection, and a call on it.

`ChannelCore` is a channel without sockets, threads or tasks; `ClientCall` is a call without them. What needs
time, a name or a connection asks the `Runtime` that the front end provides.
"""

from __future__ import annotations

from clarion.client_core.call import (
    PARENT_CUT_OFF,
    Attempt,
    ClientCall,
    Start,
)
from clarion.client_core.channel import ChannelCore, Pending
from clarion.client_core.cutting_off import attempts_on, cancel_calls
from clarion.client_core.gate import admit
from clarion.client_core.options import ChannelOptions
from clarion.client_core.runtime import Link, LinkOwner, Runtime, Timer

__all__ = [
    "PARENT_CUT_OFF",
    "Attempt",
    "ChannelCore",
    "ChannelOptions",
    "ClientCall",
    "Link",
    "LinkOwner",
    "Pending",
    "Runtime",
    "Start",
    "Timer",
    "admit",
    "attempts_on",
    "cancel_calls",
]
