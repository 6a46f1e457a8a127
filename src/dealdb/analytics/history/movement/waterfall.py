"""The waterfall: how the open pipeline of one day became that of another."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dealdb.analytics.history.lookup import n_lives
from dealdb.analytics.history.money import FX, balanced
from dealdb.analytics.history.movement.buckets import (
    ADDS,
    BUCKETS,
    TRANSFERS,
    between,
    ends,
    lines_of,
    transfers,
)
from dealdb.analytics.history.movement.ends import (
    AFTER,
    BEFORE,
    IN,
    after,
    before,
    due_of,
    ends_of,
    standing,
    window_of,
)
from dealdb.analytics.history.movement.exchange import exchanged, opened_at
from dealdb.analytics.history.movement.moves import moves_of
from dealdb.analytics.history.opens import check_amounts, place_of
from dealdb.analytics.history.past import LINE, Past, spine
from dealdb.analytics.options import Day, Window
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline

_FIGURES = ("n", "value", "blank")
# what tells in which currencies there is money at either end
_MONEY = ("start", "end", "won", "lost")
# what a single change is made of; where dates count, those as well
_MOVES = ("stage", "amount", "currency")
_READS = ("stage", "amount", "currency", "expected_close", "closed", "owner")


def waterfall(
    past: Past,
    *,
    since: Day,
    until: Day = None,
    due: Sequence[Day] | None = None,
    net: bool = True,
    fx: bool = False,
) -> MetricResult:
    """
    What led from the open pipeline of one day to that of another.

    ``start + created + pulled_in + reopened + up + transferred_in + fx - won - lost - pushed_out - down - deleted -
    transferred_out`` is ``end``, exactly, in every group. In one currency (``to``) each deal has one rate, that of the
    end, and the cents of a bucket are rounded the other way where otherwise the table would not add up.

    Parameters
    ----------
    past
        The past; groups and the filter are those of ``until``, or groups those of now (``by_at``), which nothing
        leaves.
    since, until
        Beginning of the first day, and of the day after the last; until now by default.
    due
        Two dates: only deals that are expected to close in between, the second outside. None for all open deals.
    net
        Whether only both ends are looked at; otherwise every change in between counts by itself.
    fx
        Whether what is open at the first end has the rate of the day before it; the bucket ``fx`` is what the change
        of rates alone made of that. With ``to``.

    Returns
    -------
    MetricResult
        A row for each bucket: ``n`` deals (of every change: changes), ``value`` and ``blank`` (deals without an
        amount). With groups, the buckets ``transferred_in`` and ``transferred_out`` stand among them. ``totals``
        counts other changes of deals that are in at both ends: ``owner``, ``stage_forward``, ``stage_back`` and
        ``date_only`` (another expected date, and nothing else).

    Raises
    ------
    QueryError
        If an option can't be understood, ``until`` is before the first fact, or amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#waterfall
    """
    if fx and past.convert is None:
        msg = "fx is what rates make of money in one currency: say to= which, such as to='EUR'"
        raise QueryError(msg)
    first, past, window = window_of(past, since, until)
    is_due = due_of(due)
    keys = past.keys(("bucket", *_FIGURES, *LINE[1:]))
    names = [*_READS, *keys]
    stands = {
        name: standing(mark, past.pipeline, is_due)
        for name, mark in (("_x", BEFORE), ("_y", AFTER))
    }
    # the day of a rate is that of the second end, also of what was open in between alone
    needs_all = not net and past.convert is not None
    when = None if needs_all else _moved(*stands.values())
    deals = ends_of(past, first, names, when=when).with_columns(**stands)
    if net:
        changes = deals
    else:
        dated = is_due is not None or past.deals
        read = [*_MOVES, *(("expected_close",) if dated else ()), *keys]
        changes = moves_of(past, first, read).with_columns(**stands)
    deals, changes = exchanged(past, deals, changes)
    if fx:
        deals = opened_at(past, deals, first)
        # both are the same rows where only the ends count
        changes = deals if net else changes
    totals = _other_changes(deals, past.pipeline)
    if past.by_at == "now":
        deals, changes = (_in_groups_of_now(past, each, keys) for each in (deals, changes))
    for side in (BEFORE, AFTER):
        check_amounts(changes, f"{side}value")
    lines, keys, currency = _lines(past, deals, changes, keys, is_due, is_net=net, fx=fx)
    past.notes.append(
        ("net: both ends" if net else "gross: every change")
        + (_due_words(is_due) if is_due else "")
    )
    table = _table(lines, keys, fx=fx)
    return past.result(
        "waterfall",
        balanced(table, keys, ADDS) if past.convert is not None else table,
        lines.with_columns(pl.col("bucket").cast(pl.String), currency="_currency"),
        keys=keys,
        rows=("bucket",),
        figures=_FIGURES,
        n=n_lives(past.facts.deals.gather(lines["life"])),
        window=window,
        currency=currency,
        totals=totals,
        counted={"blank": pl.col("_blank")},
        exact=table,
    )


def _due_words(due: Window) -> str:
    since = f" from {due.since}" if due.since else ""
    return f", due{since}" + (f" before {due.until}" if due.until else "")


def _in_groups_of_now(past: Past, frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Both sides of each deal in the group that it is in today; money keeps its currency."""
    own = [key for key in keys if key not in ("id", "currency")]
    now = past.grouped(frame.select("life"), own)
    return frame.with_columns(now[key].alias(side + key) for side in (BEFORE, AFTER) for key in own)


