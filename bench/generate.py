"""Time `clarion generate` against grpcio-tools with mypy-protobuf, and the import of what they generate.

    python bench/generate.py [--files 500] [--rounds 3]

Makes .proto files in a temporary folder: messages with scalars, maps, oneofs, enums and nested types, services, imports
across files and folders, comments. Both generators then make the same kinds of files from them, in turns: message
modules, their types, services' modules and their types. Each process is timed from start to end, and the best round
counts. Importing is timed in fresh processes with compiled files at hand, also in turns: all message modules in one
process. Prints both times and Clarion's part of the other's; a ratio below 1 means that Clarion is quicker.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = 20

_HEAD = """\
syntax = "proto3";
package bench.f{folder};
{imports}
import "google/protobuf/timestamp.proto";
"""
_BODY = """
// The state of a thing.
enum State{n} {{
  STATE{n}_UNKNOWN = 0;  // Nobody knows.
  STATE{n}_ON = 1;
  STATE{n}_OFF = 2;
}}

// A thing that is measured.
message Thing{n} {{
  // What it is called.
  string name = 1;
  int64 number = 2;
  repeated double values = 3;
  map<string, int32> counts = 4;
  oneof source {{
    string url = 5;
    bytes content = 6;
  }}
  optional bool is_hidden = 7;
  State{n} state = 8;
  google.protobuf.Timestamp changed_at = 9;
  message Part {{
    string part_name = 1;
    repeated Part parts = 2;
    State{n} state = 3;
  }}
  repeated Part parts = 10;
  map<int32, Part> parts_by_number = 11;
{fields}
}}

// Asks for things.
message ListThings{n}Request {{
  int32 page_size = 1;
  string page_token = 2;
}}

message ListThings{n}Response {{
  repeated Thing{n} things = 1;
  string next_page_token = 2;
}}

// Keeps things.
service Things{n} {{
  // Gives one thing.
  rpc Get(ListThings{n}Request) returns (Thing{n});
  rpc List(ListThings{n}Request) returns (ListThings{n}Response);
  // Tells what changes.
  rpc Watch(ListThings{n}Request) returns (stream Thing{n});
  rpc Put(stream Thing{n}) returns (ListThings{n}Response);
  rpc Sync(stream Thing{n}) returns (stream Thing{n});
}}
"""


def _name(number: int) -> str:
    return f"bench/f{number % FOLDERS}/thing_{number}.proto"


def make_protos(folder: Path, count: int) -> None:
    """Write `count` .proto files below `folder`."""
    for number in range(count):
        others = [number - step for step in (1, 7, 20) if number >= step]
        path = folder / _name(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        head = _HEAD.format(
            folder=number % FOLDERS,
            imports="\n".join(f'import "{_name(other)}";' for other in others),
        )
        fields = "\n".join(
            f"  bench.f{other % FOLDERS}.Thing{other} other_{other} = {20 + index};"
            for index, other in enumerate(others)
        )
        path.write_text(head + _BODY.format(n=number, fields=fields), encoding="utf-8")


def _timed(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:6])} failed:\n{done.stderr[-2000:]}")
    return took


def _fresh(folder: Path, name: str) -> Path:
    number = 0
    while (folder / f"{name}{number}").exists():
        number += 1
    made = folder / f"{name}{number}"
    made.mkdir()
    return made


def _report(what: str, ours: list[float], theirs: list[float]) -> None:
    best, other = min(ours), min(theirs)
    print(f"{what:34} {best:8.3f} s  {other:8.3f} s  {best / other:6.2f}x", flush=True)


def _generate(folder: Path, count: int, rounds: int) -> tuple[Path, Path]:
    names = [_name(number) for number in range(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    ours, theirs = [], []
    (folder / "names").write_text("\n".join(names), encoding="utf-8")
    for _ in range(rounds):
        out = _fresh(folder, "clarion")
        command = [sys.executable, "-m", "clarion", "generate", "protos", f"--out={out}"]
        ours.append(_timed([*command, "--no-relative"], folder, environment))
        tools = _fresh(folder, "tools")
        kinds = ("python", "grpc_python", "mypy", "mypy_grpc")
        command = [sys.executable, "-m", "grpc_tools.protoc", "-Iprotos"]
        command += [f"--{kind}_out={tools}" for kind in kinds]
        theirs.append(_timed([*command, *names], folder, environment))
    _report(f"generate from {count} files", ours, theirs)
    return out, tools


def _imports(out: Path, tools: Path, count: int, rounds: int) -> None:
    modules = [_name(number).replace("/", ".")[: -len(".proto")] for number in range(count)]
    for suffix, name in (("_pb2", "message modules"), ("_pb2_grpc", "services' modules")):
        program = f"import time, sys; sys.path[:0] = ['.', {str(ROOT / 'src')!r}]\n"
        # Libraries are not what is compared.
        program += "import google.protobuf.timestamp_pb2, clarion, grpc\n"
        program += "started = time.perf_counter()\n"
        program += "".join(f"import {module}{suffix}\n" for module in modules)
        program += "print(time.perf_counter() - started)"
        times: dict[Path, list[float]] = {out: [], tools: []}
        for _ in range(rounds + 1):
            for folder, taken in times.items():
                done = subprocess.run(
                    [sys.executable, "-c", program],
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    raise SystemExit(f"import from {folder} failed:\n{done.stderr[-2000:]}")
                taken.append(float(done.stdout))
        # The first import compiles.
        _report(f"import {count} {name}", times[out][1:], times[tools][1:])


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    for module in ("grpc_tools", "mypy_protobuf", "grpc"):
        if importlib.util.find_spec(module) is None:
            print(f"skipped: {module} is not in this environment")
            return 0
    with tempfile.TemporaryDirectory(prefix="clarion-bench-") as name:
        folder = Path(name)
        make_protos(folder / "protos", args.files)
        print(f"{'':34} {'clarion':>10}  {'peer':>10}  ratio")
        out, tools = _generate(folder, args.files, args.rounds)
        _imports(out, tools, args.files, args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
