"""Draws memory over time as an SVG: a line for each process, the warm-up shaded.

Rules: it starts at 0, so that a flat line looks flat; light and dark follow the reader's setting; no script, no font file,
no link.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from soak.judge import warm
from soak.samples import Sample

__all__ = ["curve"]

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 84, 44
_MIB = 1 << 20

STYLE = """
text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:17px;font-weight:600}
.small{font-size:12px;fill:#59636e}.grid{stroke:#d1d9e0}.back{fill:#fff}.warm{fill:#d1d9e0;opacity:.35}
polyline{fill:none;stroke-width:2}.l0{stroke:#0969da}.l1{stroke:#1a7f37}.l2{stroke:#bf8700}.l3{stroke:#8250df}
.b0{fill:#0969da}.b1{fill:#1a7f37}.b2{fill:#bf8700}.b3{fill:#8250df}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}.grid{stroke:#3d444d}.back{fill:#0d1117}
.warm{fill:#3d444d}.l0{stroke:#4493f8}.l1{stroke:#3fb950}.l2{stroke:#d29922}.l3{stroke:#ab7df8}
.b0{fill:#4493f8}.b1{fill:#3fb950}.b2{fill:#d29922}.b3{fill:#ab7df8}}
"""


def _step(most: float, lines: int) -> float:
    """A round step that needs about so many lines up to `most`."""
    rough = most / lines
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= rough)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="grid"/>'


def curve(processes: Mapping[str, Sequence[Sample]], about: str) -> str:
    """The SVG text. `about` is the line below the title; there is one sample at least."""
    everything = [sample for samples in processes.values() for sample in samples]
    start = min(sample.time for sample in everything)
    length = max(max(sample.time for sample in everything) - start, 1.0)
    most = max(sample.resident for sample in everything) / _MIB * 1.1
    bottom = HEIGHT - BOTTOM

    def across(seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / length

    def up(mib: float) -> float:
        return bottom - (bottom - TOP) * mib / most

    title = "Soak: memory of each process"
    attributes = (
        f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-label="{title}"'
    )
    parts = [
        f"<svg {attributes}>",
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" class="back"/>',
        _text(16, 28, title, "title"),
        _text(16, 48, about, "small"),
    ]
    warmed = min(warm(samples)[0].time for samples in processes.values() if samples) - start
    parts.append(
        f'<rect x="{LEFT}" y="{TOP}" width="{across(warmed) - LEFT:.1f}" height="{bottom - TOP}" class="warm"/>'
    )
    step = _step(most, 5)
    for number in range(int(most / step) + 1):
        parts.append(_line(LEFT, up(number * step), WIDTH - RIGHT, up(number * step)))
        parts.append(
            _text(LEFT - 8, up(number * step) + 4, f"{number * step:g} MiB", "small", "end")
        )
    unit, name = (60.0, "min") if length >= 300 else (1.0, "s")
    step = _step(length / unit, 8)
    for number in range(int(length / unit / step) + 1):
        x = across(number * step * unit)
        parts.append(_text(x, bottom + 20, f"{number * step:g} {name}", "small", "middle"))
    x = float(LEFT)
    for number, (process, samples) in enumerate(processes.items()):
        points = " ".join(
            f"{across(each.time - start):.1f},{up(each.resident / _MIB):.1f}" for each in samples
        )
        parts.append(f'<polyline points="{points}" class="l{number % 4}"/>')
        parts.append(f'<rect x="{x:.1f}" y="62" width="12" height="12" class="b{number % 4}"/>')
        parts.append(_text(x + 17, 72, process, "small"))
        x += 40 + 6.6 * len(process)
    return "\n".join([*parts, "</svg>", ""])
