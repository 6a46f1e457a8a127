"""Facts from the histories of CRMs, as the collection takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.loader.facts.plain import PlainFacts, fitted_values
from dealdb.loader.history.read import read_facts
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema

_DAY_MS = 86_400_000
# values since the creation of a deal that nobody knows the day of
_NO_CREATION = "no-creation-date"


def read_crm(
    source: Any,
    schema: Schema,
    pipeline: Pipeline,
    created: Callable[[], pl.DataFrame],
    *,
    form: str | None = None,
    stages: Any = None,
    zone: str = "UTC",
    rejects: str | Path | bool = False,
) -> PlainFacts:
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
    stages, zone, rejects
        As ``read_facts`` has them.

    Raises
    ------
    LoadError
        As of ``read_facts``.
    """
    read = read_facts(
        source, format=form, stages=stages, zone=zone, pipeline=pipeline, rejects=rejects
    )
    openings, n_undated = _dated(read.openings, created) if read.openings.height else (None, 0)
    found = read.frame if openings is None else pl.concat([openings, read.frame])
    found = found.drop("place").with_row_index("place")
    values, fields = fitted_values(found, schema)
    fits = found.join(
        values, on=["field", "value"], how="left", nulls_equal=True, maintain_order="left"
    )
    has_value = pl.col("field").is_not_null() & pl.col("value").is_not_null()
    is_misfit = has_value & pl.col("text").is_null()
    reasons = Counter(read.rejected)
    reasons["does-not-fit"] += fits.filter(is_misfit).height
    reasons[_NO_CREATION] += n_undated
    kept = fits.filter(~is_misfit).with_columns(
        value=pl.when(has_value).then("text").otherwise("value")
    )
    return PlainFacts(
        frame=kept.drop("text"),
        fields=fields,
        reasons={code: n for code, n in reasons.items() if n},
    )


def _dated(openings: pl.DataFrame, created: Callable[[], pl.DataFrame]) -> tuple[pl.DataFrame, int]:
    """First values with the creation of their deals as their moment, and how many have none."""
    begins = created().select("id", _at=pl.col("created").cast(pl.Int32).cast(pl.Int64) * _DAY_MS)
    dated = openings.join(begins, on="id", how="left", maintain_order="left").filter(
        pl.col("_at") < pl.col("before")
    )
    told = dated.with_columns(at=pl.col("_at")).drop("_at", "before")
    return told, openings.height - told.height
