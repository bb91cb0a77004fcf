"""`h2load` loads Clarion's servers: four connections of 32 streams each, and no request may fail."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from support.echo import ECHO
from support.peers import World, why_absent

REQUESTS = 4000


@pytest.mark.parametrize("kind", ["clarion-sync", "clarion-aio", "clarion-uvloop"])
def test_no_request_fails(world: World, kind: str, tmp_path: Path) -> None:
    if reason := why_absent(kind):
        pytest.skip(reason)
    if (h2load := shutil.which("h2load")) is None:
        pytest.skip("h2load is not installed (Debian: nghttp2-client)")
    message = b"Alice"
    body = tmp_path / "request"
    body.write_bytes(struct.pack(">?I", False, len(message)) + message)
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    url = f"http://{world.server(kind).target()}{ECHO}UnaryUnary"
    report = subprocess.run(
        [h2load, "-n", str(REQUESTS), "-c", "4", "-m", "32", "-d", str(body), *headers, url],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    ).stdout
    assert re.search(rf"{REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout", report), report
    assert re.search(rf"status codes: {REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx", report), report
