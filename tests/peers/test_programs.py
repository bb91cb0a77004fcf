"""The programs that peers run in: one that fails costs the test that met it, and not all that come later."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import pytest

from support.libraries import LIMIT
from support.node import NodeClient
from support.processes import START_LIMIT, LineProcess

# Answers what it was told before and now, but never to `read`.
PROGRAM = """
import json, sys
last = ""
for line in sys.stdin:
    command = json.loads(line)["do"]
    if command == "read":
        continue
    print(json.dumps({"last": last, "command": command}), flush=True)
    last = command
"""


@pytest.fixture
def started() -> Iterator[list[LineProcess]]:
    started: list[LineProcess] = []
    yield started
    for process in started:
        process.close()


def start(started: list[LineProcess]) -> LineProcess:
    """The newest program, or another one if that has failed."""
    if not started or not started[-1].alive:
        started.append(LineProcess([sys.executable, "-c", PROGRAM]))
    return started[-1]


def test_a_program_that_does_not_answer_is_ended(started: list[LineProcess]) -> None:
    process = start(started)
    process.send('{"do": "open"}')
    assert process.receive(START_LIMIT) == {"last": "", "command": "open"}
    process.send('{"do": "read"}')
    assert process.alive
    with pytest.raises(AssertionError, match="gave no answer"):
        process.receive(0.1)
    assert not process.alive
    # Whoever goes on with it is told at once.
    began = time.monotonic()
    with pytest.raises(AssertionError, match="gave no answer"):
        process.receive(2 * LIMIT)
    assert time.monotonic() - began < LIMIT
    with pytest.raises(AssertionError, match="is gone"):
        for _ in range(1000):
            process.send(json.dumps({"do": "open" * 1000}))


def test_a_channel_moves_to_the_next_program(started: list[LineProcess]) -> None:
    client = NodeClient(lambda: start(started), "localhost:1")
    client.open("/a/B", "unary_unary", [b""])
    started[0].kill()
    call = client.open("/a/B", "unary_unary", [b""])
    assert len(started) == 2
    assert started[1].alive
    # It has been told of the channel before the call.
    call.cancel()
    started[1].send('{"do": "last"}')
    assert started[1].receive() == {"last": "cancel", "command": "last"}
    client.close()
    started[1].kill()
    client.close()
