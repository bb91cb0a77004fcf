"""`python -m soak`; see `soak.run`."""

from __future__ import annotations

import sys
from pathlib import Path

# The messages that prove themselves, and who makes calls with them, are the tests'.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from soak.run import main

sys.exit(main())
