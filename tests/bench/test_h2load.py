"""h2load's report is read exactly, and no failed request becomes a figure."""

from __future__ import annotations

import pytest

from bench.harness.h2load import REPLY_BYTES, REQUEST, check, parse
from bench.harness.processes import Invalid

REPORT = """\
starting benchmark...
spawning thread #0: 4 total client(s). Timing-based test with 0s of warm-up time and 1s of main duration.
Main benchmark duration is started for thread #0.
Stopped all clients for thread #0

finished in 1.00s, 8224.00 req/s, 513.21KB/s
requests: 8224 total, 8352 started, 8224 done, 8224 succeeded, {failed} failed, {errored} errored, 0 timeout
status codes: {ok} 2xx, 0 3xx, {fourth} 4xx, 0 5xx
traffic: 513.21KB (525527) total, 80.31KB (82240) headers (space savings 93.59%), 160.63KB ({data}) data
                     min         max         mean         sd        +/- sd
time for request:      531us     25.60ms      3.77ms      1.87ms    79.41%
"""


def report(*, failed: int = 0, errored: int = 0, fourth: int = 0, data: int = 164480) -> str:
    return REPORT.format(failed=failed, errored=errored, ok=8224, fourth=fourth, data=data)


def test_good_report() -> None:
    found = check(parse(report()))
    assert found.per_second == 8224.0
    assert found.succeeded == found.ok == found.done == 8224
    assert found.data_bytes == 8224 * REPLY_BYTES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (report(failed=1), "1 requests failed"),
        (report(errored=2), "2 errored"),
        (report(fourth=3), "3 were not answered with 2xx"),
        (report(data=164479), "gRPC errors"),
        (report().replace("8224 succeeded", "0 succeeded"), "no request was answered"),
    ],
)
def test_a_bad_answer_makes_the_run_invalid(text: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        check(parse(text))


@pytest.mark.parametrize("missing", ["finished", "requests:", "status codes", "traffic"])
def test_an_unknown_form_is_invalid(missing: str) -> None:
    with pytest.raises(Invalid, match="form"):
        parse(report().replace(missing, "?"))


def test_request_is_one_grpc_message() -> None:
    assert REQUEST[0] == 0
    assert int.from_bytes(REQUEST[1:5], "big") == len(REQUEST) - 5
