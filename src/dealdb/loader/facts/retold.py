"""Facts that the collection has in another form, since its stages meant something else when they were loaded."""

from __future__ import annotations

import polars as pl

_DATES = ("closed", "expected_close")
_MOMENT = ["id", "program", "at"]


def retold(facts: pl.DataFrame, recorded: pl.DataFrame) -> pl.Series:
    """
    Whether each fact says again what an earlier load has said.

    A close date becomes ``closed`` or ``expected_close``, and an outcome a stage, by what stages mean at the time of
    the load. What was decided then stays: the same rows add nothing later, whatever the stages mean by now.

    Parameters
    ----------
    facts
        Columns ``id``, ``field``, ``at``, ``value``, ``op``, ``source`` and ``derived``, which says whether a fact
        depends on what stages mean.
    recorded
        The same of the collection, without ``derived``.

    Examples
    --------
    >>> columns = ["id", "field", "at", "value", "op", "source"]
    >>> rows = [("1", "stage", 5, "Signed", "set"), ("1", "expected_close", 5, "2026-01-31", "set")]
    >>> recorded = pl.DataFrame(
    ...     [(*row, "salesforce") for row in rows], schema=columns, orient="row"
    ... )
    >>> new = ("1", "closed", 5, "2026-01-31", "set", "salesforce", True)
    >>> facts = pl.DataFrame([new], schema=[*columns, "derived"], orient="row")
    >>> retold(facts, recorded).to_list(), retold(facts.with_columns(at=6), recorded).to_list()
    ([True], [False])
    """
    known = _by_program(recorded).select(*_MOMENT, "field", "value", "op")
    mine = (
        _by_program(facts).select(*_MOMENT, "field", "value", "op", "derived").with_row_index("_n")
    )
    mine = mine.filter("derived")
    is_stage = pl.col("field") == "stage"
    of_moment = known.filter(pl.col("field").is_in(["stage", *_DATES])).select(_MOMENT).unique()
    stages = mine.filter(is_stage).join(known.filter(is_stage), on=_MOMENT, how="semi")
    dates = mine.filter(~is_stage).join(of_moment, on=_MOMENT, how="semi")
    said = pl.concat([stages, dates.filter(pl.col("op") != "set"), _same_date(dates, known)])
    return pl.int_range(facts.height, eager=True).is_in(said["_n"].implode())


def _same_date(dates: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Dates that stand there already by then, as the planned one or as the actual one."""
    same = ["id", "program", "value"]
    given = known.filter(pl.col("field").is_in(_DATES) & (pl.col("op") == "set"))
    first = given.group_by(same).agg(first=pl.col("at").min())
    found = dates.filter(pl.col("op") == "set").join(first, on=same)
    return found.filter(pl.col("first") <= pl.col("at")).select(dates.columns)


def _by_program(facts: pl.DataFrame) -> pl.DataFrame:
    """With the program that each fact is from; what it says of a fact stands behind a colon."""
    return facts.with_columns(program=pl.col("source").str.extract("^([^:]*)"))
