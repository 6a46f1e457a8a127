"""What has to be assumed of deals that came with a load: what they were before, nobody has recorded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import polars as pl

from dealdb.model.moments import EPOCH
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.store.facts.fold import holds_of, numbers_of

Assume: TypeAlias = Literal["birth", "none", "backfill"]
# facts are not older than this; what is assumed to have been so for ever begins here
FIRST_MS = (datetime(1990, 1, 1, tzinfo=EPOCH.tzinfo) - EPOCH) // timedelta(milliseconds=1)
# of a deal that was won or lost by the time it was loaded: what holds from the day on which it was closed
OF_CLOSING = ("stage", "closed", "loss_reason")


def assumed_facts(
    loaded: pl.DataFrame, told: pl.DataFrame, n_lives: int, pipeline: Pipeline, assume: Assume
) -> pl.DataFrame:
    """
    What deals had when they were first saved, at the moment from which on it is taken to have been so.

    Parameters
    ----------
    loaded
        The cells of first commits.
    told
        ``id``, ``field`` and moment of the facts with a moment of their own: they are better than what is assumed.
    n_lives
        How many lives there are.
    """
    if assume == "none" or loaded.is_empty():
        return loaded.with_columns(assumed=pl.lit(value=False))
    loads = loaded.select("life", "id", "at", "ended").unique("life", maintain_order=True)
    known = told.join(loads, on="id", how="inner").filter(
        (pl.col("told") < pl.col("at")) & (pl.col("told") >= pl.col("ended").fill_null(-1))
    )
    firsts = {
        name: loaded.filter(pl.col("field") == name) for name in ("stage", "created", "closed")
    }
    begins = starts_of(loads, firsts, known, pipeline, assume)
    # one number for life and field, so that what was told is found without a join
    names = pl.concat([loaded["field"], known["field"]]).unique().drop_nulls()
    size = names.len() + 1

    def place(frame: pl.DataFrame) -> pl.Series:
        field = numbers_of(frame["field"], names).fill_null(names.len()).cast(pl.Int64)
        return frame["life"].cast(pl.Int64) * size + field

    is_told = holds_of(place(known).unique(), n_lives * size).gather(place(loaded))
    rows = pl.repeat(0, n_lives, dtype=pl.UInt32, eager=True).scatter(
        begins["life"], pl.int_range(begins.height, dtype=pl.UInt32, eager=True)
    )
    own = begins[rows.gather(loaded["life"])]
    is_closed = own["closing"].is_not_null()
    since = (
        pl.when(is_told)
        .then("at")
        .when(is_closed & pl.col("field").is_in(OF_CLOSING))
        .then(own["closing"])
        .when(is_closed & (pl.col("field") == "expected_close"))
        .then("at")
        .otherwise(own["start"])
    )
    found = loaded.with_columns(since.alias("_since"))
    is_earlier = (pl.col("_since") < pl.col("at")) & pl.col("value").is_not_null()
    return found.with_columns(assumed=is_earlier, at=pl.col("_since"))


def starts_of(
    loads: pl.DataFrame,
    firsts: Mapping[str, pl.DataFrame],
    known: pl.DataFrame,
    pipeline: Pipeline,
    assume: Assume,
) -> pl.DataFrame:
    """
    Of each life that began with a load: ``start``, and ``closing`` where it came won or lost.

    Parameters
    ----------
    loads
        ``life``, ``at`` (the moment of the load) and ``ended`` (when the life of the deal before it did), each once.
    firsts
        ``life`` and ``value`` of the first ``stage``, ``created`` and ``closed``.
    known
        ``life`` and moment (``told``) of facts with a moment of their own.
    pipeline
        What the stages mean, and the zone of the days.
    assume
        As of ``event_facts``; not ``"none"``.
    """
    starts = known.group_by("life").agg(first=pl.col("told").min())
    own = _own_values(loads, firsts, pipeline).join(
        starts, on="life", how="left", maintain_order="left"
    )
    zone = pipeline.zone
    day = pl.from_epoch("at", time_unit="ms").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    earliest = pl.col("ended").fill_null(-1)
    is_born = (pl.col("created") < day.dt.date()) & (pl.col("birth") >= earliest)
    ever = (
        [pl.when(pl.col("created").is_null()).then(pl.coalesce("ended", pl.lit(FIRST_MS)))]
        if assume == "backfill"
        else []
    )
    start = pl.coalesce("first", pl.when(is_born).then("birth"), *ever, "at")
    closing = pl.max_horizontal(pl.min_horizontal("closing", "at"), "start")
    return own.with_columns(start=start).select(
        "life", "start", closing=pl.when(pl.col("closing").is_not_null()).then(closing)
    )


def _own_values(
    loads: pl.DataFrame, firsts: Mapping[str, pl.DataFrame], pipeline: Pipeline
) -> pl.DataFrame:
    """Loads with ``created``, the moment ``birth``, and ``closing`` of what came won or lost."""
    ended = [*pipeline.names(Kind.WON), *pipeline.names(Kind.LOST)]
    own = loads
    for name, cells in firsts.items():
        values = cells.unique("life", keep="first", maintain_order=True)
        own = own.join(
            values.select("life", pl.col("value").alias(name)),
            on="life",
            how="left",
            maintain_order="left",
        )
    zone = pipeline.zone
    own = own.with_columns(pl.col("created", "closed").str.to_date("%Y-%m-%d", strict=False))
    is_closed = pl.col("stage").is_in(ended)
    return own.with_columns(
        birth=midnights("created", zone), closing=pl.when(is_closed).then(midnights("closed", zone))
    )


def midnights(name: str, zone: str) -> pl.Expr:
    """
    Beginning of the days of a column in a zone, milliseconds since 1970.

    Examples
    --------
    >>> from datetime import date
    >>> days = pl.DataFrame({"created": [date(1970, 1, 2), None]})
    >>> days.select(midnights("created", "America/New_York")).to_series().to_list()
    [104400000, None]
    """
    local = pl.col(name).cast(pl.Datetime("ms"))
    # a day that begins with the end of winter time begins an hour later
    zoned = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    later = local.dt.offset_by("1h").dt.replace_time_zone(
        zone, ambiguous="earliest", non_existent="null"
    )
    return pl.coalesce(zoned, later).dt.epoch("ms")
