"""`python -m clarion` is the `clarion` command."""

from __future__ import annotations

import sys

from clarion.cli import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m clarion"))
