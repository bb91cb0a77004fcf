"""Runs a program, and proves afterwards that Clarion was the only `grpc` in its process.

python -m clarion.as_grpc run.py SCRIPT ARGUMENTS
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from clarion.replace import FOLDER


def prove() -> None:
    loaded = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "grpc"}
    assert loaded["grpc"].__clarion__
    for name, module in loaded.items():
        assert Path(FOLDER) in Path(module.__file__).parents, f"{name} is {module.__file__}"
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        assert "cygrpc" not in file or file.endswith(".py"), f"{name} is {file}"


if __name__ == "__main__":
    # From here on the script sees what it would see as the main program.
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
    prove()
    print("ran on Clarion alone")
