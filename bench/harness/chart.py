"""Draws the ratios as an SVG: a bar for each row, log scale, target and grpc-go marked.

Rules: above 1 is always better; light and dark follow the reader's setting; no script, no font
file, no link.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from bench.harness.ratios import Row
from bench.harness.table import number

__all__ = ["chart"]

WIDTH = 960
LEFT = 350
RIGHT = 80
TOP = 84
LINE = 24
BAR = 14
BOTTOM = 34

STYLE = """
text{font:13px
system-ui,sans-serif;fill:#1f2328}.title{font-size:17px;font-weight:600}
.small{font-size:12px;fill:#59636e}.grid{stroke:#d1d9e0}.one{stroke:#59636e;stroke-width:1.5}
.pass{fill:#1a7f37}.fail{fill:#cf222e}
.none{fill:#0969da}.target{stroke:#1f2328;stroke-width:2.5}
.go{fill:#bf8700;stroke:#fff}.back{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}
.grid{stroke:#3d444d}.one{stroke:#9198a1}.pass{fill:#3fb950}.fail{fill:#f85149}.none{fill:#4493f8}.target{stroke:#f0f6fc}
.go{fill:#d29922;stroke:#0d1117}
.back{fill:#0d1117}}
"""

LEGEND = (
    ("pass", "target reached"),
    ("fail", "not reached"),
    ("none", "no target"),
)


def _span(rows: Sequence[Row]) -> tuple[float, float]:
    """The ends of the scale: powers of ten around all that is drawn, and around 1."""
    drawn = [1.0]
    for row in rows:
        drawn += [value for value in (row.advantage, row.target_advantage, _go(row)) if value]
    return 10.0 ** math.floor(math.log10(min(drawn))), 10.0 ** math.ceil(
        math.log10(max(*drawn, 1.1))
    )


def _go(row: Row) -> float | None:
    """Where grpc-go stands on the row's scale, whose 1 is grpcio."""
    ours, against = row.advantage, row.turned(row.peers.get("grpc-go"))
    return ours / against if ours and against else None


def _ticks(low: float, high: float) -> list[float]:
    ticks = []
    decade = low
    while decade <= high * 1.0001:
        ticks += [decade * step for step in (1, 2, 5) if decade * step <= high * 1.0001]
        decade *= 10
    return ticks


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def _box(x: float, y: float, width: float, height: float, kind: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} rx="2" class="{kind}"/>'


def _line(x: float, top: float, bottom: float, kind: str) -> str:
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}" class="{kind}"/>'


def _legend() -> list[str]:
    parts, x, y = [], float(LEFT), 56.0
    for kind, words in LEGEND:
        parts.append(_box(x, y - 10, 12, 12, kind))
        parts.append(_text(x + 17, y, words, "small"))
        x += 36 + 6.6 * len(words)
    parts += [_line(x + 2, y - 12, y + 4, "target"), _text(x + 11, y, "target", "small")]
    x += 66
    parts.append(f'<circle cx="{x:.1f}" cy="{y - 4:.1f}" r="5" class="go"/>')
    parts.append(_text(x + 11, y, "grpc-go, GOMAXPROCS=1", "small"))
    return parts


def chart(rows: Sequence[Row]) -> str:
    """The SVG text; rows without a ratio are left out."""
    shown = [row for row in rows if row.advantage]
    low, high = _span(shown)
    bottom = TOP + LINE * len(shown)
    height = bottom + BOTTOM

    def place(value: float) -> float:
        share = (math.log10(value) - math.log10(low)) / (math.log10(high) - math.log10(low))
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    title = "Clarion against the best of grpcio: times better"
    attributes = (
        f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="{title}"'
    )
    parts = [
        f"<svg {attributes}>",
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        _box(0, 0, WIDTH, height, "back"),
        _text(16, 28, title, "title"),
        _text(16, 56, "log scale, right of 1x is better", "small"),
        *_legend(),
    ]
    for tick in _ticks(low, high):
        parts.append(_line(place(tick), TOP - 4, bottom, "one" if tick == 1 else "grid"))
        parts.append(_text(place(tick), bottom + 18, f"{tick:g}x", "small", "middle"))
    for index, row in enumerate(shown):
        parts += _bar(row, TOP + LINE * index, place)
    if not shown:
        parts.append(_text(16, TOP - 6, "No ratio could be taken in this run.", "small"))
    return "\n".join([*parts, "</svg>", ""])


def _bar(row: Row, top: float, place: Callable[[float], float]) -> list[str]:
    advantage = row.advantage or 1.0
    middle = top + LINE / 2
    start, end = sorted((place(1.0), place(advantage)))
    kind = {"pass": "pass", "": "none"}.get(row.result, "fail")
    label = f"{row.title} ({row.label})" if row.label else row.title
    parts = [
        _text(LEFT - 12, middle + 4.5, label, anchor="end"),
        _box(start, middle - BAR / 2, max(end - start, 1), BAR, kind),
    ]
    marks = [end]
    if row.target_advantage:
        parts.append(_line(place(row.target_advantage), middle - 10, middle + 10, "target"))
        marks.append(place(row.target_advantage))
    go = _go(row)
    if go:
        parts.append(f'<circle cx="{place(go):.1f}" cy="{middle:.1f}" r="5" class="go"/>')
        marks.append(place(go))
    parts.append(_text(max(marks) + 9, middle + 4.5, number(advantage), "small"))
    return parts