def _moved(was: pl.Expr, now: pl.Expr) -> pl.Expr:
    """Whether a deal is open at an end, or closed since the first: the others are in no bucket."""
    return (was == IN) | (now == IN) | (now.is_in(["won", "lost"]) & (was != now))


def _lines(
    past: Past,
    deals: pl.DataFrame,
    changes: pl.DataFrame,
    keys: list[str],
    due: Window | None,
    *,
    is_net: bool,
    fx: bool,
) -> tuple[pl.DataFrame, list[str], str | None]:
    """A line for each deal and bucket, the groups, which may now be by currency, and the currency."""

    def found(keys: Sequence[str]) -> pl.DataFrame:
        parts = [
            lines_of(deals, ends(fx=fx, is_net=is_net), keys, told=past.deals),
            lines_of(changes, between(due, is_net=is_net), keys, told=past.deals),
        ]
        if keys:
            moved = transfers(keys, fx=fx and is_net)
            parts.append(lines_of(changes, moved, keys, told=past.deals))
        return pl.concat(parts)

    lines = found(keys)
    # a deal without a group by currency is in one of them all the same; of both ends, what counts is the money of one
    has_money = pl.col("bucket").is_in(list(_MONEY)) if is_net else pl.lit(value=True)
    money = lines.filter(has_money).select("value", currency="_currency")
    currency, wanted = past.currency(money, keys)
    if wanted != keys:
        lines, keys = found(wanted), wanted
    if not past.deals:
        return lines, keys, currency
    # by the place of the bucket
    return lines.sort("bucket", "life"), keys, currency


def _table(lines: pl.DataFrame, keys: list[str], *, fx: bool) -> pl.DataFrame:
    cells = lines.group_by(*keys, "bucket").agg(
        n=pl.len().cast(pl.UInt32),
        value=pl.col("value").sum(),
        blank=pl.col("_blank").sum().cast(pl.UInt32),
    )
    cells = cells.cast({"bucket": pl.String})
    left_out = {*(() if keys else TRANSFERS), *(() if fx else (FX,))}
    names = [name for name in BUCKETS if name not in left_out]
    table = spine(lines, keys, "bucket", names).join(
        cells, on=[*keys, "bucket"], how="left", nulls_equal=True, maintain_order="left"
    )
    return table.with_columns(pl.col(_FIGURES).fill_null(0))


def _other_changes(deals: pl.DataFrame, pipeline: Pipeline) -> dict[str, int]:
    """Deals that are in at both ends, and have changed in what makes no bucket."""
    stays = deals.filter((pl.col("_x") == IN) & (pl.col("_y") == IN))
    # null for a stage that the pipeline lacks: neither forward nor back
    was, now = (place_of(pipeline, f"{side}stage") for side in (BEFORE, AFTER))
    differs = {
        name: before(name).ne_missing(after(name))
        for name in ("owner", "stage", "amount", "expected_close")
    }
    others = differs["owner"] | differs["stage"] | differs["amount"]
    counts = stays.select(
        owner=differs["owner"].sum(),
        stage_forward=(now > was).sum(),
        stage_back=(now < was).sum(),
        date_only=(differs["expected_close"] & ~others).sum(),
    )
    return {name: int(number or 0) for name, number in counts.row(0, named=True).items()}
