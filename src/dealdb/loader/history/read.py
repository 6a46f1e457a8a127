"""History from elsewhere, read as facts."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.loader.chunk import Reject, telling
from dealdb.loader.history.facts_read import FACT_SCHEMA, FactsRead
from dealdb.loader.history.reading import BAD, FactReading
from dealdb.loader.history.recognition import recognised
from dealdb.loader.history.rows.history_table import HistoryTable
from dealdb.loader.history.rows.moments import zone_of
from dealdb.loader.history.sequence.differences import OPENING
from dealdb.loader.history.sequence.order import placed
from dealdb.loader.history.stages import KnownStages
from dealdb.loader.rejects import RejectsFile, places_for
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema


@telling()
def read_facts(
    source: Any,
    *,
    format: str | None = None,
    stages: Any = None,
    zone: str = "UTC",
    fields: Collection[str] | Mapping[str, str] | None = None,
    mapping: Mapping[str, str | None] | None = None,
    pipeline: Pipeline | None = None,
    schema: Schema | None = None,
    rejects: str | Path | bool = True,
    now_ms: int | None = None,
) -> FactsRead:
    """
    Facts of a source: what was so from when on. Nothing is written but the file of rejected rows.

    Parameters
    ----------
    source
        What loads take: a path to CSV, JSON, JSON Lines or a workbook, compressed or not, a binary file, a data frame,
        or an iterable of mappings.
    format
        Form that the source has to have, such as ``"salesforce-fields"``, or its program, such as ``"salesforce"``;
        None to tell it by the headers.
    stages
        Table of stages, from anything that can be loaded: what their ids are called, and which are won or lost.
    zone
        Time zone of moments that name none. A day without a time begins at midnight of the pipeline's zone, where there
        is a pipeline.
    fields
        Names of the fields to keep, by their names here or in the source; None for all. A mapping to ``"id"`` or
        ``"name"`` says which of the two rows stays that Salesforce writes for an owner or an account (default
        ``"name"``).
    mapping
        Field by name in the source; None as a field leaves it out.
    pipeline
        Stages of the collection: which of them are won or lost decides what a close date is.
    schema
        Fields of the collection: their values are read as a load reads them.
    rejects
        Where rejected rows go, as for loads: a path, True for the working directory, False for none. A source that is
        no file has no default place.
    now_ms
        Milliseconds since 1970 of the present, by which moments of the future are refused; None for the clock.

    Returns
    -------
    FactsRead
        The facts in one order, whatever the order of the rows, and what was found on the way.

    Raises
    ------
    LoadError
        If the source can't be read, has no form of history or several, a name is not in it, or its dates can be read
        in several ways.

    Examples
    --------
    >>> rows = [
    ...     {"id": 1, "at": "2026-01-05", "field": "stage", "value": "Lead"},
    ...     {"id": 1, "at": "2026-01-12T09:30Z", "field": "amount", "value": "1,200.00"},
    ... ]
    >>> found = read_facts(rows)
    >>> found.frame.select("at", "precision", "field", "value").rows()
    [(1767571200000, 'day', 'stage', 'Lead'), (1768210200000, 's', 'amount', '1200')]
    """
    zone_of(zone)
    known = KnownStages(stages, pipeline)
    table = HistoryTable(source)
    try:
        _rename(table, mapping or {})
        form = recognised(table, format)
        changes = form.read(table, _without_columns(table, mapping or {}))
        table.release()
        reading = FactReading(
            changes,
            known,
            zone=zone,
            days=None if pipeline is None else pipeline.zone,
            fields=fields,
            now_ms=time.time_ns() // 1_000_000 if now_ms is None else now_ms,
            schema=schema,
        )
        facts = reading.facts()
        bad = [*table.rejects, *_rejects(table, reading.bad())]
        named = not isinstance(rejects, bool)
        places = places_for(_file_name(source), rejects)
        with RejectsFile(table.name, table.header, places, named=named) as file:
            file.add(bad)
    finally:
        table.close()
    openings = _openings(facts)
    frame, n_ties, n_repeated = placed(facts.filter(pl.col("at") != OPENING))
    return FactsRead(
        frame=frame,
        openings=openings,
        rejects=tuple(bad),
        rejects_file=file.path,
        read=table.height - changes.n_stubs + len(table.rejects),
        rejected=dict(file.reasons),
        new_fields=reading.new_fields,
        outcomes=reading.outcomes,
        unknown_stages=len(reading.unknown_stages),
        ties=n_ties,
        imprecise=int((frame["precision"] == "day").sum()),
        suspect=changes.n_suspect,
        ignored=changes.n_ignored,
        repeated=n_repeated + reading.n_repeated,
        formats=(form.name,),
        notes=changes.notes,
    )


# columns of plain tables that may be called otherwise
_RENAMED = ("id", "at", "field", "value", "who", "key", "op")


def _rename(table: HistoryTable, mapping: Mapping[str, str | None]) -> None:
    names = {
        header: target
        for header, target in mapping.items()
        if target in _RENAMED and header in table.headers and target not in table.headers
    }
    if names:
        table.renamed(names)


def _without_columns(
    table: HistoryTable, mapping: Mapping[str, str | None]
) -> dict[str, str | None]:
    """What the mapping says of fields, without the columns that it has renamed."""
    return {
        name: target
        for name, target in mapping.items()
        if not (target in _RENAMED and target in table.headers and name not in table.headers)
    }


def _file_name(source: Any) -> str | None:
    return str(source) if isinstance(source, str | Path) else None


def _rejects(table: HistoryTable, bad: pl.DataFrame) -> list[Reject]:
    """Rejected rows, once each, with what is wrong in them."""
    rows = bad.group_by(BAD[0], maintain_order=True).agg(
        pl.col("column", "value", "code", "message").first(),
        pl.col("column").unique(maintain_order=True).alias("columns"),
    )
    places = table.places(rows[BAD[0]].to_list())
    return [
        Reject(
            line=places[row].line,
            column=column,
            value=value,
            code=code,
            message=message,
            raw=places[row].raw,
            offset=places[row].offset,
            others=tuple(columns[1:]),
        )
        for row, column, value, code, message, columns in rows.sort(BAD[0]).iter_rows()
    ]


def _openings(facts: pl.DataFrame) -> pl.DataFrame:
    """Values that hold since the creation of a deal, and when they ended."""
    is_opening = pl.col("at") == OPENING
    first = (
        facts.filter(~is_opening).group_by("id", "field").agg(pl.col("at").min().alias("before"))
    )
    found = facts.filter(is_opening & (pl.col("op") == "set"))
    found = found.unique(["id", "field"], keep="first", maintain_order=True).sort("id", "field")
    found = found.join(first, on=["id", "field"], how="left", maintain_order="left")
    place = pl.int_range(pl.len(), dtype=pl.UInt32).alias("place")
    at = pl.lit(None, dtype=pl.Int64).alias("at")
    return found.with_columns(place, at).select(*FACT_SCHEMA, "before")
