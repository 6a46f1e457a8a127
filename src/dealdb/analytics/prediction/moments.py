"""Deals as they stood at moments of the past, with the chance that stood there then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from dealdb.analytics.exact import column_scale
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.state import known_lives, values_until, with_last
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


def pipeline_at(past: Past, moment: int) -> Pipeline:
    """What stages mean at a moment of the past: what they do now, or what they did then, as was asked for."""
    return past.facts.pipeline_at(moment) if past.pipeline_of == "then" else past.pipeline


def chance_digits(past: Past, probability: pl.Series) -> int:
    """Digits after the point that the chances of stages and deals have, so that products with them are exact."""
    # of several moments each may have had another pipeline
    earlier = [each for _, each in past.facts.pipelines] if past.pipeline_of == "then" else []
    stages = (stage for each in (*earlier, past.pipeline) for stage in each)
    told = [scale_of(stage.probability) for stage in stages if stage.probability is not None]
    return min(_MOST_DIGITS, max([DEFAULT_SCALE, column_scale(probability), *told]))


def chance_units(digits: int) -> pl.Expr:
    """The column ``chance`` as an integer, in units with so many digits."""
    return (pl.col("chance") * float(10**digits)).round().cast(pl.Int128)


def stood(past: Past, moment: int, names: Iterable[str], keys: Sequence[str] = ()) -> pl.DataFrame:
    """
    Deals that existed just before a moment, with ``cause`` (0 open, 1 won, 2 lost) and ``chance`` of open ones.

    Stages mean what they mean now, or what they meant then, as the past was asked for. The columns ``keys`` are those
    of groups: of the moment, unless the past was asked for those of its end, or of now.
    """
    pipeline = pipeline_at(past, moment)
    wanted = dict.fromkeys(("stage", "probability", *names))
    later = past.by_at in ("end", "now")
    found = past.state(wanted if later else dict.fromkeys((*wanted, *keys)), moment)
    deals = (past.grouped(found, keys) if later else found).join(
        kinds(pipeline).select("stage", "cause"), on="stage", how="left", maintain_order="left"
    )
    cause = pl.col("cause").fill_null(0)
    return deals.with_columns(cause=cause, chance=pl.when(cause == 0).then(chance(pipeline)))


def opened(past: Past, moment: int) -> pl.DataFrame:
    """Deals that were open just before a moment: ``life``, ``stage`` and ``at``, the moment."""
    lives = past.chosen(known_lives(past.facts, moment, gone=False))
    deals = with_last(lives, past.facts, moment, ["stage"])
    closed = kinds(pipeline_at(past, moment)).filter(pl.col("cause") != 0)["stage"]
    is_open = ~pl.col("stage").is_in(closed.to_list()).fill_null(value=False)
    return deals.filter(is_open).with_columns(at=pl.lit(moment, pl.Int64))


def in_parts(frame: pl.DataFrame, parts: Iterable[pl.DataFrame]) -> list[pl.DataFrame]:
    """
    A frame with a row for each row of some parts, cut as they are.

    Examples
    --------
    >>> parts = [pl.DataFrame({"n": [1, 2]}), pl.DataFrame({"n": [3]})]
    >>> [part["n"].to_list() for part in in_parts(pl.concat(parts) * 10, parts)]
    [[10, 20], [30]]
    """
    found, first = [], 0
    for part in parts:
        found.append(frame.slice(first, part.height))
        first += part.height
    return found


def looked_up(past: Past, events: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """
    Events, each with ``life`` and ``at``, with the last values before them: a column for each name that they lack.

    Of few deals at each of many moments, this is quicker than their whole state at each moment.
    """
    before = events.select("life", pl.col("at") - 1)
    missing = [name for name in dict.fromkeys(names) if name not in events.columns]
    ids = past.facts.lives["id"].gather(events["life"])
    return events.with_columns(
        (ids if name == "id" else values_until(past.facts.of(name), before)).alias(name)
        for name in missing
    )
