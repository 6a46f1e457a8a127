"""Every change of a deal inside a window: what was so before it, and what after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from dealdb.analytics.history.lookup import are_among, gathered
from dealdb.analytics.history.movement.ends import AFTER, BEFORE, last_lives, lives_at
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.state import latest_rows

# what 64 bits hold
_MOST = 2**63


def moves_of(past: Past, first: int, names: Iterable[str]) -> pl.DataFrame:
    """
    Changes of the deals that count, from a moment on; all facts of a deal at one moment are one change.

    Parameters
    ----------
    past
        The past, up to the end.
    first
        First moment.
    names
        Fields whose changes count.

    Returns
    -------
    polars.DataFrame
        ``id``, ``life``, ``at``, and of both sides of the change ``alive`` and each name.
    """
    facts = past.facts
    wanted = list(dict.fromkeys(names))
    fields = [name for name in wanted if name != "id"]
    told = _moments(past, first, fields)
    # where one life ends as the next begins, the deal is what the next one says
    is_last = _is_last("_deal", "at")
    follows = pl.col("_deal") == pl.col("_deal").shift(1)
    was = lives_at(facts, first)
    states = told.filter(is_last).with_columns(_follows=follows.fill_null(value=False))
    before = was.gather(states["_deal"])
    ends = facts.lives["end"].gather(states["life"])
    alive = (ends > states["at"]).fill_null(value=True)
    sides = {"alive": (before.is_not_null(), alive)}
    if "id" in wanted:
        ids = facts.lives["id"]
        sides["id"] = ids.gather(before), ids.gather(states["life"])
    for place, name in enumerate(fields):
        own = facts.of(name)
        start = latest_rows(own, first, facts.lives.height)
        rows = _rows_after(told, place, own["life"], start).filter(told.select(is_last).to_series())
        sides[name] = (
            gathered(own["value"], start.gather(before)),
            gathered(own["value"], rows),
        )
    return states.select(
        facts.lives["id"].gather(states["life"]).alias("id"),
        "life",
        "at",
        *(new.alias(AFTER + name) for name, (_, new) in sides.items()),
        *(
            # what the change before left; the first one of the window found what was so as it began
            pl.when("_follows").then(new.shift(1)).otherwise(old).alias(BEFORE + name)
            for name, (old, new) in sides.items()
        ),
    )


def _moments(past: Past, first: int, fields: Sequence[str]) -> pl.DataFrame:
    """
    What happened to deals inside the window, sorted by deal and moment.

    ``life``, ``at``, ``_deal``, and of a fact the place of its field (``_of``) and its row there (``_row``); lives that
    begin and end have neither.
    """
    facts = past.facts
    inside = (pl.col("at") >= first) & (pl.col("at") < past.moment)
    parts = [
        facts.of(name)
        .with_row_index("_row")
        .filter(inside)
        .select("life", "at", "_row", _of=pl.lit(place, pl.UInt32))
        for place, name in enumerate(fields)
    ]
    for name in ("begin", "end"):
        own = facts.lives.select("life", at=name).filter(inside)
        parts.append(own.with_columns(_row=pl.lit(None, pl.UInt32), _of=pl.lit(None, pl.UInt32)))
    found = pl.concat(parts)
    found = found.with_columns(facts.deals.gather(found["life"]).alias("_deal"))
    if past.kept is not None:
        found = found.filter(are_among(found["_deal"], facts.deals.gather(last_lives(past))))
    # the lives of a deal follow one another, so that this is the order of its moments, too
    span = past.moment - first
    if facts.has_second_lives or facts.lives.height * span >= _MOST:
        return found.sort("_deal", "life", "at")
    # a number is sorted in a third of the time of several columns
    key = pl.col("life").cast(pl.Int64) * span + (pl.col("at") - first)
    return found.sort(key)


def _rows_after(told: pl.DataFrame, place: int, lives: pl.Series, start: pl.Series) -> pl.Series:
    """Row of a field that holds once each thing has happened; ``start`` has those that held as the window began."""
    own = pl.when(pl.col("_of") == place).then("_row")
    rows = told.select(own.forward_fill()).to_series()
    # a life without a fact so far must not take that of the life before it
    is_own = (gathered(lives, rows) == told["life"]).fill_null(value=False)
    return pl.select(
        pl.when(is_own).then(rows).otherwise(start.gather(told["life"])).alias("_row")
    ).to_series()


def _is_last(*columns: str) -> pl.Expr:
    """Whether a row is the last of those that have the same in sorted columns."""
    return pl.any_horizontal(
        (pl.col(name) != pl.col(name).shift(-1)).fill_null(value=True) for name in columns
    )
