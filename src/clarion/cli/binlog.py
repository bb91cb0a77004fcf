"""`clarion binlog`: binary logs (gRFC A16) as text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["run"]

# How many calls are remembered, for what their messages are. Their ends are no sign: entries may follow them.
_MOST_CALLS = 100_000


def run(arguments: Sequence[str], *, prog: str = "clarion binlog") -> int:
    """Run the command.

    Args:
        arguments: what follows its name.
        prog: the name that help and errors show.

    Returns:
        0; 1 where a file cannot be read or is damaged; 2 on a usage error.
    """
    parser = argparse.ArgumentParser(prog=prog, description="Binary logs of calls (gRFC A16).")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    show = commands.add_parser("print", help="print the entries of files")
    show.add_argument("files", metavar="FILE", nargs="+", help="a binary log; - is standard input")
    show.add_argument(
        "--method", metavar="PATTERN", help="only methods like this: '/pkg.Service/*'"
    )
    show.add_argument("--call", metavar="ID", type=int, help="only this call")
    show.add_argument(
        "--limit", metavar="N", type=int, default=1000, help="characters of a message"
    )
    show.add_argument(
        "--descriptors",
        metavar="FILE",
        help="a FileDescriptorSet that says what messages are: protoc --include_imports "
        "--descriptor_set_out=FILE",
    )
    show.add_argument("--secrets", action="store_true", help="do not mask tokens and passwords")
    try:
        chosen = parser.parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    try:
        pool = _read_pool(chosen.descriptors) if chosen.descriptors else None
        for file in chosen.files:
            _print(sys.stdin.buffer if file == "-" else file, chosen, pool)
    except BrokenPipeError:
        # Whoever reads has enough, such as `head`.
        sys.stderr.close()
        return 0
    except (OSError, ValueError) as error:
        sys.stdout.flush()
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    return 0


def _print(file: Any, chosen: argparse.Namespace, pool: Any) -> None:
    from clarion.binary_log import describe, read
    from clarion.wire_trace.masking import Masking

    masking = Masking((), ()) if chosen.secrets else Masking()
    methods: dict[tuple[int, int], str] = {}
    for entry in read(file):
        call = entry.logger, entry.call_id
        if entry.client_header.method_name:
            if len(methods) >= _MOST_CALLS:
                del methods[next(iter(methods))]
            methods[call] = entry.client_header.method_name
        method = methods.get(call, "")
        if chosen.call not in (None, entry.call_id):
            continue
        if chosen.method is None or fnmatchcase(method, chosen.method):
            print(describe(entry, method=method, limit=chosen.limit, masking=masking, pool=pool))


def _read_pool(path: str) -> Any:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import DecodeError

    with open(path, "rb") as file:
        content = file.read()
    pool = DescriptorPool()
    try:
        for each in FileDescriptorSet.FromString(content).file:
            pool.AddSerializedFile(each.SerializeToString())
    except (DecodeError, TypeError) as error:
        raise ValueError(f"{path} is not a FileDescriptorSet with all imports: {error}") from None
    return pool
