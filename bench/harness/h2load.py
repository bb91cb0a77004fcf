"""Runs h2load (Debian: nghttp2-client) against a server and reads its report.

Rule: one request that failed, errored, timed out or was answered with anything but a 2xx and a
whole reply makes the measurement invalid. h2load itself knows nothing of gRPC, so a short reply is
how a gRPC error shows.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from bench.harness.layout import GENERATED
from bench.harness.processes import Invalid, run_pinned

__all__ = [
    "CONNECT",
    "CONNECT_JSON",
    "GRPC",
    "GRPC_WEB",
    "REPLY_BYTES",
    "REQUEST",
    "Report",
    "Requests",
    "check",
    "find",
    "load",
    "parse",
]

_MESSAGE = b"\n\x05Alice"
_REPLY = 2 + len("Hello, Alice!")
REQUEST = b"\0\0\0\0\x07" + _MESSAGE
REPLY_BYTES = 5 + _REPLY


@dataclass(frozen=True)
class Requests:
    """SayHello in one protocol: its header fields, its body, and how long a body of an answer is at least."""

    name: str
    fields: tuple[str, ...]
    body: bytes
    reply_bytes: int


GRPC = Requests("grpc", ("content-type: application/grpc", "te: trailers"), REQUEST, REPLY_BYTES)
GRPC_WEB = Requests(
    "grpc-web",
    ("content-type: application/grpc-web+proto",),
    REQUEST,
    # With the frame of the trailers.
    REPLY_BYTES + 5 + len("grpc-status:0\r\n"),
)
CONNECT = Requests("connect", ("content-type: application/proto",), _MESSAGE, _REPLY)
CONNECT_JSON = Requests(
    "connect-json",
    ("content-type: application/json",),
    b'{"name":"Alice"}',
    len('{"message":"Hello, Alice!"}'),
)


@dataclass(frozen=True)
class Report:
    """The figures of one run."""

    per_second: float
    done: int
    succeeded: int
    failed: int
    errored: int
    timed_out: int
    ok: int
    not_ok: int
    data_bytes: int


def _field(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    if match is None:
        raise Invalid("h2load's report is not in the form we know")
    return match.groups()


def parse(text: str) -> Report:
    """Read what h2load prints.

    Raises:
        Invalid: a line that we need is missing.
    """
    (per_second,) = _field(r"finished in [\d.]+\w+, ([\d.]+) req/s", text)
    done, succeeded, failed, errored, timed_out = _field(
        r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, "
        r"(\d+) errored, (\d+) timeout",
        text,
    )
    ok, third, fourth, fifth = _field(
        r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text
    )
    (data,) = _field(r"traffic:.*\((\d+)\) data", text)
    return Report(
        per_second=float(per_second),
        done=int(done),
        succeeded=int(succeeded),
        failed=int(failed),
        errored=int(errored),
        timed_out=int(timed_out),
        ok=int(ok),
        not_ok=int(third) + int(fourth) + int(fifth),
        data_bytes=int(data),
    )


def check(report: Report, reply_bytes: int = REPLY_BYTES) -> Report:
    """Return the report if every request of it was answered well, with bodies of at least `reply_bytes`.

    Raises:
        Invalid: some were not, and how many.
    """
    bad = report.failed + report.errored + report.timed_out
    if bad or report.not_ok:
        raise Invalid(
            f"{report.failed} requests failed, {report.errored} errored, {report.timed_out} timed "
            f"out, {report.not_ok} were not answered with 2xx, of {report.done}"
        )
    if not report.succeeded:
        raise Invalid("no request was answered")
    if report.data_bytes < report.succeeded * reply_bytes:
        raise Invalid(
            f"{report.data_bytes} bytes came for {report.succeeded} replies of {reply_bytes}: some "
            "were gRPC errors"
        )
    return report


def find() -> str | None:
    """The h2load on the path."""
    return shutil.which("h2load")


def load(
    port: int,
    connections: int,
    streams: int,
    seconds: float,
    *,
    scheme: str = "http",
    requests: Requests = GRPC,
    http1: bool = False,
) -> Report:
    """Call SayHello for `seconds` over `connections`, each with up to `streams` calls at a time."""
    program = find()
    if program is None:
        raise Invalid("h2load is not on the path (Debian: nghttp2-client)")
    GENERATED.mkdir(exist_ok=True)
    body = GENERATED / f"request-{requests.name}.bin"
    body.write_bytes(requests.body)
    command = [
        program,
        f"--duration={max(1, round(seconds * 1000))}ms",
        f"--clients={connections}",
        f"--max-concurrent-streams={streams}",
        "--threads=1",
        *(f"--header={field}" for field in requests.fields),
        f"--data={body}",
        *(["--h1"] if http1 else []),
        f"{scheme}://127.0.0.1:{port}/hello.Greeter/SayHello",
    ]
    return check(parse(run_pinned(command)), requests.reply_bytes)
