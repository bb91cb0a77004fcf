"""What `import clarion` loads, and that every public name is there when it is used."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

# A child may take a minute, and what became of it is still to be shown.
pytestmark = pytest.mark.timeout(180)

PROGRAM = """
import sys
import {package} as package
heavy = [name for name in ("asyncio", "ssl", "socket", "clarion.http2", "clarion.client_core") if name in sys.modules]
assert not heavy, heavy
for name in package.__all__:
    assert getattr(package, name) is getattr(package, name), name
    assert name in vars(package), name
try:
    package.no_such_name
except AttributeError as error:
    assert str(error) == "module '{package}' has no attribute 'no_such_name'", error
else:
    raise AssertionError("no error")
"""


@pytest.mark.parametrize("package", ["clarion", "clarion.aio"])
def test_an_import_is_light_and_complete(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(package=package)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("package", ["clarion", "clarion.aio"])
def test_a_star_import_has_all(package: str) -> None:
    names: dict[str, object] = {}
    exec(f"from {package} import *", names)
    missing = set(importlib.import_module(package).__all__) - set(names)
    assert missing == set()
