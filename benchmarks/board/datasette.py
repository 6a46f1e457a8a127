"""Datasette on the same deals: first paint, bytes and processor time of tables with facets, and counts by SQL."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from urllib.parse import urlencode

import polars as pl

from benchmarks.bench import Bench, Loaded
from benchmarks.board.browsing import Look, browsing, can_browse, opening
from benchmarks.board.started import Started, plainly, started_server
from benchmarks.measure import Figure, Run, Way, in_turn, timed

_FACETS = ("stage", "owner", "source", "created")
_STAGE, _LEAST = "Won", 50_000
_COUNT = f"SELECT count(*) AS n FROM deals WHERE stage = '{_STAGE}' AND amount > {_LEAST}"
_WHERE = urlencode({"where": f"stage = '{_STAGE}' AND amount > {_LEAST}"})
_WITH_FACETS = "&".join(f"_facet={name}" for name in _FACETS)
_FILTER = urlencode({"stage__exact": _STAGE, "amount__gt": _LEAST})
# what both show, by the paths of ours and of theirs
_PAGES = {
    "table with four facets": ("/deals", f"/deals/deals?{_WITH_FACETS}"),
    "filtered table with four facets": (
        f"/deals?{_WHERE}",
        f"/deals/deals?{_WITH_FACETS}&{_FILTER}",
    ),
    "count of a filter by SQL": (
        f"/sql.json?{urlencode({'q': _COUNT})}",
        f"/deals.json?{urlencode({'sql': _COUNT})}",
    ),
}
_ROUNDS, _PAINTS = 5, 7
# the system counts processor time in hundredths of a second: so many requests that it is many of them
_BATCH, _MOST, _ENOUGH_S = 4, 100, 0.2
# else it leaves facets of large tables out, and would be measured on less than ours
_LIMIT_MS = "60000"
_TABLE = Look(content="table tbody tr")
_CPU, _AGAINST = ", processor time", "against Datasette"


def beside_datasette(figure: Figure, bench: Bench, ours: Started, at: Loaded) -> None:
    """The table of deals, and the same in Datasette; a note where it is not installed."""
    if importlib.util.find_spec("datasette") is None:
        figure.notes.append("Datasette is not installed here: it was not measured")
        return
    with _datasette(bench.folder / "deals.db", at) as theirs:
        _check(ours, theirs)
        if can_browse():
            _paint(figure, ours, theirs)
        _bytes(figure, ours, theirs)
        _times(figure, at, ours, theirs)
    figure.notes += [
        "Datasette serves a SQLite file with indexes of the columns with facets, and has time for all of them; it has"
        " no sums",
        "before each page of ours a deal was saved, so that no answer is kept from before; the deals of Datasette stay",
        "processor time of ours is that of the board, what it started and its Valkey",
    ]


def _check(ours: Started, theirs: Started) -> None:
    """Both count the same, and Datasette leaves no facet out."""
    path, other = _PAGES["count of a filter by SQL"]
    found = ours.json(path)["rows"][0]["n"], theirs.json(other)["rows"][0][0]
    assert found[0] == found[1], found
    facets = theirs.json(f"/deals/deals.json?{_WITH_FACETS}")["facet_results"]
    assert set(_FACETS) == set(facets), list(facets)


def _names(what: str) -> tuple[str, str]:
    return f"{what}, dealdb", f"{what}, Datasette"


def _paint(figure: Figure, ours: Started, theirs: Started) -> None:
    what = "first paint: table with four facets"
    path, other = _PAGES["table with four facets"]
    mine, their = _names(what)
    with browsing() as browser:

        def run(at: Started, path: str) -> Run:
            return lambda: opening(browser, at, path, _TABLE).paint_s

        runs = {
            mine: run(ours, path),
            their: run(theirs, other),
            "first paint: table without facets, Datasette": run(theirs, "/deals/deals"),
        }
        figure.times(in_turn(runs, _PAINTS, warm=True))
    figure.compare(f"{what}, {_AGAINST}", mine, their, "speed")


def _bytes(figure: Figure, ours: Started, theirs: Started) -> None:
    what = "table with four facets"
    for packed, how in ((False, "HTML"), (True, "HTML packed by gzip")):
        for name, at, path in zip(_names(what), (ours, theirs), _PAGES[what], strict=True):
            size = len(at.get(path, packed=packed)) / 1e3
            figure.ways.append(Way(f"{how}: {name}", "kB", [size]))
        mine, their = (f"{how}: {name}" for name in _names(what))
        figure.compare(f"{how}: {what}, {_AGAINST}", mine, their, "cost")


def _times(figure: Figure, at: Loaded, ours: Started, theirs: Started) -> None:
    used: dict[str, list[float]] = {}
    runs: dict[str, Run] = {}
    for what, (path, other) in _PAGES.items():
        mine, their = _names(what)
        runs[mine] = _run(ours, path, used.setdefault(mine, []), at.commit, lambda: at.server.cpu_s)
        runs[their] = _run(theirs, other, used.setdefault(their, []))
    figure.times(in_turn(runs, _ROUNDS, warm=True))
    figure.times({name + _CPU: seconds[-_ROUNDS:] for name, seconds in used.items()})
    for what in _PAGES:
        mine, their = _names(what)
        figure.compare(f"{what}, {_AGAINST}", mine, their, "speed")
        figure.compare(f"{what}{_CPU}, {_AGAINST}", mine + _CPU, their + _CPU, "cost")


def _run(
    at: Started,
    path: str,
    used: list[float],
    before: Callable[[], object] = lambda: None,
    other_cpu_s: Callable[[], float] = lambda: 0.0,
) -> Run:
    """Seconds of a request, the mean of some; those of the processor are added to a list."""

    def run() -> float:
        begun = at.cpu_s() + other_cpu_s()
        spent = 0.0
        taken: list[float] = []
        while spent < _ENOUGH_S and len(taken) < _MOST:
            for _ in range(_BATCH):
                before()
                taken.append(timed(lambda: at.get(path)))
            spent = at.cpu_s() + other_cpu_s() - begun
        used.append(spent / len(taken))
        return mean(taken)

    return run


@contextmanager
def _datasette(path: Path, at: Loaded) -> Iterator[Started]:
    """The same deals in SQLite, with numbers as numbers, served by Datasette with its usual settings but for time."""
    path.unlink(missing_ok=True)
    dates = pl.selectors.temporal().cast(pl.String)
    frame = at.deals.frame.with_columns(dates, pl.selectors.decimal().cast(pl.Float64))
    with sqlite3.connect(path) as base:
        types = ("REAL" if dtype == pl.Float64 else "TEXT" for dtype in frame.dtypes)
        fields = ", ".join(
            f'"{name}" {type_}' for name, type_ in zip(frame.columns, types, strict=True)
        )
        base.execute(f"CREATE TABLE deals ({fields}, PRIMARY KEY (id))")
        marks = ", ".join("?" * frame.width)
        base.executemany(f"INSERT INTO deals VALUES ({marks})", frame.iter_rows())
        for name in _FACETS:
            base.execute(f'CREATE INDEX "deals by {name}" ON deals ("{name}")')
    base.close()
    limits = ("sql_time_limit_ms", "facet_time_limit_ms")
    settings = [part for name in limits for part in ("--setting", name, _LIMIT_MS)]
    command = plainly("datasette", "serve", str(path), "--port", "{port}", *settings)
    with started_server(command, "/deals/deals") as found:
        yield found
    path.unlink()
