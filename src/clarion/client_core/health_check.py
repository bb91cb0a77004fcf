"""Client-side health checking: asking a server whether it is serving (gRFC A17)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from clarion.client_core.runtime import Link
from clarion.client_core.subchannel_call import SubchannelCall
from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing.messages import health_messages
from clarion.load_balancing.policy import StateWatcher
from clarion.protocol.outcome import Outcome

if TYPE_CHECKING:
    from clarion.client_core.channel import ChannelCore

__all__ = ["HealthCheck"]

_LOG = logging.getLogger(__name__)

_PATH = "/grpc.health.v1.Health/Watch"

# grpc.health.v1.HealthCheckResponse.ServingStatus
_SERVING = 1
_STATUSES = {0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class HealthCheck:
    """Asks one server about one service, as long as it is connected.

    Args:
        core: the channel.
        service: whose health it is; "" is the server's.
        changed: hears the health, as `Subchannel.watch_health` has it.
    """

    def __init__(self, core: ChannelCore, service: str, changed: StateWatcher) -> None:
        self.service = service
        self._core = core
        self._changed = changed
        request: bytes = health_messages()["HealthCheckRequest"](
            service=service
        ).SerializeToString()
        self._call = SubchannelCall(core, _PATH, request, self)

    def start(self, link: Link) -> None:
        """There is a connection."""
        self._call.start(link)

    def stop(self) -> None:
        """There is none, or the health is of no interest any more."""
        self._call.stop()

    # Receiver

    def began(self) -> None:
        """See `Receiver`."""
        self._changed(ChannelConnectivity.CONNECTING, "")

    def received(self, message: bytes) -> None:
        """See `Receiver`."""
        from google.protobuf.message import DecodeError

        try:
            status = health_messages()["HealthCheckResponse"].FromString(message).status
        except DecodeError:
            self._failed("the health service's response is malformed")
            return
        if status == _SERVING:
            self._changed(ChannelConnectivity.READY, "")
        else:
            service = repr(self.service) if self.service else "the server"
            self._failed(f"the health of {service} is {_STATUSES.get(status, status)}")

    def failed(self, outcome: Outcome) -> None:
        """See `Receiver`."""
        self._failed(f"the health check ended: {outcome.code.name}: {outcome.details}")

    def unimplemented(self, outcome: Outcome) -> None:
        """See `Receiver`; such a server is taken for a healthy one."""
        if not self._core.told_of_no_health:
            self._core.told_of_no_health = True
            _LOG.error(
                "%s: health checks are switched on, but the server has no health service;"
                " it is taken for healthy",
                self._core.target.authority,
            )
        self._changed(ChannelConnectivity.READY, "")

    def _failed(self, why: str) -> None:
        self._changed(ChannelConnectivity.TRANSIENT_FAILURE, why)
