"""How old open deals are: whole days since they entered their stage, were created, or were last changed."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from dealdb.analytics.history.lookup import beside, gathered
from dealdb.analytics.history.opens import kind_of
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.spans import OPEN, stage_spans
from dealdb.analytics.history.state import latest, latest_rows
from dealdb.errors import QueryError
from dealdb.model.schema import FieldType

BASES = ("stage", "created", "update", "activity")
# the field in which a collection has its last call, mail or meeting
ACTIVITY = "last_activity"
_READS = ("stage", "amount", "currency", "probability", "created")
# it changes with every save, whatever the save changed
_STAMP = "updated"


def open_deals(past: Past, names: Collection[str] = ()) -> pl.DataFrame:
    """Deals that are open at ``as_of``, with what metrics of them read and further names."""
    return past.state([*_READS, *names], when=kind_of(past.pipeline) == "open")


def with_age(
    deals: pl.DataFrame, past: Past, basis: str, *, ignore_actors: Collection[str] = ()
) -> pl.DataFrame:
    """
    Deals with ``_day``, the day since which they are as they are, ``at``, its moment, and ``_age`` in whole days.

    Parameters
    ----------
    deals
        As ``open_deals`` gives them.
    past
        The past, up to ``as_of``.
    basis
        ``"stage"``: the entry into the stage, of the present visit. ``"created"``: the creation date. ``"update"``:
        the last change of any field. ``"activity"``: the day in the field ``last_activity``.
    ignore_actors
        Whose changes are none, for ``"update"``.

    Raises
    ------
    QueryError
        If there is no such field, or it has no dates.
    """
    if basis == "created":
        dated = deals.with_columns(_day=pl.col("created"), at=pl.lit(None, pl.Int64))
    elif basis == "activity":
        dated = _activities(deals, past)
    else:
        since = _entries(past) if basis == "stage" else _updates(past, ignore_actors)
        dated = beside(deals, since).with_columns(_day=past.zone.days_of_ms(pl.col("at")))
    age = (pl.lit(past.day) - pl.col("_day")).dt.total_days()
    return dated.with_columns(_age=age)


def weekdays(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """Mondays to Fridays after the first day, up to the last."""
    return pl.business_day_count(first.dt.offset_by("1d"), last.dt.offset_by("1d"))


def earlier_visits(past: Past, deals: pl.DataFrame, *, only_weekdays: bool) -> pl.DataFrame:
    """Days that each deal stood in its present stage before this visit: ``life`` and ``_earlier``."""
    visits = past.chosen(stage_spans(past.facts, past.moment)).filter(pl.col("how") != OPEN)
    same = visits.join(deals.select("life", "stage"), on=["life", "stage"], how="semi")
    first, last = (past.zone.days_of_ms(pl.col(name)) for name in ("entered", "left"))
    days = weekdays(first, last) if only_weekdays else (last - first).dt.total_days()
    return same.group_by("life").agg(_earlier=days.cast(pl.Int64).sum())


def _activities(deals: pl.DataFrame, past: Past) -> pl.DataFrame:
    """The day of the last activity, as it was known at ``as_of``."""
    field = past.facts.schema.get(ACTIVITY)
    if field is None or field.type not in (FieldType.DATE, FieldType.DATETIME):
        msg = f"basis='activity' reads a field {ACTIVITY!r} of dates, and these deals have none: add it"
        raise QueryError(msg)
    last = latest(past.facts.of(ACTIVITY), past.moment)
    day = pl.col("value")
    if field.type is FieldType.DATETIME:
        day = past.zone.days(day)
    return deals.join(
        last.select("life", "at", _day=day), on="life", how="left", maintain_order="left"
    )


def _entries(past: Past) -> pl.DataFrame:
    last = latest(past.facts.of("stage"), past.moment)
    # a deal whose stage was cleared stands in none
    return last.filter(pl.col("value").is_not_null()).select("life", "at")


def _updates(past: Past, ignore_actors: Collection[str]) -> pl.DataFrame:
    """The last change of each deal, of any field but the stamp that says when it was saved."""
    facts, moment = past.facts, past.moment
    n = facts.lives.height
    ignored = facts.commits.filter(pl.col("who").is_in(list(ignore_actors)))["seq"]
    moments = []
    for name in facts.schema:
        own = pl.DataFrame() if name in ("id", _STAMP) else facts.of(name)
        if own.is_empty():
            continue
        if ignore_actors:
            own = own.filter(~pl.col("seq").is_in(ignored.implode()))
        moments.append(gathered(own["at"], latest_rows(own, moment, n)).alias(name))
    if not ignore_actors:
        # a deal may have come into being without a value in any field
        begun = pl.when(pl.col("begin") < moment).then("begin")
        moments.append(facts.lives.select(begun.alias("id")).to_series())
    last = pl.DataFrame(moments).select(at=pl.max_horizontal(pl.all())) if moments else None
    if last is None:
        return pl.DataFrame(schema={"life": pl.UInt32, "at": pl.Int64})
    return last.select(facts.lives["life"], "at").filter(pl.col("at").is_not_null())
