"""What became of each test can be written down as a run goes."""

from __future__ import annotations

pytest_plugins = ["support.run_record"]
