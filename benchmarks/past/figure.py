"""Figure ``history``: the metrics on history, each against the same question in DuckDB on the same frames."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial

from benchmarks.bench import Bench
from benchmarks.measure import Figure, Way, in_turn, timed
from benchmarks.past.duck import Duck, differences
from benchmarks.past.made import history_of
from benchmarks.past.questions import QUESTIONS
from dealdb.store.facts.facts import Facts

_MB = 1e6
_OURS, _DUCKDB = "dealdb", "DuckDB"
# what others do on the machine meanwhile makes the time longer, and hardly this
_PROCESSOR = ", processor time"


def history(bench: Bench, n: int) -> Figure:
    """Metrics on the history of deals with some five changes each: milliseconds, once the facts are columns."""
    figure = Figure("history", n)
    bench.drop_loaded()
    facts = history_of(n)
    duck = Duck(facts)
    try:
        for question in QUESTIONS:
            # what both answer is the same, or the figure is of no use
            found = differences(question, question.answer(facts), duck.ask(question))
            assert not found, (question.name, found)
            ours, theirs = f"{question.name}, {_OURS}", f"{question.name}, {_DUCKDB}"
            used: dict[str, list[float]] = {ours: [], theirs: []}
            runs = {
                ours: partial(_measured, partial(question.answer, facts), used[ours]),
                theirs: partial(_measured, partial(duck.ask, question), used[theirs]),
            }
            figure.times(in_turn(runs, bench.repeats))
            figure.times({name + _PROCESSOR: seconds for name, seconds in used.items()})
            figure.compare(question.name, ours, theirs, "cost", "history/duckdb")
            figure.compare(
                question.name + _PROCESSOR, ours + _PROCESSOR, theirs + _PROCESSOR, "cost"
            )
            figure.value(f"{question.name}, time", ours, "history/ms")
    finally:
        duck.close()
    figure.ways.append(Way("memory of the facts", "MB", [_size(facts) / _MB]))
    figure.value("memory of the facts", "memory of the facts")
    figure.notes += _notes(facts)
    return figure


def _measured(action: Callable[[], object], used: list[float]) -> float:
    """Seconds of wall time; those of the processor are added to a list, of all threads together."""
    before = time.process_time()
    seconds = timed(action)
    used.append(time.process_time() - before)
    return seconds


def _size(facts: Facts) -> int:
    tables = [facts.of(name) for name in facts.schema if name != "id"]
    return sum(int(table.estimated_size()) for table in (*tables, facts.lives, facts.commits))


def _notes(facts: Facts) -> list[str]:
    heights = {name: facts.of(name).height for name in facts.schema if name != "id"}
    told = ", ".join(f"{name} {height:,}" for name, height in heights.items() if height)
    moments = facts.commits.height - facts.lives.height
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return [
        f"facts: {sum(heights.values()):,} ({told}); {moments:,} saves after the first of each deal",
        "DuckDB has its own number of threads, and the frames as Arrow tables, without a copy",
        f"load of the machine at the end, which others used meanwhile: {load} (1, 5 and 15 minutes)",
    ]
