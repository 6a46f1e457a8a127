"""What the deals themselves leave unsaid, so that figures of them mean less than they seem to."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import polars as pl

from dealdb.model.columns import is_text
from dealdb.model.names import alike, shown_alike
from dealdb.model.pipeline import Kind, Pipeline

# figures that need deals to be won or lost, and those that need both of their dates
_OF_OUTCOMES = frozenset(("win_rate", "mean", "mean_days"))
_OF_CYCLES = frozenset(("mean_days", "cycle_days", "mean_cycle_days"))
_DATES = {"created": "a creation date", "closed": "a closing date"}
# of more groups nobody reads the names
_MOST = 5_000


def doubts_of(
    frame: pl.DataFrame, base: pl.DataFrame, pipeline: Pipeline, figures: Collection[str]
) -> Iterator[str]:
    """
    What figures should say of the deals that they are made of; it costs a look at a few columns.

    Parameters
    ----------
    frame
        All deals.
    base
        Those that count, with their flags, and with ``amount`` where they are summed.
    pipeline
        What the stages mean.
    figures
        Their names.

    Examples
    --------
    >>> deals = pl.DataFrame({"stage": ["Won"], "_won": [True], "_lost": [False]})
    >>> list(doubts_of(deals, deals, Pipeline().covering(["Won"]), ["win_rate"]))
    ['no stage means lost: the win rate knows no lost deals']
    """
    if not _OF_OUTCOMES.isdisjoint(figures):
        yield from _of_outcomes(frame, base, pipeline, figures)
    if base.is_empty():
        return
    if not _OF_CYCLES.isdisjoint(figures) and (base["_won"].any() or base["_lost"].all()):
        for name, text in _DATES.items():
            if _is_empty(base, name):
                yield f"none of these deals has {text}: no sales cycle is known"
    if _is_empty(base, "amount") and not ("_unpriced" in base.columns and base["_unpriced"].any()):
        yield "none of these deals has an amount: figures of money are empty"


def _of_outcomes(
    frame: pl.DataFrame, base: pl.DataFrame, pipeline: Pipeline, figures: Collection[str]
) -> Iterator[str]:
    lacks_won, lacks_lost = (not pipeline.names(kind) for kind in (Kind.WON, Kind.LOST))
    if frame.is_empty():
        return
    if frame["stage"].null_count() == frame.height:
        yield "no deal has a stage: every deal counts as open"
    elif lacks_won and lacks_lost:
        yield "no stage means won or lost: every deal counts as open"
    elif lacks_lost and "win_rate" in figures and base["_won"].any():
        yield "no stage means lost: the win rate knows no lost deals"
    elif lacks_won:
        yield "no stage means won: no deal counts as won"


def _is_empty(deals: pl.DataFrame, name: str) -> bool:
    return name in deals.columns and deals[name].null_count() == deals.height


def alike_groups(table: pl.DataFrame, keys: Collection[str]) -> Iterator[str]:
    """
    What to say of groups whose names differ only in case or blanks.

    Examples
    --------
    >>> list(alike_groups(pl.DataFrame({"owner": ["Ann", "ann ", "Bo"]}), ["owner"]))
    ["owner: names that differ only in case or blanks have rows of their own: 'Ann' and 'ann '"]
    """
    for key in keys:
        if not is_text(table.schema[key]):
            continue
        names = table[key].drop_nulls().unique()
        if names.len() > _MOST:
            continue
        names = names.cast(pl.String)
        if groups := alike(names.sort()):
            found = shown_alike(groups)
            yield f"{key}: names that differ only in case or blanks have rows of their own: {found}"
