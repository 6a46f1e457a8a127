"""Deals at the two ends of a window: what was so of each before, and what after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import polars as pl

from dealdb.analytics.history.lookup import gathered
from dealdb.analytics.history.opens import stands_in
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.state import known_lives, latest_rows
from dealdb.analytics.options import Window, day_of
from dealdb.errors import QueryError
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.store.facts.facts import Facts

# what columns of the state before and after begin with
BEFORE, AFTER = "_0", "_1"
ABSENT, IN, OUT = "absent", "in", "out"
# where a deal can stand at an end
STANDS = pl.Enum([ABSENT, IN, OUT, "won", "lost"])
Given = TypeVar("Given")
# the life that a deal had at the first end
_WAS = "_was"


def before(name: str) -> pl.Expr:
    """Column of the state before."""
    return pl.col(BEFORE + name)


def after(name: str) -> pl.Expr:
    """Column of the state after."""
    return pl.col(AFTER + name)


def needed(option: str, given: Given | None) -> Given:
    """
    What was made of an option that has to be given.

    Raises
    ------
    QueryError
        If it is not.

    Examples
    --------
    >>> needed("since", 5)
    5
    """
    if given is None:
        msg = f"{option} is needed: a day such as 2026-01-31"
        raise QueryError(msg)
    return given


def period_of(past: Past, since: object, until: object) -> Window:
    """
    The days of a window that both have to be given.

    Raises
    ------
    QueryError
        If one of them is not, or it ends before the first fact.
    """
    window = past.bounds(since, until)[2]  # type: ignore[arg-type]
    needed("since", window.since)
    needed("until", window.until)
    return window


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


def ends_of(
    past: Past, first: int, names: Iterable[str], *, when: pl.Expr | None = None
) -> pl.DataFrame:
    """
    Every deal that counts at both ends.

    A deal that was deleted and saved again is one, with what it was at each end.

    Parameters
    ----------
    past
        The past, up to the second end.
    first
        The moment of the first end.
    names
        Fields of the columns.
    when
        Which of the deals to keep, by columns of the result: of the others nothing else is looked up.

    Returns
    -------
    polars.DataFrame
        ``life`` (its last one), ``id``, ``begin``, ``end``; and of both ends ``alive`` and each name, and, where a line
        for each deal was asked for, the moment at which that last changed (``name_at``).
    """
    facts, lives = past.facts, past.facts.lives
    last = last_lives(past)
    was = lives_at(facts, first).gather(facts.deals.gather(last))
    ends = pl.DataFrame(
        [
            last.alias("life"),
            lives["end"].gather(last).alias("end"),
            was.alias(_WAS),
            was.is_not_null().alias(f"{BEFORE}alive"),
        ]
    ).with_columns((pl.col("end") >= past.moment).fill_null(value=True).alias(f"{AFTER}alive"))
    if when is not None:
        ends = _with_sides(ends, past, first, when.meta.root_names()).filter(when)
    wanted = [mark + name for mark in (AFTER, BEFORE) for name in dict.fromkeys(names)]
    told = [lives[name].gather(ends["life"]) for name in ("id", "begin")]
    return _with_sides(ends, past, first, wanted).with_columns(told).drop(_WAS)


def last_lives(past: Past) -> pl.Series:
    """The last life of each deal that counts, in their order."""
    begun = past.facts.lives.filter(pl.col("begin") < past.moment)["life"]
    return past.chosen(_last_of_deals(past.facts, begun).to_frame("life"))["life"]


def _last_of_deals(facts: Facts, lives: pl.Series) -> pl.Series:
    """The last of some lives of each deal, in their order."""
    found = pl.repeat(None, facts.lives.height, dtype=pl.UInt32, eager=True)
    return found.scatter(facts.deals.gather(lives), lives).drop_nulls().sort()


def lives_at(facts: Facts, moment: int) -> pl.Series:
    """By the number of the deal, the life that it has just before a moment; null where it has none."""
    there = known_lives(facts, moment, gone=False)["life"]
    found = pl.repeat(None, facts.lives.height, dtype=pl.UInt32, eager=True)
    return found.scatter(facts.deals.gather(there), there) if there.len() else found


def _with_sides(ends: pl.DataFrame, past: Past, first: int, columns: Iterable[str]) -> pl.DataFrame:
    """Ends with columns of the state before and after, by their names."""
    facts = past.facts
    added = []
    for column in dict.fromkeys(columns):
        if column in ends.columns:
            continue
        is_old, name = column.startswith(BEFORE), column.removeprefix(BEFORE).removeprefix(AFTER)
        moment, lives = (first, ends[_WAS]) if is_old else (past.moment, ends["life"])
        if name == "id":
            added.append(facts.lives["id"].gather(lives).alias(column))
            continue
        own = facts.of(name)
        rows = latest_rows(own, moment, facts.lives.height).gather(lives)
        added.append(gathered(own["value"], rows).alias(column))
        if past.deals:
            added.append(gathered(own["at"], rows).alias(f"{column}_at"))
    return ends.with_columns(added)


def standing(mark: str, pipeline: Pipeline, due: Window | None) -> pl.Expr:
    """Where a deal stands at an end: absent, in (open and due), out (open and not due), won or lost."""
    alive = pl.col(f"{mark}alive").fill_null(value=False)
    won, lost = (stands_in(pipeline, kind, f"{mark}stage") for kind in (Kind.WON, Kind.LOST))
    is_due = pl.lit(value=True) if due is None else due.holds(f"{mark}expected_close")
    return (
        pl.when(~alive)
        .then(_stand(ABSENT))
        .when(won)
        .then(_stand("won"))
        .when(lost)
        .then(_stand("lost"))
        .when(is_due)
        .then(_stand(IN))
        .otherwise(_stand(OUT))
    )


def _stand(name: str) -> pl.Expr:
    return pl.lit(name, STANDS)
