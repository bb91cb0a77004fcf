"""Other people's .proto files: generated, imported beside the modules that they came with, and type-checked.

googleapis-common-protos and grpcio-tools ship .proto files. opentelemetry-proto and gRPC's own packages ship modules
alone; those have the descriptors, which are all that a generator sees of a .proto file but for its comments.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import clarion
from clarion.cli import main
from clarion.cli._generation import GENERATED_KINDS, make_files
from clarion.cli._protoc_binary import ProtocNotFoundError, find_protoc
from clarion.codegen.layout import Layout

HERE = Path(__file__).parent
SOURCES = Path(clarion.__file__).parent.parent
# Distributions with modules but no .proto files.
MODULES = (
    "opentelemetry-proto",
    "grpcio-channelz",
    "grpcio-health-checking",
    "grpcio-reflection",
)
_SECONDS = 240

# The original module first: both have to fit into one process.
_IMPORT = """\
import importlib, sys
from pathlib import Path
originals = modules = 0
for path in sorted(Path(sys.argv[1]).rglob("*_pb2*.py")):
    inside = path.relative_to(sys.argv[1]).with_suffix("").as_posix().replace("/", ".")
    try:
        # googleapis-common-protos has one file under two names, and a process takes but one.
        original = None if "operations_proto" in inside else importlib.import_module(inside)
    except ModuleNotFoundError:
        original = None
    module = importlib.import_module(f"{sys.argv[1]}.{inside}")
    modules += 1
    if original is not None and original.__name__.endswith("_pb2"):
        originals += 1
        assert original.DESCRIPTOR is module.DESCRIPTOR
        for name in module.DESCRIPTOR.message_types_by_name:
            assert getattr(module, name) is getattr(original, name), name
print(modules, originals)
"""


def _need(distribution: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{distribution} is not installed here; it has the .proto files")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all packages of this module are generated."""
    try:
        find_protoc()
    except ProtocNotFoundError as error:
        pytest.skip(str(error))
    return tmp_path_factory.mktemp("breadth")


def _google(folder: Path) -> list[str]:
    """The .proto files of googleapis-common-protos."""
    root = Path(str(_need("googleapis-common-protos").locate_file("")))
    out = folder / "googles"
    assert main(["generate", "-q", f"-I{root}", f"--out={out}", str(root / "google")]) == 0
    return [out.name]


def _tools(folder: Path) -> list[str]:
    """protoc's own .proto files, as grpcio-tools has them.

    `clarion generate` leaves those out that the runtime has modules of; their types are checked all the same.
    """
    root = Path(str(_need("grpcio-tools").locate_file("grpc_tools/_proto")))
    out = folder / "tools"
    assert main(["generate", "-q", f"--out={out}", str(root)]) == 0
    flags = [f"-I{root}", "--include_source_info", f"--descriptor_set_out={folder / 'set'}"]
    names = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*.proto"))]
    assert main(["protoc", *flags, *names]) == 0
    _make(folder / "tools_all", (folder / "set").read_bytes(), names)
    return [out.name, "tools_all"]


def _from_modules(folder: Path) -> list[str]:
    """What the message modules of other distributions were generated from."""
    for distribution in MODULES:
        _need(distribution)
    done = subprocess.run(
        [sys.executable, HERE / "scripts" / "installed.py", folder / "set", *MODULES],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    )
    names = done.stdout.split()
    _make(folder / "others", (folder / "set").read_bytes(), names)
    return ["others"]


def _make(out: Path, descriptor_set: bytes, names: list[str]) -> None:
    for name, text in make_files(descriptor_set, names, Layout(names), GENERATED_KINDS).items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for each in (out, *out.rglob("*")):
        if each.is_dir():
            (each / "__init__.py").touch()


# With the least number of modules, and of those of them that came with the .proto files.
SETS = {
    "googleapis": (_google, 60, 60),
    "grpcio-tools": (_tools, 3, 0),
    "modules": (_from_modules, 12, 12),
}


def _run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(SOURCES)))},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("name", SETS)
def test_modules_import_and_stubs_say_what_is_there(name: str, folder: Path) -> None:
    make, modules, originals = SETS[name]
    package = make(folder)[0]
    imported = _run(folder, "-W", "error", "-c", _IMPORT, package)
    assert imported.returncode == 0, imported.stderr
    counts = [int(word) for word in imported.stdout.split()]
    assert counts[0] >= modules
    assert counts[1] >= originals
    checked = _run(folder, "-W", "error", HERE / "scripts" / "stubs.py", package)
    assert checked.returncode == 0, checked.stderr
    assert int(checked.stdout.split()[0]) >= modules


def _finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=_SECONDS)
    assert process.returncode in (0, 1), output + errors
    return output


@pytest.mark.timeout(300)
def test_strict_type_checkers_accept_all(folder: Path, pytestconfig: pytest.Config) -> None:
    for tool in ("mypy", "pyright"):
        if importlib.util.find_spec(tool) is None:
            pytest.skip(f"{tool} is not installed here; type checkers run on one Python")
    packages: list[str] = []
    for make, *_ in SETS.values():
        with contextlib.suppress(pytest.skip.Exception):
            packages += make(folder)
    if not packages:
        pytest.skip("none of the distributions with .proto files is installed here")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    configuration = {
        "typeCheckingMode": "strict",
        # The modules beside them say nothing of types; tests/typing has some checked.
        "include": [f"{package}/**/*.pyi" for package in packages],
        "pythonVersion": version,
        "extraPaths": [str(SOURCES)],
        "reportMissingModuleSource": "none",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(configuration))
    kept = getattr(pytestconfig, "cache", None)
    cache = kept.mkdir("breadth") if kept is not None else folder / "cache"
    # Of what generated code imports, such as Clarion itself, its own checks tell.
    mypy = ["mypy", "--strict", "--enable-error-code=deprecated", "--config-file="]
    mypy += ["--follow-imports=silent"]
    mypy += [f"--python-version={version}", f"--cache-dir={cache / 'mypy'}"]
    mypy += [part for package in packages for part in ("-p", package)]
    commands = (mypy, ["pyright", "--outputjson", f"--project={folder}"])
    environment = {
        **os.environ,
        "MYPYPATH": os.pathsep.join((str(folder), str(SOURCES))),
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    said, report = (_finish(process) for process in running)
    assert said.startswith("Success: no issues found in "), said
    result = json.loads(report)
    stubs = [path for package in packages for path in (folder / package).rglob("*.pyi")]
    assert result["summary"]["filesAnalyzed"] >= len(stubs) > 0
    assert [
        f"{each['file']}:{each['range']['start']['line'] + 1}: {each['message']}"
        for each in result["generalDiagnostics"]
    ] == []
