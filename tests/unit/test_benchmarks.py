"""The benchmarks run, and measure what they say: at a size at which they take seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from benchmarks.growth import exponents
from benchmarks.measure import Figure, in_turn
from benchmarks.report import text, verdict

ROOT = Path(__file__).parents[2]


def _run(*options: str | Path) -> str:
    command = [sys.executable, "-m", "benchmarks", *map(str, options)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_figures_run_and_are_kept(tmp_path: Path) -> None:
    _run(
        "load_dirty", "group_by", "--n", "300", "--repeats", "1", "--results", tmp_path, "--no-page"
    )  # fmt: skip

    load = json.loads((tmp_path / "load_dirty-300.json").read_text())
    ways = {way["name"]: way["values"] for way in load["ways"]}
    assert {"raw HSET, encoded before", "dealdb, Polars frame", "redis-py, pipeline"} <= set(ways)
    assert all(values and min(values) > 0 for values in ways.values())
    [line] = [
        line for line in load["lines"] if line["what"] == "load, dirty, frame, against raw HSET"
    ]
    raw, ours = ways["raw HSET, encoded before"], ways["dealdb, Polars frame"]
    assert line["ratios"] == pytest.approx(
        [a / b for a, b in zip(ours, raw, strict=True)], rel=1e-4
    )
    assert (tmp_path / "group_by-300.json").exists()


@pytest.mark.slow
def test_every_figure_runs(tmp_path: Path) -> None:
    _run("--n", "300", "--repeats", "1", "--results", tmp_path, "--no-page")

    names = _run("--list").splitlines()
    assert len(list(tmp_path.glob("*-300.json"))) == len(names) > 10


def test_no_way_always_follows_the_same_one() -> None:
    ran: list[str] = []

    def run(name: str) -> float:
        ran.append(name)
        return float(len(ran))

    seconds = in_turn({name: partial(run, name) for name in "abc"}, 3)

    assert "".join(ran) == "abcbcacab"
    assert seconds == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


def _compared(ours: float, theirs: float, n: int) -> Figure:
    figure = Figure("load", n)
    figure.rates({"dealdb": [1 / ours] * 3, "raw": [1 / theirs] * 3}, {"dealdb": 1, "raw": 1}, "/s")
    figure.compare("load", "dealdb", "raw", "speed", "load/raw")
    return figure


@pytest.mark.parametrize(
    ("ours", "n", "expected"),
    [
        (95, 1_000_000, "aim reached"),
        (60, 1_000_000, "met"),
        (59, 1_000_000, "**missed**"),
        (59, 100_000, "behind"),
        (101, 100_000, "ahead"),
    ],
)
def test_the_page_says_where_we_lose(ours: float, n: int, expected: str) -> None:
    figure = _compared(ours, 100, n)
    [line] = figure.lines

    assert verdict(line, n) == expected
    assert f"| {expected} |" in text([figure], [])


def test_cost_is_the_inverse_of_speed() -> None:
    figure = Figure("group_by", 1_000)
    figure.times({"dealdb": [0.004], "other": [0.002]})
    figure.compare("as a cost", "dealdb", "other", "cost")
    figure.compare("as a speed", "dealdb", "other", "speed")

    assert [line.ratios for line in figure.lines] == [[2.0], [0.5]]


def test_a_figure_is_read_as_it_was_written(tmp_path: Path) -> None:
    figure = _compared(80, 100, 1_000)

    assert Figure.load(figure.save(tmp_path)) == figure


def test_growth_is_an_exponent() -> None:
    figures = []
    for n in (100_000, 1_000_000):
        figure = Figure("growth", n)
        figure.times({"load": [n / 1e5], "get_deal": [0.001], "cold start": [(n / 1e5) ** 2]})
        figures.append(figure)

    found = exponents(figures)

    assert found is not None
    assert {
        line.ours: (round(line.ratios[0], 6), verdict(line, found.n)) for line in found.lines
    } == {
        "load": (1.0, "aim reached"),
        "cold start": (2.0, "**missed**"),
        "get_deal": (0.0, "aim reached"),
    }
