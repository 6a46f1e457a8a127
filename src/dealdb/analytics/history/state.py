"""What was so of each deal just before a moment."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from dealdb.store.facts.facts import Facts


def latest(facts: pl.DataFrame, moment: int) -> pl.DataFrame:
    """The last fact of each life before a moment, of the facts of one field."""
    before = facts.filter(pl.col("at") < moment)
    return before.filter((pl.col("life") != pl.col("life").shift(-1)).fill_null(value=True))


def known_lives(facts: Facts, moment: int) -> pl.DataFrame:
    """
    Lives that had begun before a moment: ``life``, ``id``, ``is_alive``.

    A life that ends at the moment itself is one that still is.
    """
    begun = facts.lives.filter(pl.col("begin") < moment)
    alive = (pl.col("end") >= moment).fill_null(value=True)
    return begun.select("life", "id", is_alive=alive)


def last_values(facts: Facts, moment: int, names: Iterable[str]) -> pl.DataFrame:
    """
    The last values before a moment of every life that had begun, those that were deleted by then included.

    Columns ``life``, ``id``, ``is_alive``, and one for each name.
    """
    found = known_lives(facts, moment)
    for name in dict.fromkeys(names):
        if name != "id":
            last = latest(facts.of(name), moment).select("life", pl.col("value").alias(name))
            found = found.join(last, on="life", how="left", maintain_order="left")
    return found


def values_until(facts: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    """
    For each event, a row with ``life`` and ``at``, the value that one field had once it had happened.

    A fact of the moment of the event itself counts.
    """
    asked = events.select("life", "at").with_row_index("_row").sort("at")
    found = asked.join_asof(
        facts.select("life", "at", "value").sort("at"),
        on="at",
        by="life",
        strategy="backward",
        check_sortedness=False,
    )
    return found.sort("_row")["value"]
