"""Interop cases by `buf curl`, the command line of the Connect project: a line for each, as the other clients print."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REQUESTS = (27182, 8, 1828, 45904)
RESPONSES = (31415, 9, 2653, 58979)
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
SECONDS = 60
UNKNOWN, UNIMPLEMENTED = 2, 12


def flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--buf", required=True, help="the program")
    parser.add_argument("--server_host", default="localhost")
    parser.add_argument("--server_port", type=int, required=True)
    parser.add_argument("--test_case", required=True, help="names with commas between them")
    parser.add_argument("--use_tls", default="false")
    parser.add_argument("--protocol", default="connect")
    parser.add_argument("--http_version", default="2")
    parser.add_argument("--descriptors", type=Path, required=True)
    parser.add_argument("--certificates", type=Path, required=True)
    return parser.parse_known_args()[0]


GIVEN = flags()


def check(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, expected {wanted!r}"[:400])


def zeros(size: int) -> dict[str, str]:
    """A payload in JSON."""
    whole, rest = divmod(size, 3)
    return {"body": "AAAA" * whole + ("", "AA==", "AAA=")[rest]}


def length(response: Any) -> int:
    body = response.get("payload", {}).get("body", "")
    return len(body) * 3 // 4 - body.count("=")


def curl(
    method: str, *messages: Any, service: str = "TestService", more: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    secure = GIVEN.use_tls == "true"
    scheme = "https" if secure else "http"
    command = [GIVEN.buf, "curl", "--data", "@-"]
    # Over HTTP/2 it asks reflection, in the protocol of the call; HTTP/1.1 has no streams both ways.
    if GIVEN.http_version == "1.1":
        command += ["--schema", str(GIVEN.descriptors)]
    command += ["--protocol", GIVEN.protocol.replace("-", ""), *more]
    if secure:
        command += ["--cacert", str(GIVEN.certificates / "ca.pem")]
    elif GIVEN.http_version == "2":
        command.append("--http2-prior-knowledge")
    path = f"grpc.testing.{service}/{method}"
    command.append(f"{scheme}://{GIVEN.server_host}:{GIVEN.server_port}/{path}")
    data = "\n".join(map(json.dumps, messages))
    return subprocess.run(command, input=data, capture_output=True, text=True, timeout=SECONDS)


def answers(method: str, *messages: Any, more: tuple[str, ...] = ()) -> list[Any]:
    done = curl(method, *messages, more=more)
    check(f"exit status ({done.stderr[-200:]})", done.returncode, 0)
    decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].strip()
    return found


def fails(code: int, message: str | None, method: str, *messages: Any, **options: Any) -> None:
    done = curl(method, *messages, **options)
    check(f"code ({done.stderr[-200:]})", done.returncode >> 3, code)
    if message is not None:
        check("message", json.loads(done.stderr)["message"], message)


def empty_unary() -> None:
    check("response", answers("EmptyCall", {}), [{}])


def cacheable_unary() -> None:
    request = {"payload": {"body": "aGFsbG8="}}
    first, second = (answers("CacheableUnaryCall", request) for _ in range(2))
    check("second response", second, first)


def large_unary() -> None:
    (response,) = answers("UnaryCall", {"responseSize": 314159, "payload": zeros(271828)})
    check("size", length(response), 314159)


def client_streaming() -> None:
    found = answers("StreamingInputCall", *({"payload": zeros(size)} for size in REQUESTS))
    check("response", found, [{"aggregatedPayloadSize": 74922}])


def server_streaming() -> None:
    request = {"responseParameters": [{"size": size} for size in RESPONSES]}
    check("sizes", [length(each) for each in answers("StreamingOutputCall", request)], [*RESPONSES])


def half_duplex() -> None:
    requests = [
        {"responseParameters": [{"size": answer}], "payload": zeros(size)}
        for size, answer in zip(REQUESTS, RESPONSES, strict=True)
    ]
    check("sizes", [length(each) for each in answers("HalfDuplexCall", *requests)], [*RESPONSES])


def empty_stream() -> None:
    check("responses", answers("FullDuplexCall"), [])


def custom_metadata() -> None:
    headers = [
        "x-grpc-test-echo-initial: test_initial_metadata_value",
        "x-grpc-test-echo-trailing-bin: q6ur",
    ]
    more = tuple(word for header in headers for word in ("--header", header))
    done = curl("UnaryCall", {"responseSize": 10}, more=("--verbose", *more))
    check(f"exit status ({done.stderr[-200:]})", done.returncode, 0)
    received = {line[4:].strip().lower() for line in done.stderr.splitlines() if "< " in line}
    # The trailers of gRPC-Web are in the body, of which nothing is shown.
    for header in headers[:1] if GIVEN.protocol == "grpc-web" else headers:
        found = any(line.rstrip("=").endswith(header.lower()) for line in received)
        check(f"{header} in {sorted(received)}", found, True)


def status_code_and_message() -> None:
    text = "test status message"
    status = {"responseStatus": {"code": UNKNOWN, "message": text}}
    fails(UNKNOWN, text, "UnaryCall", status)
    fails(UNKNOWN, text, "FullDuplexCall", status)


def special_status_message() -> None:
    status = {"responseStatus": {"code": UNKNOWN, "message": SPECIAL}}
    fails(UNKNOWN, SPECIAL, "UnaryCall", status)


def unimplemented_method() -> None:
    fails(UNIMPLEMENTED, None, "UnimplementedCall", {})


def unimplemented_service() -> None:
    fails(UNIMPLEMENTED, None, "UnimplementedCall", {}, service="UnimplementedService")


CASES = [
    empty_unary,
    cacheable_unary,
    large_unary,
    client_streaming,
    server_streaming,
    half_duplex,
    empty_stream,
    custom_metadata,
    status_code_and_message,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
]


def main() -> int:
    known = {case.__name__: case for case in CASES}
    failures = 0
    for name in GIVEN.test_case.split(","):
        word = "passed"
        if name not in known:
            word = "unsupported: the program does not have this case"
        else:
            try:
                known[name]()
            except Exception as error:
                word = f"failed: {type(error).__name__}: {error}".replace("\n", " ")
        failures += word != "passed"
        print(f"{name}: {word}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
