"""Compare Clarion's public API with grpcio's, name by name and signature by signature.

    compare_surface.py            write docs/api-comparison.md
    compare_surface.py --check    exit with 1 if that page, or the list of exceptions, is out of date
    compare_surface.py --refresh  read the installed grpcio into tools/grpcio_surface.json first

grpcio's side is kept in a file, so that the comparison needs no grpcio and a new release of it changes nothing until
somebody looks at it. `tools/surface_exceptions.toml` says why a name is missing or differs; what it does not list is
an error, and so is what it lists without need.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from surface import Entry, Surface, read, show_signature

__all__ = ["Comparison", "Row", "clarion_surface", "compare", "grpcio_surface", "load", "page"]

_HERE = Path(__file__).parent
SNAPSHOT = _HERE / "grpcio_surface.json"
EXCEPTIONS = _HERE / "surface_exceptions.toml"
PAGE = _HERE.parent / "docs" / "api-comparison.md"

MODULES = [
    "grpc",
    "grpc.aio",
    "grpc.experimental",
    "grpc.experimental.gevent",
    "grpc.experimental.session_cache",
]
# Documented or used by programs, although `__all__` does not have them.
_EXTRA = {
    "grpc.experimental": [
        "CustomPrivateKeySign",
        "PrivateKeySignCancel",
        "PrivateKeySignOnComplete",
        "PrivateKeySignatureAlgorithm",
        "experimental_api",
    ],
}
_LIBRARY = "clarion"


@dataclass
class Row:
    """One name of grpcio's.

    Attributes:
        name: such as `grpc.Channel.close`.
        shape: its signature or value, or nothing.
        differs: how Clarion's differs; empty if it does not.
        missing: whether Clarion has none.
        reason: why, from the list of exceptions.
    """

    name: str
    shape: str = ""
    differs: str = ""
    missing: bool = False
    reason: str = ""


@dataclass
class Comparison:
    """All names of one module, and what is wrong with the list of exceptions."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def grpcio_surface() -> tuple[str, Surface]:
    """Version and surface of the installed grpcio."""
    import grpc

    return str(grpc.__version__), read(MODULES, "grpc", _EXTRA)


def clarion_surface() -> Surface:
    """Clarion's surface, by grpcio's names of the modules."""
    extra = {module.replace("grpc", _LIBRARY, 1): names for module, names in _EXTRA.items()}
    ours = read([module.replace("grpc", _LIBRARY, 1) for module in MODULES], _LIBRARY, extra)
    return {module.replace(_LIBRARY, "grpc", 1): names for module, names in ours.items()}


def load() -> tuple[str, Surface, dict[str, str]]:
    """grpcio's version and surface from the file, and the reasons for exceptions."""
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    with EXCEPTIONS.open("rb") as file:
        reasons: dict[str, str] = tomllib.load(file)["reasons"]
    return snapshot["version"], snapshot["modules"], reasons


def compare(theirs: Surface, ours: Surface, reasons: dict[str, str]) -> Comparison:
    """Compare two surfaces.

    Args:
        theirs: grpcio's.
        ours: Clarion's.
        reasons: why a name is missing or differs. A name covers its members.
    """
    comparison = Comparison()
    unused = set(reasons)
    for module, names in theirs.items():
        rows = comparison.rows[module] = []
        for name, entry in names.items():
            rows += _rows(f"{module}.{name}", entry, ours.get(module, {}).get(name))
        for row in rows:
            if not (row.missing or row.differs):
                continue
            covering = _covering(row.name, reasons)
            if covering is None:
                how = "is missing" if row.missing else f"differs: {row.differs}"
                comparison.problems.append(f"{row.name} {how}; tools/{EXCEPTIONS.name} says no why")
            else:
                row.reason = reasons[covering]
                unused.discard(covering)
    comparison.problems += [
        f"{name} is in tools/{EXCEPTIONS.name}, but is neither missing nor different"
        for name in sorted(unused)
    ]
    return comparison


def _covering(name: str, reasons: dict[str, str]) -> str | None:
    while name:
        if name in reasons:
            return name
        name = name.rpartition(".")[0]
    return None


