"""A picture of many steps is drawn from some of them, and looks as if it were drawn from all."""

from __future__ import annotations

import re
from random import Random

import polars as pl
import pytest

from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.charts.svg.drawing import drawn
from dealdb.charts.svg.forms import thinning

WIDTH = 300.0


def falling(n: int, seed: int) -> pl.DataFrame:
    random = Random(seed)
    rows, left = list[dict[str, object]](), {"a": 1.0, "b": 1.0}
    for x in sorted(random.randrange(900) * 1.0 for _ in range(n)):
        name = random.choice("ab")
        left[name] *= 1 - random.random() / n
        value = None if random.random() < 0.0005 else left[name]
        rows.append({"x": x, "value": value, "series": name, "low": left[name] / 2, "high": 0.99})
    return pl.DataFrame(rows, infer_schema_length=None)


def picture(marks: pl.DataFrame) -> str:
    days, share = Axis(title="days", unit=Unit.DAYS), Axis(title="share", unit=Unit.SHARE)
    chart = Chart(
        form=ChartForm.STEPS, title="t", subtitle="s", marks=marks, x=days, y=share
    )  # fmt: skip
    return drawn(chart, width=WIDTH)


def lines(picture: str) -> list[list[tuple[float, float]]]:
    """The points of each line and band."""
    paths = re.findall(r' d="([^"]+)"', picture)
    points = (re.findall(r"([-\d.]+)[ ,]([-\d.]+)", path) for path in paths)
    return [[(float(x), float(y)) for x, y in each] for each in points]


def heights(line: list[tuple[float, float]]) -> dict[int, list[float]]:
    """Heights that a line has within a quarter of a pixel from each tenth of one."""
    found: dict[int, list[float]] = {}
    for x, y in line:
        for near in range(-3, 4):
            found.setdefault(round(x * 10) + near, []).append(y)
    return found


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_what_is_left_out_is_not_seen(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    marks = falling(12_000, seed)
    monkeypatch.setattr(thinning, "MANY", marks.height)
    whole = picture(marks)
    monkeypatch.setattr(thinning, "MANY", 0)
    thin = picture(marks)
    assert len(thin) < len(whole) * 0.8
    assert len(lines(thin)) == len(lines(whole)) > 4
    for drawn_of_some, drawn_of_all in zip(lines(thin), lines(whole), strict=True):
        assert drawn_of_some[0] == drawn_of_all[0]
        assert drawn_of_some[-1] == drawn_of_all[-1]
        near = heights(drawn_of_some)
        for x, y in drawn_of_all:
            here = near[round(x * 10)]
            assert min(here) - 0.01 <= y <= max(here) + 0.01


def test_points_that_have_names_keep_them() -> None:
    marks = pl.DataFrame({"x": [1, 2] * 3_000, "value": range(6_000, 0, -1)})
    assert thinning.thinned(marks, WIDTH).height == marks.height


def test_a_picture_of_few_steps_is_drawn_from_all() -> None:
    marks = falling(99, 1)
    assert thinning.thinned(marks, WIDTH) is marks
