"""The soak's judge and its curve, on made-up samples: what grows is found, and what only varies is not."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from soak.curve import curve
from soak.judge import BOUNDS, judge, slope, warm
from soak.samples import MEASURES, Sample

SECONDS = 1800


def samples(seconds: int = SECONDS, **grow: Callable[[float], float]) -> list[Sample]:
    rng = random.Random(1)
    flat = Sample(
        time=0, calls=0, resident=60 << 20, descriptors=20, threads=12, tasks=9, objects=40_000
    )
    found = []
    for second in range(0, seconds, 5):
        values = {
            name: int(getattr(flat, name) + of(second) + rng.uniform(-2, 2))
            for name, of in grow.items()
        }
        found.append(dataclasses.replace(flat, time=1000.0 + second, **values))
    return found


def grew(found: list[Sample]) -> set[str]:
    return {verdict.measure for verdict in judge("one", found) if not verdict.ok}


def test_what_stays_is_fine() -> None:
    rng = random.Random(2)
    assert grew(samples()) == set()
    # It varies, by more than it may grow.
    noisy = samples(
        resident=lambda _: rng.uniform(-12, 12) * (1 << 20), threads=lambda _: rng.randint(0, 9)
    )
    assert grew(noisy) == set()


@pytest.mark.parametrize("measure", MEASURES)
def test_what_grows_is_found(measure: str) -> None:
    rate = BOUNDS[measure].over(SECONDS) * 1.5 / (SECONDS * 0.75)
    found = samples(**{measure: lambda second: rate * second})
    assert grew(found) == {measure}
    [verdict] = [each for each in judge("one", found) if not each.ok]
    assert verdict.hourly == pytest.approx(rate * 3600, rel=0.05)
    assert "GREW" in str(verdict)
    assert measure in str(verdict)


def test_what_grows_while_it_warms_up_is_fine() -> None:
    assert grew(samples(resident=lambda second: min(second, 290) * (1 << 20))) == set()


def test_the_warm_up() -> None:
    assert warm([]) == []
    assert warm(samples(120))[0].time == 1000 + 30
    assert warm(samples(7200))[0].time == 1000 + 300


def test_slopes() -> None:
    assert slope([]) == slope([(1, 5)]) == slope([(1, 5), (1, 9)]) == 0.0
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2.0)
    assert slope([(0, 5), (1, 5), (2, 5)]) == 0.0


def test_nothing_was_sampled() -> None:
    assert grew([]) == set()


@pytest.mark.parametrize("seconds", [10, 120, 1800])
def test_the_curve_is_a_picture(seconds: int) -> None:
    text = curve({"sync <server>": samples(seconds), "aio client": samples(seconds)}, "about & so")
    picture = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    lines = picture.findall(f"{space}polyline")
    assert [len(line.get("points", "").split()) for line in lines] == [seconds // 5] * 2
    words = [each.text for each in picture.findall(f"{space}text")]
    assert {"sync <server>", "aio client", "about & so", "0 MiB"} <= set(words)
    heights = {point.split(",")[1] for point in lines[0].get("points", "").split()}
    # Memory that stays is a flat line.
    assert len(heights) == 1


def test_a_sample_of_this_process() -> None:
    if not Sample.possible():
        pytest.skip("memory and descriptors are read from Linux's /proc")
    sample = Sample.now(7)
    assert sample.calls == 7
    assert min(sample.resident, sample.descriptors, sample.threads, sample.objects) > 0
