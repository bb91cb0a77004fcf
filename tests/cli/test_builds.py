"""Builds that generate: hatchling's hook, and the recipe for setuptools."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NEEDS = {"hatchling": "hatchling", "setuptools": "setuptools", "pip": "pip"}
PROTO = """\
syntax = "proto3";
package parcel;
message Parcel { string id = 1; }
service Post { rpc Send(Parcel) returns (Parcel); }
"""
SETTINGS = """
[tool.clarion.generate]
paths = ["protos"]
out = "src/parcels/protos"
"""
HATCH = """\
[build-system]
requires = ["hatchling", "clarion-rpc[protoc]"]
build-backend = "hatchling.build"

[project]
name = "parcels"
version = "1"

[tool.hatch.build.hooks.clarion]
"""
SETUPTOOLS = """\
[build-system]
requires = ["setuptools", "clarion-rpc[protoc]"]
build-backend = "setuptools.build_meta"

[project]
name = "parcels"
version = "1"

[tool.setuptools.packages.find]
where = ["src"]

[tool.setuptools.package-data]
"*" = ["*.pyi", "py.typed"]
"""


@pytest.fixture
def project(tmp_path: Path, protoc: Path) -> Path:
    """A package `parcels` without generated code, which version control ignores."""
    (tmp_path / "protos").mkdir()
    (tmp_path / "protos/parcel.proto").write_text(PROTO)
    (tmp_path / "src/parcels").mkdir(parents=True)
    (tmp_path / "src/parcels/__init__.py").write_text("")
    (tmp_path / ".gitignore").write_text("*_pb2*\nsrc/parcels/protos/\n")
    return tmp_path


def _pip_wheel(
    project: Path, needed: str, *, hook: bool = False
) -> subprocess.CompletedProcess[str]:
    for name in ("pip", needed):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not in this environment")
    # Where Clarion is not installed, what it says of itself has to be on the path.
    paths = [str(ROOT / "src")]
    if hook:
        entry = project / "installed/clarion_hook-0.dist-info"
        entry.mkdir(parents=True)
        (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: clarion-hook\nVersion: 0\n")
        (entry / "entry_points.txt").write_text("[hatch]\nclarion = clarion.cli.hatch_hook\n")
        from importlib.metadata import entry_points

        if "clarion" not in entry_points(group="hatch").names:
            paths.append(str(entry.parent))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    return subprocess.run(
        [*pip, "--no-index", f"--wheel-dir={project / 'dist'}", str(project)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def _in_wheel(project: Path) -> set[str]:
    [wheel] = (project / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if name.startswith("parcels/")}


EXPECTED = {
    "parcels/__init__.py",
    "parcels/protos/__init__.py",
    "parcels/protos/parcel_pb2.py",
    "parcels/protos/parcel_pb2.pyi",
    "parcels/protos/parcel_pb2_grpc.py",
    "parcels/protos/parcel_pb2_grpc.pyi",
}


def test_a_wheel_from_hatchling(project: Path) -> None:
    (project / "pyproject.toml").write_text(HATCH + SETTINGS)
    done = _pip_wheel(project, "hatchling", hook=True)
    assert done.returncode == 0, done.stderr
    assert _in_wheel(project) == EXPECTED


def test_a_build_holds_nothing_from_outside_of_the_project(project: Path) -> None:
    settings = SETTINGS.replace("src/parcels/protos", "../elsewhere")
    (project / "pyproject.toml").write_text(HATCH + settings)
    done = _pip_wheel(project, "hatchling", hook=True)
    assert done.returncode != 0
    assert "elsewhere, which is outside of the project" in done.stdout + done.stderr
    assert not (project.parent / "elsewhere").exists()


def test_a_build_ends_at_a_bad_proto_file(project: Path) -> None:
    (project / "pyproject.toml").write_text(HATCH + SETTINGS)
    (project / "protos/parcel.proto").write_text("broken")
    done = _pip_wheel(project, "hatchling", hook=True)
    assert done.returncode != 0
    assert "protos/parcel.proto:1:1: " in done.stdout + done.stderr


def _recipe() -> str:
    """`setup.py` as the documentation has it."""
    page = (ROOT / "docs/generating.md").read_text(encoding="utf-8")
    [recipe] = re.findall(r"`setup\.py`.*?```python\n(.*?)```", page, re.DOTALL)
    return str(recipe)


def test_a_wheel_from_setuptools_with_the_documented_recipe(project: Path) -> None:
    (project / "pyproject.toml").write_text(SETUPTOOLS + SETTINGS)
    (project / "setup.py").write_text(_recipe())
    done = _pip_wheel(project, "setuptools")
    assert done.returncode == 0, done.stderr
    assert _in_wheel(project) == EXPECTED


class _Interface:
    """Stands in for hatchling's class where hatchling is not installed."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.app = self
        self.said: list[str] = []

    def abort(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hook, made with stand-ins for what it takes from hatchling."""
    modules = (
        "hatchling hatchling.builders hatchling.builders.hooks hatchling.builders.hooks.plugin"
    )
    for name in (*modules.split(), "hatchling.builders.hooks.plugin.interface", "hatchling.plugin"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    interface: Any = sys.modules["hatchling.builders.hooks.plugin.interface"]
    interface.BuildHookInterface = _Interface
    plugin: Any = sys.modules["hatchling.plugin"]
    plugin.hookimpl = lambda function: function
    monkeypatch.delitem(sys.modules, "clarion.cli.hatch_hook", raising=False)
    import clarion.cli.hatch_hook as module

    yield module.hatch_register_build_hook()
    sys.modules.pop("clarion.cli.hatch_hook", None)


def test_the_hook_names_what_it_made(hook: Any, project: Path) -> None:
    (project / "pyproject.toml").write_text(SETTINGS)
    made, data = hook(project), {"artifacts": ["x"]}
    made.initialize("standard", data)
    assert made.said == []
    assert data["artifacts"] == [
        "x",
        *(
            f"/src/parcels/protos/{name}"
            for name in (
                "**/*_pb2.py",
                "**/*_pb2.pyi",
                "**/*_pb2_grpc.py",
                "**/*_pb2_grpc.pyi",
                "**/__init__.py",
                "py.typed",
            )
        ),
    ]
    assert (project / "src/parcels/protos/parcel_pb2.py").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (None, "pyproject.toml"),
        ("", "pyproject.toml has no [tool.clarion.generate]"),
        (f"{SETTINGS}zork = 1\n", 'unknown setting "zork"'),
        (SETTINGS.replace("protos", "absent"), "clarion generate failed, see above"),
    ],
)
def test_the_hook_ends_builds_that_cannot_generate(
    settings: str | None, said: str, hook: Any, project: Path
) -> None:
    if settings is not None:
        (project / "pyproject.toml").write_text(settings)
    made, data = hook(project), {"artifacts": []}
    made.initialize("standard", data)
    [message] = made.said
    assert said in message
    assert data["artifacts"] == []
