"""Facts of a source in any form of history, as the collection takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.loader.columns.plan import wide_enough
from dealdb.loader.history.changes import NO_SOURCE
from dealdb.loader.history.read import read_facts
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.facts.assumed import midnights

# values since the creation of a deal that nobody knows the day of
_NO_CREATION = "no-creation-date"


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedFacts:
    """
    Facts that were read, with the values that the collection keeps.

    Attributes
    ----------
    frame
        With the columns of ``FACT_SCHEMA``.
    fields
        Fields that the values need.
    outcomes
        What the source says of its stages.
    repeated
        Facts that the source says more than once; they are in ``frame`` once.
    reasons
        Rows that were rejected, by column and code.
    rejects_file
        Where those that can't be read were written; None where there are none.
    """

    frame: pl.DataFrame
    fields: list[Field]
    outcomes: Mapping[str, Collection[Kind]]
    repeated: int
    reasons: Mapping[str, int]
    rejects_file: Path | None = None


def read_fitted(
    source: Any,
    schema: Schema,
    pipeline: Pipeline,
    created: Callable[[], pl.DataFrame],
    *,
    form: str | None = None,
    label: str | None = None,
    stages: Any = None,
    zone: str = "UTC",
    rejects: str | Path | bool = False,
) -> FittedFacts:
    """
    Facts of a history that its headers tell the form of; see ``read_facts``.

    Parameters
    ----------
    source
        Anything that deals are loaded from.
    schema, pipeline
        Of the collection.
    created
        Gives ``id`` and ``created`` of the deals of the collection: where a history begins with the value that a
        change replaced, that value holds from there on.
    form
        Form or program that the source has to have; None to tell it by the headers.
    label
        Where facts are from, in place of ``import``, where a plain table doesn't say.
    stages, zone, rejects
        As ``read_facts`` has them.

    Raises
    ------
    LoadError
        As of ``read_facts``.
    """
    read = read_facts(
        source,
        format=form,
        stages=stages,
        zone=zone,
        pipeline=pipeline,
        schema=schema,
        rejects=rejects,
    )
    openings, n_undated = (
        _dated(read.openings, created, pipeline.zone) if read.openings.height else (None, 0)
    )
    found = read.frame if openings is None else pl.concat([openings, read.frame])
    if label is not None:
        is_unsaid = pl.col("source") == NO_SOURCE
        found = found.with_columns(
            source=pl.when(is_unsaid).then(pl.lit(label)).otherwise("source")
        )
    found = found.drop("place").with_row_index("place")
    reasons = Counter(read.rejected)
    reasons[_NO_CREATION] += n_undated
    return FittedFacts(
        frame=found,
        fields=_fields_needed(found, {**read.new_fields, **schema.by_name}),
        outcomes=read.outcomes,
        repeated=read.repeated,
        reasons={code: n for code, n in reasons.items() if n},
        rejects_file=read.rejects_file,
    )


def _dated(
    openings: pl.DataFrame, created: Callable[[], pl.DataFrame], zone: str
) -> tuple[pl.DataFrame, int]:
    """First values with the creation of their deals as their moment, and how many have none."""
    begins = created().select("id", _at=midnights("created", zone))
    dated = openings.join(begins, on="id", how="left", maintain_order="left").filter(
        pl.col("_at") < pl.col("before")
    )
    told = dated.with_columns(at=pl.col("_at")).drop("_at", "before")
    return told, openings.height - told.height


def _fields_needed(facts: pl.DataFrame, known: Mapping[str, Field]) -> list[Field]:
    """The fields that have values, as wide as these need them."""
    told = facts.filter(pl.col("field").is_not_null() & pl.col("value").is_not_null())
    pairs = told.select("field", "value").unique(maintain_order=True)
    return [
        wide_enough(known.get(str(name)) or Field(str(name), FieldType.TEXT), values["value"])
        for (name,), values in pairs.group_by("field", maintain_order=True)
    ]
