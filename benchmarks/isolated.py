"""Figure ``sql_isolated``: SQL in a process of its own, against SQL in the process that asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.bench import Bench, Loaded
from benchmarks.children import asked
from benchmarks.measure import Figure, Run, Way, in_turn, timed
from benchmarks.peers import local
from dealdb import DealDatabase

APART, HERE = "in a process of its own", "in the process that asks"
_WAYS = {APART: True, HERE: False}
_ROUNDS = 15
_STARTS = 3


def sql_isolated(bench: Bench, n: int) -> Figure:
    """The group-by as a SELECT: after a commit, with nothing new, the first one of a process, and its memory."""
    figure = Figure("sql_isolated", n)
    at = bench.loaded(n)
    with _databases(at) as databases:
        runs: dict[str, Run] = {}
        for name, db in databases.items():
            runs[f"after a commit, {name}"] = _fresh(at, db)
            runs[f"nothing new, {name}"] = _quiet(db)
        figure.times(in_turn(runs, _ROUNDS, warm=True))
    for name in ("after a commit", "nothing new"):
        budget = "sql/isolated" if name == "after a commit" else ""
        what = f"SQL in a process of its own, {name}"
        figure.compare(what, f"{name}, {APART}", f"{name}, {HERE}", "cost", budget)
    answers = {
        name: [_first(at, isolated=isolated) for _ in range(_STARTS)]
        for name, isolated in _WAYS.items()
    }
    for what, unit, scale in (("first_s", "ms", 1e3), ("mb", "MB", 1.0), ("all_mb", "MB", 1.0)):
        for name, found in answers.items():
            values = [scale * each[what] for each in found]
            figure.ways.append(Way(f"{_LABELS[what]}, {name}", unit, values))
        label = _LABELS[what]
        figure.compare(
            f"{label}, SQL in a process of its own", f"{label}, {APART}", f"{label}, {HERE}", "cost"
        )
    figure.notes.append(
        "memory is that of the asking process and its child, shared pages counted once"
    )
    return figure


_LABELS = {
    "first_s": "first statement",
    "mb": "memory with two columns handed over",
    "all_mb": "memory with all columns handed over",
}


@contextmanager
def _databases(at: Loaded) -> Iterator[dict[str, DealDatabase]]:
    databases = {name: at.open(sql_isolated=isolated) for name, isolated in _WAYS.items()}
    try:
        yield databases
    finally:
        for db in databases.values():
            db.close()


def _fresh(at: Loaded, db: DealDatabase) -> Run:
    def run() -> float:
        at.commit()
        # what the other way has read by now is no difference between them
        db.query.count()
        return timed(lambda: db.query.sql(local.GROUP_BY_STAGE))

    return run


def _quiet(db: DealDatabase) -> Run:
    def run() -> float:
        db.query.sql(local.GROUP_BY_STAGE)
        return timed(lambda: db.query.sql(local.GROUP_BY_STAGE))

    return run


def _first(at: Loaded, *, isolated: bool) -> dict[str, float]:
    answer = asked("first_sql", at.server.url, "on" if isolated else "off")
    assert answer["deals"] == at.n
    return answer
