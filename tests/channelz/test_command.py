"""`clarion channelz`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from clarion.channelz import messages
from clarion.cli import channelz as command
from clarion.cli import main
from support.credentials import CERTIFICATES, client_tls, server_tls
from support.front_end import FrontEnd
from support.simple import ECHOES


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["channelz", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_what_is_shown(front: FrontEnd, asker: Any, capsys: pytest.CaptureFixture[str]) -> None:
    rig = front.rig(
        unary_unary=ECHOES["unary_unary"],
        credentials=server_tls(front.library),
        client_credentials=client_tls(front.library),
        client_options=[("grpc.ssl_target_name_override", "localhost")],
    )
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    target = rig.server.target
    code, out, err = shown(capsys, asker.target)
    assert (code, err) == (0, "")
    node = rig.client.raw.node  # type: ignore[attr-defined]
    pattern = rf"""
channel {node.number}  READY  dns:///{target}
  calls: 1 started, 1 succeeded, 0 failed, 0 in progress
  subchannel \d+  READY  {target}
    calls: 1 started, 1 succeeded, 0 failed, 0 in progress
    socket \d+  127\.0\.0\.1:\d+ - {target}  TLS TLS_\w+
      streams: 1 started, 1 succeeded, 0 failed; messages: 1 sent, 1 received
"""
    assert re.search(pattern, f"\n{out}"), out
    pattern = rf"""
server {rig.server.raw.core.node.number}
  calls: 1 started, 1 succeeded, 0 failed, 0 in progress
  socket \d+  listening {target}
  socket \d+  {target} - 127\.0\.0\.1:\d+  TLS TLS_\w+
      streams: 1 started, 1 succeeded, 0 failed; messages: 1 sent, 1 received
""".replace("      streams", "    streams")
    assert re.search(pattern, f"\n{out}"), out


def test_what_happened(asker: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = shown(capsys, asker.target, "--events", "--timeout", "30")
    assert (code, err) == (0, "")
    assert re.search(r"  \d+-\d+-\d+ \d+:\d+:\d+\.\d+\S+ Server created\n", out)
    assert ", the last one at " in out


def test_what_does_not_answer(front: FrontEnd, capsys: pytest.CaptureFixture[str]) -> None:
    server = front.serve(ECHOES)
    code, out, err = shown(capsys, server.target)
    assert (code, out) == (1, "")
    assert err.startswith(f"clarion channelz: {server.target}: UNIMPLEMENTED: ")


def test_arguments_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys)[0] == 2
    code, _, err = shown(capsys, "localhost:1", "--ca", str(CERTIFICATES / "nothing.pem"))
    assert code == 2
    assert "nothing.pem" in err
    code, out, _ = shown(capsys, "--help")
    assert code == 0
    assert "HOST:PORT" in out


class Told:
    """A process that tells the same again and again."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def unary_unary(self, path: str, *_: Any) -> Any:
        method = path.rpartition("/")[2]
        known = messages()[f"{method}Response"]
        return lambda request, timeout: known(**self.answers.get(method, {}))


def test_a_process_that_tells_nonsense() -> None:
    """Neither numbers of later times nor pages without end get in the way."""
    far = {"seconds": 2**62}
    data = {
        "state": {"state": 99},
        "target": "there",
        "last_call_started_timestamp": far,
        "trace": {"events": [{"description": "it began", "timestamp": far}]},
    }
    end = {"tcpip_address": {"ip_address": b"abc", "port": 1}}
    told = Told(
        GetTopChannels={
            "channel": [
                {"ref": {"channel_id": 5}, "data": data, "subchannel_ref": [{"subchannel_id": 6}]}
            ]
        },
        GetSubchannel={"subchannel": {"data": data, "socket_ref": [{"socket_id": 7}]}},
        GetSocket={"socket": {"local": end, "remote": {"other_address": {"name": "x"}}}},
        GetServers={"end": True},
    )
    lines = list(command._tree(command._Asker(told, 1.0), True))
    assert lines.count("channel 5  99  there") == 2
    assert f"  {2**62} s it began" in lines
    assert "    socket 7  ?:1 - x" in lines
