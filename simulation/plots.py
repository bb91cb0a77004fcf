"""Line charts as SVG. Light and dark follow the reader's setting; no script, no font file, no link."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

__all__ = ["chart"]

WIDTH, HEIGHT = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 66, 44

STYLE = """
text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-size:15px;font-weight:600}
.small{fill:#59636e}.grid{stroke:#d1d9e0}.mark{stroke:#59636e;stroke-dasharray:4 3}.back{fill:#fff}
.line{fill:none;stroke-width:1.8}.c0{stroke:#0969da}.c1{stroke:#cf222e}.c2{stroke:#1a7f37}.c3{stroke:#8250df}
.c4{stroke:#bf8700}.c5{stroke:#1b7c83}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}.grid{stroke:#3d444d}.mark{stroke:#9198a1}
.back{fill:#0d1117}.c0{stroke:#4493f8}.c1{stroke:#f85149}.c2{stroke:#3fb950}.c3{stroke:#ab7df8}.c4{stroke:#d29922}
.c5{stroke:#39c5cf}}
"""


def _step(span: float) -> float:
    """A round distance of grid lines: five to ten of them."""
    power = 10.0 ** math.floor(math.log10(span / 5))
    return next(power * each for each in (1, 2, 5, 10) if span / (power * each) <= 8)


def _ticks(high: float) -> list[float]:
    step = _step(high)
    return [step * number for number in range(int(high / step + 1e-9) + 1)]


def chart(
    title: str,
    across: str,
    up: str,
    times: Sequence[float],
    series: Mapping[str, Sequence[float]],
    marks: Mapping[float, str] | None = None,
) -> str:
    """The SVG text.

    Args:
        title: what is shown.
        across, up: what the axes are.
        times: the places on the first of them.
        series: lines by name, with a value for each place.
        marks: places with a word about them.
    """
    right = max(times)
    high = max(max(values) for values in series.values()) * 1.05 or 1.0

    def x(value: float) -> float:
        return LEFT + value / right * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / high * (HEIGHT - TOP - BOTTOM)

    def text(
        at: float, down: float, words: str, kind: str = "small", anchor: str = "middle"
    ) -> str:
        return (
            f'<text x="{at:.1f}" y="{down:.1f}" text-anchor="{anchor}" class="{kind}">'
            f"{escape(words)}</text>"
        )

    def line(one: tuple[float, float], other: tuple[float, float], kind: str) -> str:
        return (
            f'<line x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{other[0]:.1f}" y2="{other[1]:.1f}"'
            f' class="{kind}"/>'
        )

    size = f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(title)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {size}>',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" class="back"/>',
        text(16, 24, title, "title", "start"),
        text(WIDTH - RIGHT, HEIGHT - 10, across, anchor="end"),
        text(16, TOP - 10, up, anchor="start"),
    ]
    for tick in _ticks(high):
        parts.append(line((LEFT, y(tick)), (WIDTH - RIGHT, y(tick)), "grid"))
        parts.append(text(LEFT - 6, y(tick) + 4, f"{tick:g}", anchor="end"))
    parts += [text(x(tick), HEIGHT - BOTTOM + 16, f"{tick:g}") for tick in _ticks(right)]
    for at, words in (marks or {}).items():
        parts.append(line((x(at), TOP), (x(at), HEIGHT - BOTTOM), "mark"))
        parts.append(text(x(at) + 4, TOP + 10, words, anchor="start"))
    place = float(LEFT + 130)
    for number, (name, values) in enumerate(series.items()):
        kind = f"line c{number % 6}"
        points = " ".join(f"{x(at):.1f},{y(v):.1f}" for at, v in zip(times, values, strict=True))
        parts.append(f'<polyline points="{points}" class="{kind}"/>')
        parts.append(line((place, 41), (place + 18, 41), kind))
        parts.append(text(place + 23, 45, name, "small", "start"))
        place += 42 + 6.6 * len(name)
    return "\n".join([*parts, "</svg>", ""])
