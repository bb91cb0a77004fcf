"""The policies and requests of `conformance/authz/table.json`, which grpc-go answers in the same way (`make security`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clarion.auth import InvalidPolicy, Policy, PolicyFile
from support.auth import authorize
from support.credentials import client_tls, server_tls
from support.front_end import FrontEnd

TABLE = Path(__file__).parents[2] / "conformance" / "authz" / "table.json"
CASES: list[dict[str, Any]] = json.loads(TABLE.read_text())["cases"]
VALID = [case for case in CASES if "requests" in case]


@pytest.mark.parametrize(
    "case", [each for each in CASES if each.get("invalid")], ids=lambda case: case["name"]
)
def test_policies_that_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicy):
        Policy(json.dumps(case["policy"]))


def test_what_policies_allow(front: FrontEnd, tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(VALID[0]["policy"]))
    policy = PolicyFile(path, interval=3600)
    library, targets = front.library, {}
    for kind, credentials in (
        ("plain", None),
        ("", server_tls(library)),
        ("certificate", server_tls(library, roots="ca", require=True)),
    ):
        served = front.serve({}, credentials=credentials, interceptors=[authorize(front, policy)])
        targets[kind] = served.target
    clients: dict[str, Any] = {}
    wrong = []
    for case in VALID:
        path.write_text(json.dumps(case["policy"]))
        policy.reload()
        for request in case["requests"]:
            name = request["client"]
            if name not in clients:
                target = targets[name if name in ("", "plain") else "certificate"]
                credentials = None if name == "plain" else client_tls(library, name or None)
                clients[name] = front.connect(target, credentials=credentials)
            metadata = [(key, value) for key, value in request.get("metadata", ())]
            outcome = clients[name].call(request["path"], "unary_unary", [b"x"], metadata=metadata)
            # The server has no methods: what passes the policy finds none.
            expected = "UNIMPLEMENTED" if request["allowed"] else "PERMISSION_DENIED"
            if outcome.code != expected:
                wrong.append((case["name"], request, outcome))
    policy.close()
    assert not wrong
