"""`clarion health`: ask a server whether it can take calls, as probes do.

Rules: one line on standard output says the status, one on standard error what went wrong; the exit code says which of
these it was, and every code but 0 means to Kubernetes that the probe failed.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import clarion
from clarion.health import SERVICE_NAME, ServingStatus, check
from clarion.health.messages import messages, status_of

__all__ = ["run"]

_HEALTHY = 0
_UNHEALTHY = 1
_USAGE = 2
_UNREACHABLE = 3
_TOO_LATE = 4
_REFUSED = 5

_CODES = """\
exit codes:
  0  SERVING
  1  any other status, or the server does not know the service
  2  the command line makes no sense, or a file cannot be read
  3  the server cannot be reached
  4  the time was up before the server answered
  5  the server answered with an error, such as UNIMPLEMENTED where it has no health service
"""


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Ask a server for its health (grpc.health.v1).",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="HOST:PORT", help="any target of a channel")
    parser.add_argument("--service", default="", help="its full name; without it, the whole server")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        metavar="S",
        help="seconds, connecting included; 5 without it, and with --watch none",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="show each change, until Ctrl-C or the end of the time; the last status is the exit code",
    )
    parser.add_argument(
        "--metadata",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="send this; may be repeated",
    )
    tls = parser.add_argument_group("TLS")
    tls.add_argument("--tls", action="store_true", help="connect with TLS; the others imply it")
    tls.add_argument("--ca", type=Path, metavar="FILE", help="trusted certificates (PEM)")
    tls.add_argument("--cert", type=Path, metavar="FILE", help="the client's certificate (PEM)")
    tls.add_argument("--key", type=Path, metavar="FILE", help="its key (PEM)")
    tls.add_argument(
        "--server-name", metavar="NAME", help="the name to look for in the server's certificate"
    )
    return parser


def _channel(given: argparse.Namespace) -> Any:
    options = []
    if given.server_name:
        options.append(("grpc.ssl_target_name_override", given.server_name))
    files = [
        None if each is None else each.read_bytes() for each in (given.ca, given.key, given.cert)
    ]
    if given.tls or given.server_name or any(files):
        return clarion.secure_channel(
            given.target, clarion.ssl_channel_credentials(*files), options
        )
    return clarion.insecure_channel(given.target, options)


def _failed(prog: str, target: str, error: Any) -> int:
    code = error.code()
    print(f"{prog}: {target}: {code.name}: {error.details()}", file=sys.stderr)
    if code is clarion.StatusCode.UNAVAILABLE:
        return _UNREACHABLE
    if code is clarion.StatusCode.DEADLINE_EXCEEDED:
        return _TOO_LATE
    return _REFUSED


def _show(status: int) -> int:
    print(status_of(status).name, flush=True)
    return _HEALTHY if status == ServingStatus.SERVING else _UNHEALTHY


def _watch(channel: Any, given: argparse.Namespace, metadata: Any, prog: str) -> int:
    known = messages()
    call = channel.unary_stream(
        f"/{SERVICE_NAME}/Watch",
        known.HealthCheckRequest.SerializeToString,
        known.HealthCheckResponse.FromString,
    )(
        known.HealthCheckRequest(service=given.service),
        timeout=given.timeout,
        metadata=metadata,
    )
    last = None
    try:
        for response in call:
            last = _show(response.status)
    except KeyboardInterrupt:
        call.cancel()
        return _UNHEALTHY if last is None else last
    except clarion.RpcError as error:
        failed: Any = error
        if last is not None and failed.code() is clarion.StatusCode.DEADLINE_EXCEEDED:
            return last
        return _failed(prog, given.target, error)
    print(f"{prog}: {given.target}: the server ended the watch", file=sys.stderr)
    return _REFUSED


def run(arguments: Sequence[str], *, prog: str) -> int:
    """Ask a server for its health.

    Args:
        arguments: what the user wrote after the command.
        prog: the command, for messages.

    Returns:
        What the help of the command says.
    """
    parser = _parser(prog)
    try:
        given = parser.parse_args(list(arguments))
        if (given.cert is None) != (given.key is None):
            parser.error("--cert and --key go together")
        pairs = [text.partition("=") for text in given.metadata]
        if not all(equals for _, equals, _ in pairs):
            parser.error("--metadata takes KEY=VALUE")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else _USAGE
    metadata = [(key, value) for key, _, value in pairs]
    try:
        channel = _channel(given)
    except (OSError, ValueError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return _USAGE
    with channel:
        try:
            if given.watch:
                return _watch(channel, given, metadata, prog)
            timeout = 5.0 if given.timeout is None else given.timeout
            return _show(check(channel, given.service, timeout=timeout, metadata=metadata))
        except clarion.RpcError as error:
            return _failed(prog, given.target, error)
        except KeyboardInterrupt:
            return 130
