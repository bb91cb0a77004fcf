"""The server below its front ends: which handler serves a call, whether it is admitted, what it has received.

`ServerCore` is a server without sockets; `ServerCall` is a call without threads or tasks. The front ends
subclass the call to run handlers, each in its own way.
"""

from __future__ import annotations

from clarion.server_core.admission import Admission
from clarion.server_core.call import ServerCall
from clarion.server_core.core import ServerCore
from clarion.server_core.options import ServerOptions
from clarion.server_core.stopping import STOPPED, cut_off_calls

__all__ = ["STOPPED", "Admission", "ServerCall", "ServerCore", "ServerOptions", "cut_off_calls"]
