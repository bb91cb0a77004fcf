"""Generate anew what is committed of generated code, or check that nothing would change.

    python tools/regenerate.py [--check]

That is the golden files of the generator. Each says in its first line from which .proto file it is; its name says what it
is. With `--check`, the exit code is 1 if a file differs, or if nothing generates it any more.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from clarion.cli._compile import CompileError, compile_files  # noqa: E402
from clarion.cli._generation import GENERATED_KINDS, make_files  # noqa: E402
from clarion.cli._proto_files import find_proto_files  # noqa: E402
from clarion.cli._protoc_binary import ProtocNotFoundError  # noqa: E402
from clarion.cli._settings import Settings  # noqa: E402
from clarion.codegen import generate, generate_types  # noqa: E402
from clarion.codegen.layout import Layout  # noqa: E402

__all__ = ["main"]

_SUFFIX = ".txt"


@dataclass(frozen=True)
class _Tree:
    """A folder of .proto files, and where their golden files are.

    Attributes:
        package: what the names of files start with that import each other relatively.
        every: all message modules are golden files, and nothing else; if not, those that are there are.
    """

    protos: Path
    golden: Path
    package: str
    every: bool

    def generate(self) -> dict[str, str]:
        """The text of each file that is, or can be, a golden file."""
        files = find_proto_files(Settings(paths=(self.protos,), base=self.protos), ROOT)
        names = list(files.names)
        layout = Layout(name for name in names if name.startswith(self.package))
        kinds = ("messages",) if self.every else GENERATED_KINDS
        descriptor_set = compile_files(files, ROOT).descriptor_set
        made = make_files(descriptor_set, names, layout, kinds)
        if not self.every:
            # `clarion protoc` writes these for files without services, too.
            made |= generate(descriptor_set, names, layout)
            made |= generate_types(descriptor_set, names, layout)
        return made

    def committed(self, others: list[Path]) -> list[str]:
        """The golden files that are there, by the path of what they are the text of."""
        return sorted(
            path.relative_to(self.golden).as_posix().removesuffix(_SUFFIX)
            for path in self.golden.rglob(f"*{_SUFFIX}")
            if not any(path.is_relative_to(other) for other in others)
        )


_TESTS = ROOT / "tests/codegen"
_TREES = (
    _Tree(_TESTS / "protos", _TESTS / "golden", "typed/", every=False),
    _Tree(_TESTS / "modules", _TESTS / "golden/modules", "", every=True),
)


def _work(tree: _Tree, check: bool) -> list[str]:
    """Write the golden files of `tree`, or only compare; return what is wrong."""
    inner = [other.golden for other in _TREES if other.golden.is_relative_to(tree.golden)]
    committed = tree.committed([one for one in inner if one != tree.golden])
    texts = tree.generate()
    wrong = []
    for name in sorted({*committed, *(texts if tree.every else ())}):
        path = tree.golden / f"{name}{_SUFFIX}"
        text = texts.get(name)
        shown = path.relative_to(ROOT)
        if text is None:
            wrong.append(f"{shown}: nothing generates this any more")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            if check:
                wrong.append(f"{shown}: differs from what is generated now")
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{shown}: written")
    return wrong


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args()
    try:
        wrong = [line for tree in _TREES for line in _work(tree, args.check)]
    except ProtocNotFoundError as error:
        print(f"generated code: not checked, {error}")
        return 0
    except CompileError as error:
        print(error, file=sys.stderr)
        return 1
    for line in wrong:
        print(line)
    if wrong and args.check:
        print("`make regenerate` writes them anew")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
