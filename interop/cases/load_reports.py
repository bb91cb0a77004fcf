"""ORCA load reports (gRFC A51): with each call, and beside the calls.

Other implementations read them in a load-balancing policy. This program reads the trailing metadata
and calls the reporting service itself.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from interop.cases.registry import TEST, case, check, ended
from interop.cases.streams import receive_size
from interop.program.messages import ORCA_KEY, methods, orca, orca_service, testing
from interop.program.session import Call, Failure, Session

_SECONDS = 30
_REPORTS = methods["xds.service.orca.v3.OpenRcaService"]["StreamCoreMetrics"]


@case()
async def orca_per_rpc(session: Session, flags: argparse.Namespace) -> None:
    request = testing.SimpleRequest(
        orca_per_query_report=testing.TestOrcaReport(
            cpu_utilization=0.8210,
            memory_utilization=0.5847,
            request_cost={"cost": 3456.32},
            utilization={"util": 0.30499},
        )
    )
    _, outcome = await session.ok(TEST["UnaryCall"], request)
    reports = [value for key, value in outcome.trailing if key == ORCA_KEY]
    check("number of reports", len(reports), 1)
    wanted = orca.OrcaLoadReport(
        cpu_utilization=0.8210,
        mem_utilization=0.5847,
        request_cost={"cost": 3456.32},
        utilization={"util": 0.30499},
    )
    check("report", orca.OrcaLoadReport.FromString(reports[0]), wanted)


async def _set(call: Call, report: Any) -> None:
    request = testing.StreamingOutputCallRequest(
        response_parameters=[testing.ResponseParameters(size=1)], orca_oob_report=report
    )
    await call.send(request)
    await receive_size(call, 1)


async def _await_report(reports: Call, cpu: float, memory: float, utilization: float) -> None:
    wanted = orca.OrcaLoadReport(
        cpu_utilization=cpu, mem_utilization=memory, utilization={"util": utilization}
    )
    deadline = time.monotonic() + _SECONDS
    found = None
    while time.monotonic() < deadline:
        found = await reports.receive()
        if found is None:
            ended(await reports.finish(), "OK, after another report")
            return
        if found.message == wanted:
            return
    raise Failure(f"no such report came in {_SECONDS} s; the last was {found}")


@case()
async def orca_oob(session: Session, flags: argparse.Namespace) -> None:
    # The first call holds the server's load to itself, so that another test cannot change it meanwhile.
    call = await session.open(TEST["FullDuplexCall"], timeout=2 * _SECONDS)
    interval = orca_service.OrcaLoadReportRequest()
    interval.report_interval.FromMilliseconds(100)
    reports = await session.open(_REPORTS, interval, timeout=2 * _SECONDS)
    for values in ((0.8210, 0.5847, 0.30499), (0.29309, 0.2, 0.2039)):
        cpu, memory, utilization = values
        report = testing.TestOrcaReport(
            cpu_utilization=cpu, memory_utilization=memory, utilization={"util": utilization}
        )
        await _set(call, report)
        await _await_report(reports, *values)
    await reports.cancel()
    await call.done_sending()
    check("response after the last", await call.receive(), None)
    ended(await call.finish())
