"""DuckDB over the frames of a history, without a copy."""

from __future__ import annotations

import duckdb
import polars as pl

from benchmarks.past.answers import SQL
from benchmarks.past.made import quotas_of
from benchmarks.past.questions import QUARTER, Question
from dealdb.store.facts.facts import Facts


class Duck:
    """
    DuckDB with as many threads as it takes by itself.

    Parameters
    ----------
    facts
        Whose frames are its tables: ``lives``, ``commits``, ``quotas``, and one for each field.
    """

    def __init__(self, facts: Facts) -> None:
        self._con = duckdb.connect()
        frames = {"lives": facts.lives, "commits": facts.commits, "quotas": quotas_of(QUARTER[0])}
        frames |= {f"f_{name}": facts.of(name) for name in facts.schema if name != "id"}
        for name, frame in frames.items():
            # texts as Polars has them, so that nothing is copied; ``at`` is a word of DuckDB's
            table = frame.rename({"at": "ts"}, strict=False)
            self._con.register(name, table.to_arrow(compat_level=pl.CompatLevel.newest()))

    def ask(self, question: Question) -> pl.DataFrame:
        """The answer to a question."""
        return pl.DataFrame(self._con.sql(SQL[question.name]).to_arrow_table())

    def close(self) -> None:
        self._con.close()


def differences(question: Question, ours: pl.DataFrame, theirs: pl.DataFrame) -> list[str]:
    """Columns in which two answers differ; rows that only one of them has are rows without a deal."""
    names = question.columns.split()
    known = _comparable(ours.select(names))
    other = _comparable(theirs.select(names))
    keys = [name for name in names if name in _KEYS]
    if not keys:
        both = pl.concat([known, other.rename({n: f"{n}_right" for n in names})], how="horizontal")
    else:
        both = known.join(other, on=keys, how="full", nulls_equal=True, coalesce=True)
    return [
        name
        for name in names
        if name not in keys and not _same(both[name], both[f"{name}_right"]).all()
    ]


_KEYS = ("stage", "bucket", "label", "cohort", "k", "owner", "month", "key", "loss_reason", "who")


def _comparable(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with figures as floats, and null as 0: an empty row may be there or not."""
    return frame.with_columns(
        pl.col(name).cast(pl.String if name in _KEYS else pl.Float64) for name in frame.columns
    )


def _same(ours: pl.Series, theirs: pl.Series) -> pl.Series:
    a, b = ours.fill_null(0), theirs.fill_null(0)
    return (a - b).abs() <= 1e-9 * pl.select(pl.max_horizontal(a.abs(), b.abs())).to_series()
