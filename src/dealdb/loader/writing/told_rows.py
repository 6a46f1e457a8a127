"""Rows that leave their deals as they are, and say that it was so since another moment: recorded as facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from dealdb.loader.store_protocol import RecordsFacts
from dealdb.model.columns import encode_column
from dealdb.store.commit.batch import AT, Batch

if TYPE_CHECKING:
    from dealdb.model.schema import Schema
    from dealdb.store.facts.facts import Facts

# where such facts are from
SOURCE = "load"
_NTH = "\0nth"
_SAME = ["id", "field", "at", "value", "op"]


class ToldRows:
    """
    Rows of a load that say since when they are so.

    A commit says nothing of a deal that it leaves as it is. What such a row tells of the past is looked at when all
    rows are written: where something else was known of its moment, it becomes a fact.
    """

    def __init__(self) -> None:
        self._moments: list[pl.DataFrame] = []
        self._some: list[pl.DataFrame] = []
        self._n_rows = 0

    def add(self, batch: Batch, *, may_be_same: bool) -> None:
        """Note a batch, in the order of the load; ``may_be_same`` if it may have left deals as they were."""
        if AT not in batch.frame.columns:
            return
        self._moments.append(batch.frame.select(pl.col("id").hash(), AT))
        if may_be_same:
            self._some.append(batch.frame.with_row_index(_NTH, offset=self._n_rows))
        self._n_rows += len(batch)

    def record(self, store: RecordsFacts, schema: Schema) -> int:
        """
        Record what the rows say that is not known yet; how many facts that are.

        Parameters
        ----------
        schema
            The one that the texts were encoded with.

        Cost
        ----
        None where all rows changed their deals; else that of the first metric on history, and of the new facts.
        """
        if not self._some:
            return 0
        known = store.event_facts(assume="none")
        news = pl.concat([cells.filter(~_is_known(known, cells))["id"] for cells in self._cells()])
        if news.is_empty():
            return 0
        # what is new of a deal may come between two rows that said the same
        ids = news.unique().implode()
        facts = pl.concat(
            [_facts(cells.filter(pl.col("id").is_in(ids))) for cells in self._cells()]
        )
        recorded, _ = store.known_facts()
        fresh = facts.join(
            recorded, on=_SAME, how="anti", nulls_equal=True, maintain_order="left"
        ).sort(_NTH, maintain_order=True)
        store.record(fresh, [schema[name] for name in fresh["field"].unique()], ())
        return fresh.height

    def _cells(self) -> Iterator[pl.DataFrame]:
        """``_NTH``, ``id``, ``field``, ``at`` and ``value`` of the rows that may have changed nothing, by field."""
        # of several rows of one moment the last one counts
        last = pl.concat(self._moments).select(pl.struct(pl.all()).is_last_distinct()).to_series()
        frames = [frame.filter(last.gather(frame[_NTH])) for frame in self._some]
        names = dict.fromkeys(name for frame in frames for name in frame.columns)
        for name in names:
            if name not in (_NTH, "id", AT):
                yield pl.concat(
                    frame.select(
                        _NTH, "id", field=pl.lit(name), at=AT, value=pl.col(name).cast(pl.String)
                    )
                    for frame in frames
                    if name in frame.columns
                )


def _is_known(known: Facts, cells: pl.DataFrame) -> pl.Series:
    """Whether a field of each deal is known to have been so at a moment."""
    name = cells["field"][0] if cells.height else ""
    if name not in known.schema:
        return cells["value"].is_null()
    table = known.of(name).join(known.lives.select("life", "id", "end"), on="life")
    texts = encode_column(table["value"], known.schema[name])
    told = table.select("id", "at", "end", texts.alias("known")).sort("at")
    found = (
        cells.with_row_index("\0row")
        .sort("at")
        .join_asof(told, on="at", by="id", check_sortedness=False)
        .sort("\0row")
    )
    is_over = (pl.col("end") <= pl.col("at")).fill_null(value=False)
    value = pl.when(~is_over).then("known")
    return found.select(pl.col("value").eq_missing(value)).to_series()


def _facts(cells: pl.DataFrame) -> pl.DataFrame:
    """What cells say, as facts are recorded."""
    is_set = pl.col("value").is_not_null()
    return cells.with_columns(
        op=pl.when(is_set).then(pl.lit("set")).otherwise(pl.lit("clear")),
        who=pl.lit(None, pl.String),
        source=pl.lit(SOURCE),
        key=pl.lit(None, pl.String),
    )
