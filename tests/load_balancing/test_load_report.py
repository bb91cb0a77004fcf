"""Load reports on the wire (gRFC A51)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clarion.load_balancing.load_report import (
    LOAD_REPORT_KEY,
    LoadReport,
    decode_load_report,
    decode_report_request,
    encode_load_report,
    encode_report_request,
    read_load_report,
)

FULL = LoadReport(
    cpu_utilization=0.5,
    mem_utilization=0.25,
    application_utilization=1.5,
    rps_fractional=1000.0,
    eps=2.5,
    request_cost={"rows": 3.0},
    utilization={"disk": 0.75},
    named_metrics={"queue": 7.0, "age": 1.0},
)


def test_a_report_survives_the_wire() -> None:
    assert decode_load_report(encode_load_report(FULL)) == FULL
    assert decode_load_report(encode_load_report(LoadReport())) == LoadReport()
    assert encode_load_report(LoadReport()) == b""


def test_numbers_of_fields() -> None:
    """xds.data.orca.v3.OrcaLoadReport, written by hand; field 3 is an older one."""
    double = "000000000000f03f"
    entry = f"0a0161 11{double}"
    wire = bytes.fromhex(
        f"09{double} 11{double} 1805 220c{entry} 2a0c{entry} 31{double} 39{double} 420c{entry} 49{double}"
    )
    ones = {"a": 1.0}
    assert decode_load_report(wire) == LoadReport(1, 1, 1, 1, 1, ones, ones, ones)


@pytest.mark.parametrize("wire", [b"\x09", b"\xff\xff\xff", b"\x2a\x05ab"])
def test_a_malformed_report_is_none(wire: bytes) -> None:
    assert decode_load_report(wire) is None
    assert read_load_report([(LOAD_REPORT_KEY, wire)]) is None


def test_the_report_in_trailing_metadata() -> None:
    trailing = [("other", "text"), (LOAD_REPORT_KEY, encode_load_report(FULL))]
    assert read_load_report(trailing) == FULL
    assert read_load_report(trailing[:1]) is None
    assert read_load_report(()) is None


@pytest.mark.parametrize(
    ("interval", "wire"),
    [(10, "0a02080a"), (0.1, "0a051080c2d72f"), (1.5, "0a0808011080cab5ee01"), (0, "0a00")],
)
def test_requests(interval: float, wire: str) -> None:
    """xds.service.orca.v3.OrcaLoadReportRequest with a google.protobuf.Duration."""
    assert encode_report_request(interval).hex() == wire
    assert decode_report_request(bytes.fromhex(wire)) == pytest.approx(interval)


def test_odd_requests() -> None:
    assert decode_report_request(b"") == 0
    assert decode_report_request(b"\x0a\x05") is None
    assert decode_report_request(encode_report_request(1e300)) == 315_576_000_000


def test_protobuf_is_loaded_when_it_is_needed() -> None:
    program = (
        "import sys, clarion.load_balancing.load_report as r, clarion.client_core.subchannel\n"
        "assert 'google.protobuf' not in sys.modules\n"
        "r.encode_load_report(r.LoadReport(eps=1.0))\n"
        "from google.protobuf import descriptor_pool\n"
        "try: descriptor_pool.Default().FindMessageTypeByName('OrcaLoadReport')\n"
        "except KeyError: print('in no common pool')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert ran.stdout == "in no common pool\n", ran.stderr
