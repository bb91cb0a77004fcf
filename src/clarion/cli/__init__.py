"""The `clarion` command.

Rule: a subcommand's module is imported only when that subcommand runs, so that `clarion --version`
and shell completion stay quick.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from clarion._version import __version__

__all__ = ["main"]

_BINLOG_HELP = "show binary logs of calls"
_CHANNELZ_HELP = "show the channels, servers and connections of a running process"
_GENERATE_HELP = "turn a tree of .proto files into an importable, typed package"
_HEALTH_HELP = "ask a server for its health, as a probe"
_STUBS_HELP = "write types beside .proto files that are imported without generated code"
_PROTOC_HELP = "protoc, with its own flags and --grpc_python_out"


def main(arguments: Sequence[str] | None = None, *, prog: str = "clarion") -> int:
    """Run the command line.

    Args:
        arguments: what follows the program's name; the process's own when None.
        prog: the name that help and errors show.

    Returns:
        The exit code: 0 on success, 2 on a usage error, else the subcommand's own.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["protoc"]:
        # Everything after it is protoc's, also --help and --version: argparse must not see it.
        from clarion.cli.protoc import run

        return run(given[1:], prog=f"{prog} protoc")
    if given[:1] == ["binlog"]:
        from clarion.cli.binlog import run as binlog

        return binlog(given[1:], prog=f"{prog} binlog")
    if given[:1] == ["channelz"]:
        from clarion.cli.channelz import run as channelz

        return channelz(given[1:], prog=f"{prog} channelz")
    if given[:1] == ["generate"]:
        from clarion.cli.generate import run as generate

        return generate(given[1:], prog=f"{prog} generate")
    if given[:1] == ["health"]:
        from clarion.cli.health import run as health

        return health(given[1:], prog=f"{prog} health")
    if given[:1] == ["stubs"]:
        from clarion.cli.stubs import run as stubs

        return stubs(given[1:], prog=f"{prog} stubs")

    parser = argparse.ArgumentParser(prog=prog, description="gRPC for Python, in Python.")
    parser.add_argument("--version", action="version", version=f"clarion {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    commands.add_parser("binlog", help=_BINLOG_HELP, add_help=False)
    commands.add_parser("channelz", help=_CHANNELZ_HELP, add_help=False)
    commands.add_parser("generate", help=_GENERATE_HELP, add_help=False)
    commands.add_parser("health", help=_HEALTH_HELP, add_help=False)
    commands.add_parser("protoc", help=_PROTOC_HELP, add_help=False)
    commands.add_parser("stubs", help=_STUBS_HELP, add_help=False)
    try:
        parser.parse_args(given)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    parser.print_help()
    return 0
