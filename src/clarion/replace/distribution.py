"""What `importlib.metadata` tells of grpcio where Clarion stands in its place and grpcio is not installed.

Libraries that instrument others ask for it before they do anything. The answer is the version whose API this is, and
the summary says who answers. There are no files, no dependencies and no entry points.
"""

from __future__ import annotations

from importlib.metadata import Distribution
from pathlib import Path

from clarion import replace

__all__ = ["Grpcio"]


class Grpcio(Distribution):
    """A distribution without files."""

    def read_text(self, filename: str) -> str | None:
        """The metadata; None for every other file."""
        if filename != "METADATA":
            return None
        return (
            "Metadata-Version: 2.1\n"
            "Name: grpcio\n"
            f"Version: {replace.GRPC_VERSION}\n"
            "Summary: Clarion (clarion-rpc) in the place of grpcio\n"
        )

    def locate_file(self, path: object) -> Path:
        """The place of a file, if there were one."""
        return Path(replace.FOLDER, str(path))
