"""Win and loss: how many deals of each group were won, and how sure that share is."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.exact import ratio
from dealdb.analytics.history.outcomes.closings import (
    IS_LOST,
    IS_WON,
    check_sums,
    closings_between,
    count,
    in_groups,
    money,
)
from dealdb.analytics.history.past import Past
from dealdb.analytics.options import Day, whole_number
from dealdb.analytics.result import MetricResult

_FIGURES = ("won", "lost", "n", "rate", "lo", "hi", "won_value", "lost_value")
_FEW = "(few)"
# of the normal distribution, at 97.5 %
_Z = 1.959963984540054


def win_loss(
    past: Past,
    *,
    since: Day = None,
    until: Day = None,
    few: bool = False,
    least: int = 5,
    events: bool = False,
) -> MetricResult:
    """
    Won and lost deals by any column, as it was at the closing.

    Parameters
    ----------
    past
        The past.
    since, until
        Days on which the deals closed, ``until`` itself outside.
    few
        Whether groups of fewer than ``least`` closed deals are one group, ``(few)``, the last; groups are texts then.
    least
        Deals that a group needs not to be one of those.
    events
        Whether every closing counts by its moment, of deals that were reopened or deleted as well.

    Returns
    -------
    MetricResult
        A row for each group: ``won``, ``lost``, ``n`` (both), ``rate``, its 95 % interval of Wilson from ``lo`` to
        ``hi``, ``won_value`` and ``lost_value``.

    Raises
    ------
    QueryError
        If an option can't be understood, a moment is before the first fact, or the amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#win-and-loss
    """
    whole_number("least", least, least=0, most=2**31 - 1)
    first, end, window = past.bounds(since, until)
    keys = past.keys(_FIGURES)
    lines, counts = closings_between(past, first, end, window, events=events)
    lines = past.grouped(lines, keys, by_at="event")
    lines = lines.with_columns(_last=pl.lit(value=False))
    if few and keys:
        lines = _with_few(lines, keys, least)
    check_sums(lines)
    currency, keys = past.currency(lines, keys)
    table = in_groups(
        lines,
        ["_last", *keys] if keys else [],
        won=count(IS_WON),
        lost=count(IS_LOST),
        won_value=money(IS_WON),
        lost_value=money(IS_LOST),
    ).with_columns(n=pl.col("won") + pl.col("lost"))
    low, high = _wilson()
    return past.result(
        "win_loss",
        table.with_columns(rate=ratio(table["won"], table["n"]), lo=low, hi=high),
        lines,
        keys=keys,
        rows=(),
        figures=_FIGURES,
        n=lines.height,
        window=window,
        currency=currency,
        counts=counts,
        counted={"won": IS_WON, "lost": IS_LOST},
    )


def _with_few(lines: pl.DataFrame, keys: list[str], least: int) -> pl.DataFrame:
    """Lines whose small groups have one name."""
    texts = lines.with_columns(pl.col(keys).cast(pl.String))
    is_few = pl.len().over(keys) < least
    name = _FEW
    while any((texts[key] == name).any() for key in keys):
        # a value that is called so is a group of its own
        name = f"({name})"
    marked = texts.with_columns(_last=is_few)
    named = pl.when(pl.col("_last")).then(pl.lit(name)).otherwise(pl.col(keys))
    return marked.with_columns(named.name.keep())


def _wilson() -> tuple[pl.Expr, pl.Expr]:
    """Bounds of the share of won deals; null without a deal."""
    n = pl.when(pl.col("n") > 0).then(pl.col("n").cast(pl.Float64))
    share, square = pl.col("won") / n, _Z * _Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = _Z * (share * (1 - share) / n + square / (4 * n * n)).sqrt() / (1 + square / n)
    # what rounding leaves beyond the ends
    return (middle - half).clip(0.0, 1.0), (middle + half).clip(0.0, 1.0)
