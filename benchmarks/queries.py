"""Figures ``group_by``, ``filter_top20``, ``search`` and ``sql``: queries that see every commit before them."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import pandas as pd
import polars as pl

from benchmarks.bench import Bench, Loaded
from benchmarks.measure import Figure, Run, in_turn, timed
from benchmarks.peers import local
from benchmarks.peers.search import SearchIndex

FRESH, QUIET = "dealdb, after a commit", "dealdb, nothing new"
SEARCH, PLAIN = "RediSearch", "Polars, plain frame"
TEXTS, PANDAS = "Polars, frame as generated", "pandas"
DUCKDB, SQLITE = "DuckDB", "SQLite"
# rounds of what takes milliseconds
_ROUNDS = 15
_WORDS = "meridian renewal"
_WHERE = "stage = 'Won' AND amount > 50000"


def _grouped(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.group_by("stage").agg(pl.col("amount").sum(), pl.len())


def _filtered(frame: pl.DataFrame) -> pl.DataFrame:
    kept = frame.lazy().filter((pl.col("stage") == "Won") & (pl.col("amount") > 50_000))
    return kept.top_k(20, by="amount").collect()


def group_by(bench: Bench, n: int) -> Figure:
    """Sum of the amount and number of deals, by stage."""
    figure = Figure("group_by", n)
    at = bench.loaded(n)
    plain, frame = _copied(at), at.deals.frame
    pandas = _pandas(frame)
    runs = {
        **_ours(at, lambda: _grouped(at.reader.query.frame())),
        PLAIN: lambda: timed(lambda: _grouped(plain)),
        TEXTS: lambda: timed(lambda: _grouped(frame)),
        PANDAS: lambda: timed(lambda: pandas.groupby("stage")["amount"].agg(["sum", "count"])),
        **_engines(at, local.GROUP_BY_STAGE),
    }
    _with_search(bench, at, runs, SearchIndex.group_by_stage)
    figure.times(in_turn(runs, _ROUNDS, warm=True))
    figure.compare("group-by, fresh, against FT.AGGREGATE", FRESH, SEARCH, "speed", "group/search")
    figure.compare(
        "group-by, fresh, against the same query on a plain frame",
        FRESH,
        PLAIN,
        "cost",
        "group/plain",
    )
    figure.compare("group-by, nothing new, against a plain frame", QUIET, PLAIN, "cost")
    for name in (TEXTS, PANDAS, DUCKDB, SQLITE):
        figure.compare(f"group-by, fresh, against {name}", FRESH, name, "speed")
    figure.notes.append(f"{PLAIN}: the columns of dealdb, copied; pandas has floats for amounts")
    return figure


def filter_top20(bench: Bench, n: int) -> Figure:
    """The 20 largest of the won deals above an amount, with all columns."""
    figure = Figure("filter_top20", n)
    at = bench.loaded(n)
    plain = _copied(at)
    runs = {
        **_ours(at, lambda: at.reader.query.find(_WHERE, sort="-amount", limit=20)),
        PLAIN: lambda: timed(lambda: _filtered(plain)),
        **_engines(at, local.TOP_WON, index="CREATE INDEX top ON deals (stage, amount)"),
    }
    _with_search(bench, at, runs, SearchIndex.top_won)
    figure.times(in_turn(runs, _ROUNDS, warm=True), SQLite="indexed by stage and amount")
    figure.compare(
        "filter + top 20, fresh, against FT.SEARCH", FRESH, SEARCH, "speed", "filter/search"
    )
    for name in (PLAIN, DUCKDB, SQLITE):
        figure.compare(f"filter + top 20, fresh, against {name}", FRESH, name, "speed")
    return figure


def search(bench: Bench, n: int) -> Figure:
    """Deals with some words in their texts: whole ones, beginnings and typos, that many deals have, few, or none."""
    figure = Figure("search", n)
    at = bench.loaded(n)
    rare = str(at.deals.frame["company"][n // 2])
    # its first word without the last letter but one, and its number
    kind, number = rare.rsplit(" ", 1)
    typo = kind.split()[0][:-2] + kind.split()[0][-1]
    for what, words, asked in (
        ("two words", _WORDS, _WORDS),
        ("the beginning of a word", "mer", "mer*"),
        ("a typo", "meridan", "%meridan%"),
        ("a company", rare, rare),
        ("two beginnings", "mer ren", "mer* ren*"),
        ("a typo and a number", f"{typo} {number}", f"%{typo}% {number}"),
        ("three words", "meridian foods renewal", "meridian foods renewal"),
        ("three words that no deal has all of", "harbor foods pilot", "harbor foods pilot"),
        ("a word that no deal has", "zzqq", "%zzqq%"),
    ):
        _searched(bench, at, figure, what, words, asked)
    _counted(at, figure)
    figure.notes.append(
        "dealdb also takes beginnings of words and typos, where FT.SEARCH is told to; the index of words is there; "
        "a count reads no text: what it takes is the round trip, and the commit that is taken in"
    )
    return figure


def _searched(bench: Bench, at: Loaded, figure: Figure, what: str, words: str, asked: str) -> None:
    def ask() -> object:
        return at.reader.query.search(words, limit=20)

    have_index(ask)
    found = _ours(at, ask)
    _with_search(bench, at, found, lambda index: index.words(asked))
    runs = {f"{name}: {what}": run for name, run in found.items()}
    figure.times(in_turn(runs, _ROUNDS, warm=True))
    figure.compare(
        f"search for {what}, fresh, against FT.SEARCH",
        f"{FRESH}: {what}",
        f"{SEARCH}: {what}",
        "speed",
    )


def _counted(at: Loaded, figure: Figure) -> None:
    """What each query costs, whatever it looks for."""
    found = _ours(at, at.reader.query.count)
    figure.times(
        in_turn({f"{name}: a count": run for name, run in found.items()}, _ROUNDS, warm=True)
    )


def have_index(search: Callable[[], object]) -> None:
    """Wait for the index of words, which a thread makes once the deals have been searched twice."""
    for _ in range(2):
        search()
    for thread in threading.enumerate():
        if thread.name == "dealdb-search-index":
            thread.join()


def sql(bench: Bench, n: int) -> Figure:
    """The group-by as a SELECT."""
    figure = Figure("sql", n)
    at = bench.loaded(n)
    table = local.duckdb_loaded(at.deals.frame)
    view = local.duckdb_on(at.deals.frame)
    runs = {
        **_ours(at, lambda: at.reader.query.sql(local.GROUP_BY_STAGE)),
        "DuckDB, its own table": lambda: timed(
            lambda: table.execute(local.GROUP_BY_STAGE).fetchall()
        ),
        "DuckDB, on the frame": lambda: timed(
            lambda: view.execute(local.GROUP_BY_STAGE).fetchall()
        ),
    }
    figure.times(in_turn(runs, _ROUNDS, warm=True))
    for name in (FRESH, QUIET):
        figure.compare(
            f"SQL, {name}, against DuckDB on the frame", name, "DuckDB, on the frame", "cost"
        )
    return figure


def _ours(at: Loaded, query: Callable[[], object]) -> dict[str, Run]:
    def fresh() -> float:
        at.commit()
        return timed(query)

    return {FRESH: fresh, QUIET: lambda: timed(query)}


def _with_search(
    bench: Bench, at: Loaded, runs: dict[str, Run], query: Callable[[SearchIndex], object]
) -> None:
    if bench.search is None:
        return
    index = SearchIndex(bench.search)
    index.fill(at.deals)

    def fresh() -> float:
        index.save("D1", amount=1)
        return timed(lambda: query(index))

    runs[SEARCH] = fresh


def _engines(at: Loaded, statement: str, index: str = "") -> dict[str, Run]:
    frame = at.deals.frame
    duck = local.duckdb_loaded(frame)
    lite = local.sqlite_loaded(frame.columns, local.sqlite_rows(frame))
    if index:
        lite.execute(index)
    return {
        DUCKDB: lambda: timed(lambda: duck.execute(statement).fetchall()),
        SQLITE: lambda: timed(lambda: lite.execute(statement).fetchall()),
    }


def _copied(at: Loaded) -> pl.DataFrame:
    """The columns of dealdb, in memory of their own and in one piece."""
    names = at.deals.frame.columns
    file = io.BytesIO()
    at.reader.query.frame().select(names).write_ipc(file)
    return pl.read_ipc(file.getvalue()).rechunk()


def _pandas(frame: pl.DataFrame) -> pd.DataFrame:
    return frame.with_columns(pl.col("amount").cast(pl.Float64)).to_pandas()
