"""`python -m clarion.protoc` takes the place of `python -m grpc_tools.protoc`, flag for flag.

The same work can be had in a program: `clarion.protoc.main(arguments)` returns the exit code and
leaves files behind, as `grpc_tools.protoc.main` does (which, unlike this one, wants a program name
as its first argument; such a first argument is ignored).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from clarion.cli.protoc import run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run protoc with Clarion's generator.

    Args:
        arguments: protoc's arguments, such as `["-I.", "--python_out=.", "hello.proto"]`; the
            process's own when None. A leading program name is allowed.

    Returns:
        The exit code, 0 on success. Messages go to standard error.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is not None and given:
        first = given[0]
        if not first.startswith(("-", "@")) and not first.endswith(".proto"):
            del given[0]
    return run(given, prog="python -m clarion.protoc")


if __name__ == "__main__":
    sys.exit(main())
