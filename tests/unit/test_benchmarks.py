"""The benchmarks run, and measure what they say: at a size at which they take seconds."""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
from benchmarks import __main__ as program
from benchmarks.bench import Bench
from benchmarks.board.endurance import told
from benchmarks.board.saving import Saving
from benchmarks.board.started import Started
from benchmarks.board.wire import Counted
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
def test_every_figure_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALDB_BENCH_BOARD_MINUTES", "0.1")
    names = [line.split()[0] for line in _run("--list").splitlines()]
    _run(*names, "--n", "300", "--repeats", "1", "--results", tmp_path, "--no-page")

    assert len(list(tmp_path.glob("*-300.json"))) == len(names) > 10


def test_a_figure_that_fails_is_told_and_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_bench: Bench, _n: int) -> Figure:
        raise ValueError("no such luck")

    figures = {"bad": (fails, (300,)), "good": (lambda _, n: Figure("good", n), (300,))}
    monkeypatch.setattr(program, "FIGURES", figures)
    options = argparse.Namespace(
        figure=[], n=None, server="valkey9", search=None, repeats=1, results=tmp_path
    )

    assert program.run_all(options) == ["bad at 300"]
    assert [path.name for path in tmp_path.iterdir()] == ["good-300.json"]


def test_each_save_of_the_load_on_the_board_is_a_commit(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    at = bench.loaded(60)
    try:
        # the second one draws the same deals again
        numbers = [save() for save in (Saving(at), Saving(at)) for _ in range(20)]
    finally:
        bench.close()

    assert numbers == list(range(numbers[0], numbers[0] + 40))


def test_what_a_server_sends_is_counted_and_passed_on() -> None:
    sent = b"x" * 200_000
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            link, _ = server.accept()
            with link:
                assert link.recv(9) == b"a request"
                link.sendall(sent)

        thread = Thread(target=answer)
        thread.start()
        with (
            Counted(Started(server.getsockname()[1], 0)) as counted,
            socket.create_connection(("127.0.0.1", counted.at.port)) as link,
        ):
            link.sendall(b"a request")
            found = b"".join(iter(lambda: link.recv(2**16), b""))
        thread.join()

    assert found == sent
    assert counted.received == len(sent)


def test_growth_of_memory_is_a_line_without_the_warm_up() -> None:
    figure = Figure("board", 1_000)
    # 30 MB in half an hour, then 6 an hour
    warm = [(minute, 100.0 + minute) for minute in range(30)]
    told(figure, 60, [*warm, *((minute, 130 + minute / 10) for minute in range(30, 61))])

    [line] = figure.lines
    assert line.ratios == [pytest.approx(6)]
    assert (line.unit, verdict(line, figure.n)) == ("MB", "met")


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


@pytest.mark.parametrize(
    ("budget", "value", "expected"),
    [
        ("board/paint", 301, "**missed**"),
        ("board/paint", 299, "aim reached"),
        ("board/paint/many", 599, "aim reached"),
        ("board/commit", 151, "**missed**"),
        ("board/cpu", 15, "aim reached"),
    ],
)
def test_the_board_has_budgets_at_every_size(budget: str, value: float, expected: str) -> None:
    figure = Figure("board", 20_000)
    figure.times({"ours": [value / 1e3]})
    figure.value("what it takes", "ours", budget)

    assert [verdict(line, figure.n) for line in figure.lines] == [expected]


def test_the_page_says_what_was_not_measured() -> None:
    page = text([Figure("sql_isolated", 100_000)], [])

    [line] = [line for line in page.splitlines() if line.startswith("- Not measured yet: ")]
    assert "sql_isolated at 1,000,000;" in line
    assert "cli at 1,600, 1,000,000;" in line


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
