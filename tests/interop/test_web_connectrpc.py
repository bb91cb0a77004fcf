"""The web's cases with PyPI's connectrpc, its clients and its server, as processes; skipped where it is absent.

A few ways of calling stand for all: `make webinterop` runs the others, with more peers.
"""

from __future__ import annotations

import importlib.util
import sys

import pytest

from interop.harness.cells import Direction
from interop.web.cells import CASES, Cell, Wire, wires
from interop.web.matrix import Settings, run_peer
from interop.web.peers import ConnectPython

LIMIT = 120.0


class Here(ConnectPython):
    """connectrpc as it is installed beside Clarion."""

    interpreter = sys.executable
    securities = (False,)

    def __init__(self, direction: Direction, ways: tuple[Wire, ...]) -> None:
        self.calls = ways if direction is Direction.SERVER else ()
        self.serves = ways if direction is Direction.CLIENT else ()


RUNS = [
    (Direction.SERVER, "sync", "connect/1.1/json grpc-web/2/proto"),
    (Direction.CLIENT, "aio", "connect/2/proto grpc-web/1.1/json"),
]


@pytest.mark.parametrize(("direction", "front_end", "ways"), RUNS)
def test_connectrpc(direction: Direction, front_end: str, ways: str) -> None:
    for module in ("h11", "connectrpc", *(["hypercorn"] if direction is Direction.CLIENT else [])):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    peer = Here(direction, wires(*ways.split()))
    reported: list[Cell] = []
    found = run_peer(peer, Settings(list(CASES), 2, LIMIT, front_end), reported.append)
    assert len(reported) == len(found)
    assert len(found) > 30
    assert [cell for cell in found if not cell.passed and cell.reason is None] == []
