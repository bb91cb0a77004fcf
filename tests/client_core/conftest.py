"""The network of the channel's tests."""

from __future__ import annotations

import pytest

from support.wire import Network


@pytest.fixture(params=[False, True], ids=["told at once", "told later"])
def network(request: pytest.FixtureRequest) -> Network:
    network = Network()
    network.posts = bool(request.param)
    return network
