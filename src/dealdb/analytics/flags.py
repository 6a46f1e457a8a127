"""
Deals as metrics see them: what the pipeline makes of their stage, and figures that each deal has alone.

Columns that begin with ``_`` are ours; no field of a collection can have such a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import reduce
from operator import or_

import polars as pl

from dealdb.analytics.options import Window
from dealdb.errors import SchemaError
from dealdb.model.columns import dtype_of, is_text
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import MAX_DECIMAL_DIGITS, Schema

# standard columns that metrics read
READ = (
    "stage",
    "amount",
    "currency",
    "probability",
    "created",
    "expected_close",
    "closed",
    "updated",
)
_STANDARD = {name: dtype_of(Schema.standard()[name]) for name in READ}

# column of a frame some of whose rows don't count: true for those that do
KEPT = "_kept"
OPEN = pl.col("_open")
WON = pl.col("_won")
LOST = pl.col("_lost")
# whether there is an amount that could not be converted; no deal's is, where nothing is converted
UNPRICED = pl.col("_unpriced")
BLANK = pl.col("amount").is_null() & ~UNPRICED

# amounts of 0 and none at all say nothing about the size of a deal
SIZE = pl.when(WON & (pl.col("amount") != 0)).then(pl.col("amount")).alias("_size")
HAS_MONEY = (pl.col("amount") != 0).fill_null(value=False)


def cycle_days(outcome: pl.Expr) -> pl.Expr:
    """Days from creation to closing of deals of that outcome; null for missing dates and negative cycles."""
    created, closed = pl.col("created"), pl.col("closed")
    timely = outcome & (closed >= created)
    return pl.when(timely).then(days_between(created, closed)).alias("_days")


def days_between(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """Whole days from one date to another."""
    # a date is a number of days underneath
    return last.to_physical() - first.to_physical()


def standardised(frame: pl.DataFrame) -> pl.DataFrame:
    """
    Frame with all standard columns that metrics read; those that it lacks are null, and integers become decimals.

    Raises
    ------
    SchemaError
        If a standard column has a type that can't become its own without loss.

    Examples
    --------
    >>> standardised(pl.DataFrame({"amount": [7]}))["amount"].to_list()
    [Decimal('7.00')]
    """
    fixes = []
    for name, wanted in _STANDARD.items():
        found = frame.schema.get(name)
        if found is None:
            fixes.append(pl.lit(None, dtype=wanted).alias(name))
        elif found == wanted or (is_text(found) and is_text(wanted)):
            continue
        elif isinstance(wanted, pl.Decimal) and isinstance(found, pl.Decimal):
            # a narrower precision would carry over to sums and products
            fixes.append(pl.col(name).cast(pl.Decimal(MAX_DECIMAL_DIGITS, found.scale)))
        elif isinstance(found, pl.Null) or (isinstance(wanted, pl.Decimal) and found.is_integer()):
            fixes.append(pl.col(name).cast(wanted))
        else:
            msg = f"column {name!r} is {found}, and metrics read it as {wanted}: cast it"
            raise SchemaError(msg, field=name, expected=str(wanted))
    return frame.with_columns(fixes) if fixes else frame


def counted(frame: pl.DataFrame) -> pl.LazyFrame:
    """Rows that count; of the columns only those that are asked for later are copied."""
    return frame.lazy().filter(KEPT) if KEPT in frame.columns else frame.lazy()


def classified(frame: pl.DataFrame, pipeline: Pipeline, window: Window) -> pl.LazyFrame:
    """
    Deals with flags ``_open``, ``_won``, ``_lost``: the last two only for those closed inside the window.

    A deal whose stage is null or isn't in the pipeline is open. ``_undated`` marks closed deals without a closing
    date.
    """
    won, lost = (is_one_of("stage", pipeline.names(kind)) for kind in (Kind.WON, Kind.LOST))
    flags = counted(frame).with_columns(_won=won, _lost=lost)
    return flags.with_columns(
        _open=~(WON | LOST),
        _undated=(WON | LOST) & pl.col("closed").is_null(),
        _won=WON & window.holds("closed"),
        _lost=LOST & window.holds("closed"),
    )


def few_with_open(frame: pl.DataFrame, pipeline: Pipeline) -> pl.DataFrame:
    """
    Frame with the flag ``_open``, as ``classified`` has it; for a few deals, of which a query takes longer.

    Examples
    --------
    >>> deals = pl.DataFrame({"stage": ["Won", "Lost", None, "Demo"]})
    >>> few_with_open(deals, Pipeline().covering(["Won", "Lost"]))["_open"].to_list()
    [False, False, True, True]
    """
    closed = {stage.name for stage in pipeline if stage.kind is not Kind.OPEN}
    is_open = [stage not in closed for stage in frame["stage"].to_list()]
    return frame.hstack([pl.Series("_open", is_open, dtype=pl.Boolean)])


def standing(pipeline: Pipeline, window: Window) -> dict[str, pl.Expr]:
    """
    Whether a deal is ``open``, ``won`` or ``lost``, as ``classified`` marks it, by its own columns.

    Examples
    --------
    >>> deals = pl.DataFrame({"stage": ["Won", None], "closed": [None, None]})
    >>> is_open = standing(Pipeline().covering(["Won"]), Window())["open"]
    >>> deals.select(is_open).to_series().to_list()
    [False, True]
    """
    won, lost = (is_one_of("stage", pipeline.names(kind)) for kind in (Kind.WON, Kind.LOST))
    inside = window.holds("closed")
    return {"open": ~(won | lost), "won": won & inside, "lost": lost & inside}


def counts_of(
    pipeline: Pipeline, window: Window, when: pl.Expr, as_of: date | None
) -> dict[str, pl.Expr]:
    """
    Which deals the counts of a metric of the present are of, by their columns.

    Parameters
    ----------
    pipeline, window
        As for ``standing``.
    when
        What else has to be so of closed deals.
    as_of
        Day by which open deals are overdue; None where nothing says so.
    """
    stands = standing(pipeline, window)
    found = {
        "open": stands["open"],
        "won": stands["won"] & when,
        "lost": stands["lost"] & when,
        # what closed outside the window counts nowhere
        "deals": stands["open"] | stands["won"] | stands["lost"],
    }
    if as_of is not None:
        late = (pl.col("expected_close") < as_of).fill_null(value=False)
        found["overdue"] = stands["open"] & late
    return found


def counts_named(as_of: date | None) -> frozenset[str]:
    """Names of the counts that ``counts_of`` has."""
    return frozenset(("open", "won", "lost", "deals", *(() if as_of is None else ("overdue",))))


def closed_stage(pipeline: Pipeline) -> pl.Expr:
    """Whether the stage of a deal is a won or lost one."""
    return is_one_of("stage", [stage.name for stage in pipeline if stage.kind is not Kind.OPEN])


def is_one_of(column: str, texts: Iterable[str]) -> pl.Expr:
    """Whether a column has one of a few texts; false where it has none."""
    # comparing with one name after the other is faster than is_in for the few that there are
    hits = [(pl.col(column) == text).fill_null(value=False) for text in texts]
    return reduce(or_, hits, pl.lit(value=False))
