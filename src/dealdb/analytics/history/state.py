"""What was so of each deal just before a moment."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from dealdb.analytics.history.lookup import gathered, true_rows
from dealdb.store.facts.facts import Facts

# what 64 bits hold
_MOST = 2**63


def latest(facts: pl.DataFrame, moment: int) -> pl.DataFrame:
    """The last fact of each life before a moment, of the facts of one field."""
    return facts.filter(_is_latest(moment))


def latest_rows(facts: pl.DataFrame, moment: int, n: int) -> pl.Series:
    """The row of the last fact before a moment, of each of the lives 0 to ``n`` - 1; null for none."""
    is_latest = facts.select(_is_latest(moment)).to_series()
    rows, lives = true_rows(is_latest), facts["life"].filter(is_latest)
    # lives come in their order, so that those without a gap stand where they belong
    if lives.len() and lives[-1] == lives.len() - 1:
        return rows.extend_constant(None, n - lives.len())
    found = pl.repeat(None, n, dtype=pl.UInt32, eager=True)
    return found.scatter(lives, rows) if rows.len() else found


def _is_latest(moment: int) -> pl.Expr:
    # facts are sorted by life and moment: the next one is later, or another life's
    inside = pl.col("at") < moment
    is_other = (pl.col("life") != pl.col("life").shift(-1)).fill_null(value=True)
    return inside & (is_other | ~inside.shift(-1))


def known_lives(facts: Facts, moment: int, *, gone: bool = True) -> pl.DataFrame:
    """
    Lives that had begun before a moment: ``life``, and with those that are ``gone`` by then ``is_alive``.

    A life that ends at the moment itself is one that still is.
    """
    alive = (pl.col("end") >= moment).fill_null(value=True)
    begun = pl.col("begin") < moment
    if gone:
        return facts.lives.lazy().filter(begun).select("life", is_alive=alive).collect()
    return facts.lives.lazy().filter(begun & alive).select("life").collect()


def with_last(lives: pl.DataFrame, facts: Facts, moment: int, names: Iterable[str]) -> pl.DataFrame:
    """Some lives, by ``life``, with the last values before a moment: a column for each name that they lack."""
    columns = []
    for name in dict.fromkeys(names):
        if name in lives.columns:
            continue
        if name == "id":
            columns.append(facts.lives["id"].gather(lives["life"]))
            continue
        own = facts.of(name)
        rows = latest_rows(own, moment, facts.lives.height).gather(lives["life"])
        columns.append(gathered(own["value"], rows).alias(name))
    return lives.with_columns(columns)


def last_values(facts: Facts, moment: int, names: Iterable[str]) -> pl.DataFrame:
    """
    The last values before a moment of every life that had begun, those that were deleted by then included.

    Columns ``life``, ``id``, ``is_alive``, and one for each name.
    """
    return with_last(known_lives(facts, moment), facts, moment, ["id", *names])


def values_until(facts: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    """
    For each event, a row with ``life`` and ``at``, the value that one field had once it had happened.

    A fact of the moment of the event itself counts.
    """
    # one number for life and moment: facts are sorted by it, so that each event finds its place, without a join
    moments = [facts["at"].min(), facts["at"].max(), events["at"].min(), events["at"].max()]
    known = [each for each in moments if isinstance(each, int)]
    low, high = min(known, default=0), max(known, default=0)
    lives = [each for each in (facts["life"].max(), events["life"].max()) if isinstance(each, int)]
    span = high - low + 1
    dtype = pl.Int64 if (max(lives, default=0) + 1) * span < _MOST else pl.Int128
    key = pl.col("life").cast(dtype) * pl.lit(span, dtype) + (pl.col("at") - low).cast(dtype)
    places = facts.select(key).to_series().search_sorted(events.select(key).to_series(), "right")
    place = pl.select(pl.when(places > 0).then(places.cast(pl.Int64) - 1)).to_series()
    # the last fact before the first one of a life is another life's
    is_own = (facts["life"].gather(place) == events["life"]).fill_null(value=False)
    found = pl.when(is_own).then(facts["value"].gather(place))
    return pl.select(found.alias("value")).to_series()
