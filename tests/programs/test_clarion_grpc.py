"""The distribution `clarion-grpc`, installed by pip into environments with and without grpcio, in either order.

grpcio's part is played by a wheel made here with its name and the files that matter: what pip and Python's imports do
with two distributions does not depend on the rest.
"""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 100
GRPCIO = "grpcio-9.9.9-py3-none-any.whl"
TELL = "import grpc; print('Clarion' if getattr(grpc, '__clarion__', False) else 'grpcio')"
CHILD = """
import multiprocessing
def work(_):
    import grpc
    return grpc.__clarion__
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [0]))
"""


def call(*command: object) -> tuple[int, str]:
    # Neither the sources nor other environments may be found by chance.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        env={**environment, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def wheels(interpreter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheels of clarion-rpc, clarion-grpc, and a stand-in for grpcio."""
    folder = tmp_path_factory.mktemp("wheels")
    code, output = call(
        *(interpreter, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
        *("--wheel-dir", folder, ROOT, ROOT / "packages/grpc"),
    )
    assert code == 0, output
    with zipfile.ZipFile(folder / GRPCIO, "w") as wheel:
        wheel.writestr("grpc/__init__.py", "from grpc._cython import cygrpc\n")
        wheel.writestr("grpc/_cython/__init__.py", "")
        wheel.writestr("grpc/_cython/cygrpc.cpython-3-none.so", "")
        # Python would load the file above.
        wheel.writestr("grpc/_cython/cygrpc/__init__.py", "")
        info = "grpcio-9.9.9.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: grpcio\nVersion: 9.9.9\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        names = [*wheel.namelist(), f"{info}/RECORD"]
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in names))
    return folder


class Environment:
    """An empty virtual environment, filled by the pip of another."""

    def __init__(self, interpreter: Path, wheels: Path, folder: Path) -> None:
        self._pip = (interpreter, "-m", "pip", "--python", folder)
        self._wheels = wheels
        code, output = call(interpreter, "-m", "venv", "--without-pip", folder)
        assert code == 0, output
        self._python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def pip(self, *arguments: str) -> None:
        code, output = call(*self._pip, *arguments)
        assert code == 0, output

    def install(self, *names: str) -> None:
        found = self._wheels
        options = ("--quiet", "--no-index", "--no-deps", "--no-compile", f"--find-links={found}")
        self.pip("install", *options, *names)

    def uninstall(self, *names: str) -> None:
        self.pip("uninstall", "--quiet", "--yes", *names)

    def python(self, *arguments: object) -> tuple[int, str]:
        return call(self._python, *arguments)

    def check_refusal(self) -> None:
        code, output = self.python("-c", TELL)
        assert code == 1
        last = output.splitlines()[-1]
        assert last.startswith("ImportError: clarion-grpc and grpcio (")
        assert "'pip uninstall grpcio' for Clarion, 'pip uninstall clarion-grpc' for grpcio" in last


@pytest.fixture
def environment(interpreter: Path, wheels: Path, tmp_path: Path) -> Environment:
    return Environment(interpreter, wheels, tmp_path / "venv")


@pytest.mark.timeout(120)
def test_grpcio_comes_to_it(environment: Environment, tmp_path: Path) -> None:
    environment.install("clarion-rpc", "clarion-grpc")
    assert environment.python("-c", TELL) == (0, "Clarion\n")
    imports = "import grpc.aio; from grpc._cython import cygrpc; print(grpc.aio.__clarion__)"
    assert environment.python("-c", imports) == (0, "True\n")
    (tmp_path / "program.py").write_text(CHILD)
    assert environment.python(tmp_path / "program.py") == (0, "[True]\n")

    environment.install("grpcio")
    environment.check_refusal()
    # Nobody is hindered who does not import `grpc`, or says which one is meant.
    assert environment.python("-c", "import clarion.aio") == (0, "")
    choice = f"import clarion; clarion.install_as_grpc(); {TELL}"
    assert environment.python("-c", choice) == (0, "Clarion\n")
    got = environment.python("-m", "clarion.as_grpc", tmp_path / "program.py")
    assert got == (0, "[True]\n")

    environment.uninstall("clarion-grpc")
    assert environment.python("-c", TELL) == (0, "grpcio\n")


@pytest.mark.timeout(120)
def test_it_comes_to_grpcio(environment: Environment) -> None:
    environment.install("clarion-rpc", "grpcio")
    assert environment.python("-c", TELL) == (0, "grpcio\n")
    environment.install("clarion-grpc")
    environment.check_refusal()
    environment.uninstall("grpcio")
    assert environment.python("-c", TELL) == (0, "Clarion\n")
    environment.uninstall("clarion-grpc")
    code, output = environment.python("-c", TELL)
    assert code == 1
    assert "No module named 'grpc'" in output


@pytest.mark.timeout(120)
def test_grpcio_at_another_place_of_the_path(
    environment: Environment, wheels: Path, tmp_path: Path
) -> None:
    environment.install("clarion-rpc", "clarion-grpc")
    other = tmp_path / "other"
    zipfile.ZipFile(wheels / GRPCIO).extractall(other)
    program = f"import sys; sys.path.append({str(other)!r}); {TELL}"
    code, output = environment.python("-c", program)
    assert code == 1
    assert f"({other / 'grpc'})" in output
