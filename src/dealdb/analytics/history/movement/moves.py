"""Every change of a deal inside a window: what was so before it, and what after."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from dealdb.analytics.history.movement.ends import AFTER, BEFORE
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.state import latest


def moves_of(past: Past, first: int, deals: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """
    Changes of deals from a moment to the end of the past; all facts of a deal at one moment are one change.

    Parameters
    ----------
    past
        The past, up to the end.
    first
        First moment.
    deals
        ``id`` of the deals that count.
    names
        Fields whose changes count.

    Returns
    -------
    polars.DataFrame
        ``id``, ``life``, ``at``, and of both sides of the change ``alive`` and each name.
    """
    wanted = list(dict.fromkeys(names))
    lives = past.facts.lives.select("life", "id", "begin", "end").join(
        deals.select("id"), on="id", how="semi", maintain_order="left"
    )
    lives = lives.with_columns(_deal=pl.col("life").first().over("id"))
    fields = {name: _since(past, first, name) for name in wanted if name != "id"}
    told = _moments(past, first, lives, fields.values())
    values = [
        (told["id"] if name == "id" else _values_at(fields[name], told)).alias(AFTER + name)
        for name in wanted
    ]
    alive = (pl.col("end") > pl.col("at")).fill_null(value=True)
    states = told.with_columns(*values, alive.alias(f"{AFTER}alive"))
    # where one life ends as the next begins, the deal is what the next one says
    states = states.filter(_is_last("_deal", "at"))
    is_same = pl.col("_deal") == pl.col("_deal").shift(1)
    earlier = [
        pl.when(is_same).then(pl.col(AFTER + name).shift(1)).alias(BEFORE + name)
        for name in ("alive", *wanted)
    ]
    changes = states.with_columns(earlier).filter(pl.col("at") >= first)
    return changes.drop("begin", "end", "_deal")


def _since(past: Past, first: int, name: str) -> pl.DataFrame:
    """Facts of a field inside the window, and as its very first ones what was so at the beginning."""
    facts = past.facts.of(name).select("life", "at", "value")
    start = latest(facts, first).with_columns(at=pl.lit(first - 1, pl.Int64))
    inside = (pl.col("at") >= first) & (pl.col("at") < past.moment)
    return pl.concat([start, facts.filter(inside)])


def _moments(
    past: Past, first: int, lives: pl.DataFrame, fields: Iterable[pl.DataFrame]
) -> pl.DataFrame:
    """Lives and the moments of their changes, in the order of both; each begins with the beginning of the window."""
    inside = (pl.col("at") >= first) & (pl.col("at") < past.moment)
    begun = lives.select("life", at="begin").with_columns(
        pl.when(pl.col("at") < first).then(first - 1).otherwise("at").alias("at")
    )
    over = lives.select("life", at="end")
    parts = [
        begun.filter(pl.col("at") < past.moment),
        over.filter(inside),
        *(each.select("life", "at") for each in fields),
    ]
    found = pl.concat(parts).join(lives, on="life", how="inner")
    # the lives of a deal follow one another, so that this is the order of its moments, too
    return found.sort("_deal", "life", "at").filter(_is_last("life", "at"))


def _values_at(facts: pl.DataFrame, moments: pl.DataFrame) -> pl.Series:
    """The value of a field after each moment; every fact is of one of them, so that no search is needed."""
    numbered = facts.with_row_index("_fact")
    at_each = moments.select("life", "at").join(
        numbered.select("life", "at", "_fact"),
        on=["life", "at"],
        how="left",
        maintain_order="left",
    )
    last = at_each["_fact"].forward_fill()
    # a life without a fact so far must not take that of the life before it
    is_own = (facts["life"].gather(last) == moments["life"]).fill_null(value=False)
    return facts["value"].gather(last.set(~is_own, None))


def _is_last(*columns: str) -> pl.Expr:
    """Whether a row is the last of those that have the same in sorted columns."""
    return pl.any_horizontal(
        (pl.col(name) != pl.col(name).shift(-1)).fill_null(value=True) for name in columns
    )