def _rows(name: str, theirs: Entry, ours: Entry | None) -> list[Row]:
    row = Row(name, _shape(theirs))
    if ours is None:
        row.missing = True
        return [row]
    rows = [row]
    differences: list[str] = []
    if theirs["kind"] != ours["kind"]:
        differences.append(f"is {_article(ours['kind'])}, not {_article(theirs['kind'])}")
    elif theirs["kind"] == "function":
        differences += _differences(theirs, ours)
    elif theirs["kind"] == "enum":
        differences += _values(theirs["values"], ours["values"])
    if theirs["kind"] in ("class", "enum"):
        lost = [each for each in theirs["is"] if each not in ours.get("is", ())]
        if lost:
            differences.append(f"is no {', no '.join(lost)}")
    if theirs["kind"] == "class" and ours["kind"] == "class":
        demanded = sorted(set(ours["abstract"]) - set(theirs["abstract"]))
        if demanded:
            differences.append(f"abstract besides: {', '.join(demanded)}")
        for member, entry in theirs["members"].items():
            rows += _rows(f"{name}.{member}", entry, ours["members"].get(member))
    row.differs = "; ".join(differences)
    return rows


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _shape(entry: Entry) -> str:
    if entry["kind"] == "function":
        prefix = "async " if entry.get("async") else ""
        return prefix + (show_signature(entry["signature"]) if "signature" in entry else "(...)")
    if entry["kind"] == "enum":
        return ", ".join(entry["values"])
    return str(entry["kind"])


def _differences(theirs: Entry, ours: Entry) -> list[str]:
    found: list[str] = []
    if bool(theirs.get("async")) != bool(ours.get("async")):
        found.append("a coroutine function" if ours.get("async") else "not a coroutine function")
    # What is written in C does not always tell its signature.
    if "signature" in theirs and "signature" in ours and theirs["signature"] != ours["signature"]:
        found.append(f"takes `{show_signature(ours['signature'])}`")
    return found


def _values(theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    found = [f"has no {name}" for name in theirs if name not in ours]
    found += [
        f"{name} is {ours[name]}, not {value}"
        for name, value in theirs.items()
        if name in ours and ours[name] != value
    ]
    return found


def page(version: str, comparison: Comparison, ours: Surface, theirs: Surface) -> str:
    """The page as Markdown."""
    rows = [row for rows in comparison.rows.values() for row in rows]
    missing = sum(row.missing for row in rows)
    differ = sum(bool(row.differs) for row in rows)
    lines = [
        "# Clarion's API and grpcio's",
        "",
        "<!-- Written by `make surface`; do not edit. Reasons are in tools/surface_exceptions.toml. -->",
        "",
        f"Every public name of grpcio {version}, with its members and signatures, beside Clarion's of the same name.",
        f"Of {len(rows)} names, these are the same: {len(rows) - missing - differ}, different: {differ}, not there: {missing}.",
        "",
        "`grpc` stands for `clarion`, as it does after `clarion.install_as_grpc()`. Abstract methods are compared too: a",
        "class that a program derives from asks for no more than grpcio's does.",
    ]
    for module, module_rows in comparison.rows.items():
        lines += ["", f"## {module}", "", "| name | grpcio's | Clarion's |", "|---|---|---|"]
        lines += [_line(row, module) for row in module_rows]
    lines += ["", "## Only Clarion has", ""]
    for module, names in ours.items():
        more = sorted(set(names) - set(theirs.get(module, ())))
        if more:
            listed = ", ".join(f"`{name}`" for name in more)
            lines.append(f"- `{module.replace('grpc', _LIBRARY, 1)}`: {listed}")
    return "\n".join(lines) + "\n"


def _line(row: Row, module: str) -> str:
    name = row.name.removeprefix(module + ".")
    verdict = "same"
    if row.missing:
        verdict = f"not there: {row.reason}"
    elif row.differs:
        verdict = f"{row.differs}: {row.reason}"
    shape = f"`{row.shape}`" if row.shape else ""
    return f"| `{name}` | {shape} | {verdict} |".replace("  ", " ")


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Compare Clarion's API with grpcio's.")
    parser.add_argument("--check", action="store_true", help="change nothing, report drift")
    parser.add_argument("--refresh", action="store_true", help="read the installed grpcio first")
    arguments = parser.parse_args()
    if arguments.refresh:
        version, modules = grpcio_surface()
        text = json.dumps({"version": version, "modules": modules}, indent=1, sort_keys=True)
        SNAPSHOT.write_text(text + "\n", encoding="utf-8")
    version, theirs, reasons = load()
    ours = clarion_surface()
    comparison = compare(theirs, ours, reasons)
    text = page(version, comparison, ours, theirs)
    problems = comparison.problems
    if not arguments.check:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        problems.append(f"docs/{PAGE.name} is out of date; run 'make surface'")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
