"""What was so of all deals at a moment, as the columns of a collection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

import polars as pl

from dealdb.errors import QueryError
from dealdb.model.columns import dtype_of
from dealdb.model.fiscal import time_zone
from dealdb.model.moments import end_of_day_ms, epoch_ms, from_epoch_ms
from dealdb.store.facts.facts import Facts
from dealdb.store.replica.snapshot import Snapshot


def state_before(facts: Facts, moment: int, names: Iterable[str] | None = None) -> pl.DataFrame:
    """
    Deals just before a moment: the last fact of each field of those that had begun and had not ended.

    Parameters
    ----------
    moment
        Milliseconds since 1970, UTC; what happened at that very moment is not in it.
    names
        Fields of the columns; all of the schema for None.

    Returns
    -------
    polars.DataFrame
        A row a deal, the earliest first, with the types of a collection's columns.

    Examples
    --------
    >>> from dealdb.model.pipeline import Pipeline
    >>> from dealdb.model.schema import Schema
    >>> from dealdb.store.facts.fold import folded
    >>> rows = pl.DataFrame({"id": ["1"], "at": [5], "field": ["stage"], "value": ["Lead"]})
    >>> facts = folded(rows, Schema.standard(), Pipeline())
    >>> [state_before(facts, t, ["id", "stage"]).rows() for t in (5, 6)]
    [[], [('1', 'Lead')]]
    """
    ended = pl.col("end") < moment
    there = facts.lives.filter((pl.col("begin") < moment) & ~ended.fill_null(value=False))
    state = there.select("life", "id")
    wanted = list(facts.schema.by_name if names is None else names)
    for name in wanted:
        if name != "id":
            table = facts.of(name).filter(pl.col("at") < moment)
            last = table.unique("life", keep="last", maintain_order=True)
            state = state.join(
                last.select("life", pl.col("value").alias(name)),
                on="life",
                how="left",
                maintain_order="left",
            )
    fields = [facts.schema[name] for name in wanted]
    return state.select(pl.col(f.name).cast(dtype_of(f)) for f in fields)


def snapshot_at(facts: Facts, when: datetime | date) -> Snapshot:
    """
    What a query of the past works on; the stages mean what they mean now.

    Parameters
    ----------
    when
        A moment, which is not in it; or a date, all of which is, in the time zone of the pipeline.

    Raises
    ------
    QueryError
        If it lies before the first fact.
    """
    zone = time_zone(facts.pipeline.zone)
    moment = epoch_ms(when) if isinstance(when, datetime) else end_of_day_ms(when, zone) + 1
    if facts.first is not None and moment <= facts.first:
        first = from_epoch_ms(facts.first).astimezone(zone).date()
        msg = f"as_of: {when.isoformat()} is before the first fact, which is of {first.isoformat()}"
        raise QueryError(msg)
    seqs = facts.commits["seq"]
    return Snapshot(
        frame=state_before(facts, moment),
        schema=facts.schema,
        pipeline=facts.pipeline,
        seq=int(seqs[-1]) if len(seqs) else 0,
    )
