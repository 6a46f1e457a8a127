"""Facts of a source in any form of history, as the collection takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.errors import SchemaError
from dealdb.loader.history.changes import NO_SOURCE
from dealdb.loader.history.read import read_facts
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.model.values import encode, widened
from dealdb.store.facts.assumed import midnights

# values since the creation of a deal that nobody knows the day of
_NO_CREATION = "no-creation-date"
_MISFIT = "does-not-fit"
# of a number for which every field has room
_WHOLE = "[1-9][0-9]{0,15}"


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
    values, fields = _fitted_values(found, schema)
    fits = found.join(
        values, on=["field", "value"], how="left", nulls_equal=True, maintain_order="left"
    )
    has_value = pl.col("field").is_not_null() & pl.col("value").is_not_null()
    is_misfit = has_value & pl.col("text").is_null()
    reasons = Counter(read.rejected)
    for (field,), some in fits.filter(is_misfit).group_by("field"):
        reasons[f"{field}: {_MISFIT}"] += some.height
    reasons[_NO_CREATION] += n_undated
    kept = fits.filter(~is_misfit).with_columns(
        value=pl.when(has_value).then("text").otherwise("value")
    )
    return FittedFacts(
        frame=kept.drop("text"),
        fields=fields,
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


def _fitted_values(table: pl.DataFrame, schema: Schema) -> tuple[pl.DataFrame, list[Field]]:
    """The text that the store keeps for each value of a field, null where it doesn't fit; and the fields needed."""
    of_field = pl.col("field").is_not_null() & pl.col("value").is_not_null()
    pairs = table.filter(of_field).select("field", "value").unique(maintain_order=True)
    parts, fields = [pairs.with_columns(text="value").clear()], []
    for name, values in pairs.group_by("field", maintain_order=True):
        field = schema.get(str(name[0])) or Field(str(name[0]), FieldType.TEXT)
        texts, wide = _fitted(values["value"], field)
        parts.append(values.with_columns(texts.alias("text")))
        if texts.null_count() < texts.len():
            fields.append(wide)
    return pl.concat(parts), fields


def _fitted(values: pl.Series, field: Field) -> tuple[pl.Series, Field]:
    """Texts of different values of a field, and the field as wide as they need it."""
    if field.type is FieldType.TEXT:
        return values, field
    others = (~_are_as_kept(values, field)).arg_true()
    texts: list[str | None] = []
    for value in values.gather(others):
        try:
            wide = widened(field, value)
            texts.append(encode(value, wide))
            field = wide
        except SchemaError:
            texts.append(None)
    return values.scatter(others, pl.Series(texts, dtype=pl.String)), field


def _are_as_kept(values: pl.Series, field: Field) -> pl.Series:
    """Which values are the very texts that the store keeps: of amounts nearly all, which need no look at each."""
    if field.type is not FieldType.DECIMAL or field.name == "probability" or not field.scale:
        return pl.repeat(False, values.len(), eager=True)  # noqa: FBT003  # values
    fraction = rf"\.[0-9]{{0,{field.scale - 1}}}[1-9]"
    return values.str.contains(rf"^(?:0|-?{_WHOLE}|-?(?:0|{_WHOLE}){fraction})$")
