"""Deals as they stood at moments of the past, with the chance that stood there then."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from dealdb.analytics.exact import column_scale
from dealdb.analytics.history.past import Past
from dealdb.analytics.prediction.ends import kinds
from dealdb.model.decimals import scale_of
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import DEFAULT_SCALE

# floats hold chances with so many
_MOST_DIGITS = 12


def chance(pipeline: Pipeline) -> pl.Expr:
    """
    Chance of an open deal as a float: its own, else that of its stage; null for none, and for what is not one.

    Examples
    --------
    >>> from dealdb.model.pipeline import Stage
    >>> stages = Pipeline((Stage("Demo", Kind.OPEN, 0.25),))
    >>> deals = pl.DataFrame({"stage": ["Demo", "Demo"], "probability": [None, 0.5]})
    >>> deals.select(chance(stages).alias("chance"))["chance"].to_list()
    [0.25, 0.5]
    """
    own = pl.col("probability").cast(pl.Float64)
    told = {
        each.name: float(each.probability)
        for each in pipeline
        if each.kind is Kind.OPEN and each.probability is not None
    }
    default = (
        pl.col("stage").cast(pl.String).replace_strict(told, default=None, return_dtype=pl.Float64)
    )
    return pl.when(own.is_null()).then(default).when(own.is_between(0, 1)).then(own)


def chance_digits(pipeline: Pipeline, probability: pl.Series) -> int:
    """Digits after the point that the chances of stages and deals have, so that products with them are exact."""
    told = [scale_of(each.probability) for each in pipeline if each.probability is not None]
    return min(_MOST_DIGITS, max([DEFAULT_SCALE, column_scale(probability), *told]))


def chance_units(digits: int) -> pl.Expr:
    """The column ``chance`` as an integer, in units with so many digits."""
    return (pl.col("chance") * float(10**digits)).round().cast(pl.Int128)


def stood(past: Past, moment: int, names: Iterable[str]) -> pl.DataFrame:
    """
    Deals that existed just before a moment, with ``cause`` (0 open, 1 won, 2 lost) and ``chance`` of open ones.

    Stages mean what they mean now, or what they meant then, as the past was asked for.
    """
    pipeline = past.facts.pipeline_at(moment) if past.pipeline_of == "then" else past.pipeline
    wanted = dict.fromkeys(("stage", "probability", *names))
    deals = past.state(wanted, moment).join(
        kinds(pipeline).select("stage", "cause"), on="stage", how="left", maintain_order="left"
    )
    cause = pl.col("cause").fill_null(0)
    return deals.with_columns(cause=cause, chance=pl.when(cause == 0).then(chance(pipeline)))
