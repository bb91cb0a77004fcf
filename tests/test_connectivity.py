"""The states of a channel are grpcio's."""

from __future__ import annotations

from clarion.connectivity import ChannelConnectivity


def test_states() -> None:
    assert [(state.name, *state.value) for state in ChannelConnectivity] == [
        ("IDLE", 0, "idle"),
        ("CONNECTING", 1, "connecting"),
        ("READY", 2, "ready"),
        ("TRANSIENT_FAILURE", 3, "transient failure"),
        ("SHUTDOWN", 4, "shutdown"),
    ]
