"""Check that every relative link in the Markdown files leads to a file and heading that exist.

Rules: only files that git knows or would add are read; links to other sites are not followed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)
_ELSEWHERE = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:")


def _files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return sorted(path for path in set(paths) if path.exists())


def _anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings in `text`."""
    anchors: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        candidate, count = slug, 0
        while candidate in anchors:
            count += 1
            candidate = f"{slug}-{count}"
        anchors.add(candidate)
    return anchors


def _problems(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    prose = _CODE.sub("", _FENCE.sub("", text))
    problems = []
    for link in [*_LINK.findall(prose), *_REFERENCE.findall(prose)]:
        if _ELSEWHERE.match(link):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = path if not name else (ROOT / name[1:] if name[0] == "/" else path.parent / name)
        if not target.exists():
            problems.append(f"{path.relative_to(ROOT)}: no such file: {link}")
        elif anchor and target.suffix == ".md":
            if anchor.lower() not in _anchors(target.read_text(encoding="utf-8")):
                problems.append(f"{path.relative_to(ROOT)}: no such heading: {link}")
    return problems


def main() -> int:
    """Print each broken link; return 1 if there is one."""
    files = _files()
    problems = [problem for path in files for problem in _problems(path)]
    print("\n".join(problems) if problems else f"links in {len(files)} Markdown files are good")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
