"""Deals at the two ends of a window: what was so of each before, and what after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from dealdb.analytics.history.opens import kind_of
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.state import known_lives, latest
from dealdb.analytics.options import Window, day_of
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline

# what columns of the state before and after begin with
BEFORE, AFTER = "_0", "_1"
ABSENT, IN, OUT = "absent", "in", "out"


def before(name: str) -> pl.Expr:
    """Column of the state before."""
    return pl.col(BEFORE + name)


def after(name: str) -> pl.Expr:
    """Column of the state after."""
    return pl.col(AFTER + name)


def needed(option: str, moment: int | None) -> int:
    """
    The moment of an option that has to be given.

    Raises
    ------
    QueryError
        If it is not.
    """
    if moment is None:
        msg = f"{option} is needed: a day such as 2026-01-31"
        raise QueryError(msg)
    return moment


def window_of(past: Past, since: object, until: object) -> tuple[int, Past, Window]:
    """
    First moment of a window, the past up to its end, and its days.

    Raises
    ------
    QueryError
        If ``since`` is not given or after the end, or the end is before the first fact.
    """
    first, end, window = past.bounds(since, until)  # type: ignore[arg-type]
    start = needed("since", first)
    if start > end:
        msg = f"since={window.since} is after {past.day}, the last day of which something is known"
        raise QueryError(msg)
    return start, past.ending(end), window


def due_of(due: Sequence[object] | None) -> Window | None:
    """
    Window on the expected closing date.

    Raises
    ------
    QueryError
        If it is not two dates, the first one not after the second.

    Examples
    --------
    >>> due_of(("2026-01-01", "2026-04-01")).until
    datetime.date(2026, 4, 1)
    """
    if due is None:
        return None
    if isinstance(due, str) or not isinstance(due, Sequence) or len(due) != 2:  # type: ignore[redundant-expr]  # callers may be untyped
        msg = "due is two dates: the first day, and the day after the last"
        raise QueryError(msg)
    first, last = (day_of("due", each) for each in due)  # type: ignore[arg-type]
    if first and last and first > last:
        msg = f"due={first}, {last} is the wrong way round: swap them"
        raise QueryError(msg)
    return Window(first, last)


def ends_of(past: Past, first: int, names: Iterable[str]) -> pl.DataFrame:
    """
    Every deal that counts at both ends.

    A deal that was deleted and saved again is one, with what it was at each end.

    Returns
    -------
    polars.DataFrame
        ``id``, ``life`` (its last one), ``begin``, ``end``; and of both ends ``alive``, each name, and the moment at
        which that last changed (``name_at``).
    """
    wanted = list(dict.fromkeys(names))
    lives = past.facts.lives.select("life", "begin", "end")
    last = _side(past, past.moment, wanted, AFTER).unique("id", keep="last", maintain_order=True)
    start = _side(past, first, wanted, BEFORE).filter(before("alive")).drop("life")
    known = past.chosen(last).join(lives, on="life", how="left", maintain_order="left")
    return known.join(start, on="id", how="left", maintain_order="left")


def _side(past: Past, moment: int, names: Sequence[str], mark: str) -> pl.DataFrame:
    found = known_lives(past.facts, moment).rename({"is_alive": f"{mark}alive"})
    for name in names:
        if name == "id":
            found = found.with_columns(pl.col("id").alias(f"{mark}id"))
            continue
        last = latest(past.facts.of(name), moment).select(
            "life", pl.col("value").alias(mark + name), pl.col("at").alias(f"{mark}{name}_at")
        )
        found = found.join(last, on="life", how="left", maintain_order="left")
    return found


def standing(mark: str, pipeline: Pipeline, due: Window | None) -> pl.Expr:
    """Where a deal stands at an end: absent, in (open and due), out (open and not due), won or lost."""
    alive = pl.col(f"{mark}alive").fill_null(value=False)
    kind = kind_of(pipeline, f"{mark}stage")
    is_due = pl.lit(value=True) if due is None else due.holds(f"{mark}expected_close")
    is_open = pl.when(is_due).then(pl.lit(IN)).otherwise(pl.lit(OUT))
    return pl.when(~alive).then(pl.lit(ABSENT)).when(kind == "open").then(is_open).otherwise(kind)
