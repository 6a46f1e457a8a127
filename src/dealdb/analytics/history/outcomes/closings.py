"""When deals were won and lost, and what they were worth: what the metrics of outcomes count."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dealdb.analytics.basis import MIXED
from dealdb.analytics.exact import Amounts, ratio
from dealdb.analytics.history.lookup import are_among, beside, gathered, true_rows
from dealdb.analytics.history.money import BLANK as IS_BLANK
from dealdb.analytics.history.opens import stands_in
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.state import last_values, values_until
from dealdb.analytics.options import Window
from dealdb.model.pipeline import Kind

WON, LOST = "won", "lost"
OUTCOMES = pl.Enum([WON, LOST])
IS_WON, IS_LOST = pl.col("outcome") == WON, pl.col("outcome") == LOST
# of the moments of events
ANY_TIME = pl.lit(value=True)
UNDATED = "closed deals without a closing date, outside any window"


def outcome_of(past: Past, stage: str) -> pl.Expr:
    """``"won"`` or ``"lost"`` by a column of stages, null for open ones."""
    won, lost = (stands_in(past.pipeline, kind, stage) for kind in (Kind.WON, Kind.LOST))
    return pl.when(won).then(pl.lit(WON, OUTCOMES)).when(lost).then(pl.lit(LOST, OUTCOMES))


def previous(column: str) -> pl.Expr:
    """Value of the row before, of the same life, in a table sorted by life."""
    is_same = pl.col("life") == pl.col("life").shift(1)
    return pl.when(is_same).then(pl.col(column).shift(1))


def last_of_each(frame: pl.DataFrame) -> pl.DataFrame:
    """The last row of each life, of a table sorted by life."""
    return frame.filter((pl.col("life") != pl.col("life").shift(-1)).fill_null(value=True))


def closing_events(
    past: Past, within: pl.Expr = ANY_TIME, *, lives: pl.Series | None = None
) -> pl.DataFrame:
    """
    Changes of the stage into won or lost, sorted by life and moment; from won to lost is one, too.

    Of all lives that count, or of some of these.

    ``life``, ``at``, ``seq``, ``from``, ``to`` and ``outcome``. A move from one won stage to another is none.
    """
    stages = past.facts.of("stage")
    closes = (pl.col("at") < past.moment) & outcome_of(past, "value").is_not_null()
    if "at" in within.meta.root_names():
        closes = closes & within
    rows = true_rows(stages.select(closes).to_series())
    if lives is not None:
        rows = rows.filter(are_among(stages["life"].gather(rows), lives))
    # what came before is looked up of these alone
    told = with_previous(stages, rows)
    told = past.chosen(told).with_columns(
        outcome=outcome_of(past, "value"), _before=outcome_of(past, "from")
    )
    into = pl.col("outcome").ne_missing(pl.col("_before"))
    return told.filter(into).select("life", "at", "seq", "from", "outcome", to="value")


def with_previous(facts: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """Some rows of the facts of a field, sorted by life, with ``from``, the value that the life had before."""
    found, earlier = facts[rows], rows.cast(pl.Int64) - 1
    earlier = earlier.set(earlier < 0, None)
    is_same = (gathered(facts["life"], earlier) == found["life"]).fill_null(value=False)
    before = pl.when(is_same).then(gathered(facts["value"], earlier))
    return found.with_columns(before.alias("from"))


def closed_deals(past: Past, window: Window, *kinds: str) -> pl.DataFrame:
    """
    Deals that are won or lost at ``as_of``, in a window or without a date to tell, with their last closing.

    Of some ``kinds`` alone, such as ``"won"``, where any are given.

    ``life``, ``id``, ``outcome``, ``value`` (the amount), ``_unpriced`` (it has no rate), ``currency``, ``_created``,
    ``_closed``, and ``at``, ``seq``, ``from`` and ``to`` of the closing.
    """
    reads = ("stage", "amount", "currency", "created", "closed")
    outcome = outcome_of(past, "stage")
    may_count = outcome.is_in(list(kinds)) if kinds else outcome.is_not_null()
    if window:
        may_count &= window.holds("closed") | pl.col("closed").is_null()
    state = past.state(reads, when=may_count)
    closing = last_of_each(closing_events(past, lives=state["life"])).drop("outcome")
    closed = (
        state.with_columns(outcome=outcome)
        .pipe(beside, closing)
        .rename({"amount": "value", "created": "_created", "closed": "_closed"})
        .drop("stage")
    )
    return past.priced(closed, is_closed=True, closed="_closed")


def closed_within(closed: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Deals of ``closed_deals`` that closed in a window; without one those that have no date as well."""
    # a condition without a column has no height, and a frame of several chunks can't be filtered by it
    return closed.filter(window.holds("_closed")) if window else closed


def closings_between(
    past: Past, first: int | None, end: int, window: Window, *kinds: str, events: bool
) -> tuple[pl.DataFrame, dict[str, int]]:
    """
    Lines of the deals that closed in a window, and how many have no date to tell.

    Parameters
    ----------
    past
        The past.
    first, end, window
        As ``Past.bounds`` gives them.
    kinds
        As of ``closed_deals``, where only these are of use; others may be there.
    events
        Whether each closing counts by its moment, of deals that were reopened or deleted as well, with the amount of
        then; else those count that are closed at ``as_of``, by ``closed``.
    """
    if not events:
        closed = closed_deals(past, window, *kinds)
        undated = closed.filter(pl.col("_closed").is_null()).height if window else 0
        return closed_within(closed, window), {UNDATED: undated}
    inside = pl.col("at") < end if first is None else pl.col("at").is_between(first, end - 1)
    found = closing_events(past, inside)
    created = last_values(past.facts, past.moment, ["created"]).select("life", _created="created")
    told = found.with_columns(
        value=values_until(past.facts.of("amount"), found),
        currency=values_until(past.facts.of("currency"), found),
        _closed=past.zone.days_of_ms(pl.col("at")),
    ).join(created, on="life", how="left", maintain_order="left")
    return past.priced(told, is_closed=True, closed="_closed"), {}


def check_sums(values: pl.DataFrame) -> None:
    """
    Refuse a column ``value`` whose sum could need more than 38 digits.

    Raises
    ------
    QueryError
        If it could.
    """
    Amounts(values.select(amount="value")).check()


def in_groups(lines: pl.DataFrame, keys: Sequence[str], **sums: pl.Expr) -> pl.DataFrame:
    """Sums of each group, in the order of the groups; one row in all without groups."""
    if not keys:
        return lines.select(**sums)
    return lines.group_by(keys).agg(**sums).sort(keys, nulls_last=True)


def money(condition: pl.Expr | None = None) -> pl.Expr:
    """Sum of the values of the lines for which a condition is true."""
    value = pl.col("value")
    return (value if condition is None else value.filter(condition)).sum()


def count(condition: pl.Expr | None = None) -> pl.Expr:
    """Number of lines for which a condition is true."""
    found = pl.len() if condition is None else condition.fill_null(value=False).sum()
    return found.cast(pl.UInt32)


BLANK = count(IS_BLANK)


def shares(table: pl.DataFrame, column: str, currency: str | None) -> pl.Series:
    """What share of the sum of a column each row is, of its currency where there are several."""
    units = pl.col(column).to_physical() if table.schema[column].is_decimal() else pl.col(column)
    total = units.sum().over("currency") if currency == MIXED else units.sum()
    parts = table.select(part=units, whole=total)
    return ratio(parts["part"], parts["whole"])
