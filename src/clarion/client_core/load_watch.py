"""Out-of-band load reports of one server (gRFC A51): one call for all who want them, at the shortest of the intervals."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clarion.client_core.runtime import Link
from clarion.client_core.subchannel_call import SubchannelCall
from clarion.load_balancing.load_report import (
    STREAM_METHOD,
    decode_load_report,
    encode_report_request,
)
from clarion.protocol.outcome import Outcome

if TYPE_CHECKING:
    from clarion.client_core.channel import ChannelCore

__all__ = ["LoadReports"]

_LOG = logging.getLogger(__name__)


class _Watch:
    """See `clarion.load_balancing.policy.LoadReportWatch`."""

    def __init__(
        self, reports: LoadReports, interval: float, watcher: Callable[[Any], None]
    ) -> None:
        self.interval = interval
        self.watcher = watcher
        self._reports = reports

    def cancel(self) -> None:
        self._reports.remove(self)


class LoadReports:
    """The reports of one server.

    Args:
        core: the channel.
    """

    def __init__(self, core: ChannelCore) -> None:
        self._core = core
        self._link: Link | None = None
        self._watches: list[_Watch] = []
        self._interval: float | None = None
        self._call: SubchannelCall | None = None

    def add(self, interval: float, watcher: Callable[[Any], None]) -> _Watch:
        """Call `watcher` with each report."""
        watch = _Watch(self, interval, watcher)
        self._watches.append(watch)
        self._renew()
        return watch

    def remove(self, watch: _Watch) -> None:
        """Call its watcher no more."""
        if watch in self._watches:
            self._watches.remove(watch)
            self._renew()

    def start(self, link: Link) -> None:
        """There is a connection."""
        self._link = link
        self._renew()

    def stop(self) -> None:
        """There is none any more."""
        self._link = None
        self._renew()

    def _renew(self) -> None:
        """Have the call that is wanted: at this interval, on this connection, or none."""
        interval = min((watch.interval for watch in self._watches), default=None)
        if self._link is None:
            interval = None
        if interval == self._interval:
            return
        self._interval = interval
        if self._call is not None:
            self._call.stop()
            self._call = None
        if interval is not None:
            assert self._link is not None
            request = encode_report_request(interval)
            self._call = SubchannelCall(self._core, STREAM_METHOD, request, self)
            self._call.start(self._link)

    # Receiver

    def began(self) -> None:
        """See `Receiver`."""

    def received(self, message: bytes) -> None:
        """See `Receiver`."""
        report = decode_load_report(message)
        if report is not None:
            for watch in list(self._watches):
                watch.watcher(report)

    def failed(self, outcome: Outcome) -> None:
        """See `Receiver`."""
        _LOG.debug("load reports ended with %s: %s", outcome.code.name, outcome.details)

    def unimplemented(self, outcome: Outcome) -> None:
        """See `Receiver`."""
        if not self._core.told_of_no_load:
            self._core.told_of_no_load = True
            _LOG.error(
                "%s: out-of-band load reports are asked for, but the server has none",
                self._core.target.authority,
            )
