"""Deals at the two ends of a window: what was so of each before, and what after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from dealdb.analytics.history.lookup import gathered
from dealdb.analytics.history.opens import kind_of
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.state import latest_rows
from dealdb.analytics.options import Window, day_of
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline
from dealdb.store.facts.facts import Facts

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
    facts, lives = past.facts, past.facts.lives
    begun = lives.filter(pl.col("begin") < past.moment)["life"]
    last = past.chosen(_last_of_deals(facts, begun).to_frame("life"))["life"]
    was = lives_at(facts, first).gather(facts.deals.gather(last))
    states = [
        column
        for mark, moment, own in ((AFTER, past.moment, last), (BEFORE, first, was))
        for column in _side(facts, moment, own, dict.fromkeys(names), mark)
    ]
    ends = lives["end"].gather(last)
    alive = (ends >= past.moment).fill_null(value=True)
    return pl.DataFrame(
        [
            last.alias("life"),
            *(lives[name].gather(last) for name in ("id", "begin", "end")),
            alive.alias(f"{AFTER}alive"),
            was.is_not_null().alias(f"{BEFORE}alive"),
            *states,
        ]
    )


def _last_of_deals(facts: Facts, lives: pl.Series) -> pl.Series:
    """The last of some lives of each deal, in their order."""
    found = pl.repeat(None, facts.lives.height, dtype=pl.UInt32, eager=True)
    return found.scatter(facts.deals.gather(lives), lives).drop_nulls().sort()


def lives_at(facts: Facts, moment: int) -> pl.Series:
    """By the number of the deal, the life that it has just before a moment; null where it has none."""
    over = (pl.col("end") < moment).fill_null(value=False)
    there = facts.lives.filter((pl.col("begin") < moment) & ~over)["life"]
    found = pl.repeat(None, facts.lives.height, dtype=pl.UInt32, eager=True)
    return found.scatter(facts.deals.gather(there), there) if there.len() else found


def _side(
    facts: Facts, moment: int, lives: pl.Series, names: Iterable[str], mark: str
) -> Iterator[pl.Series]:
    """Of each life, null for none, the last values before a moment, and when they became so."""
    for name in names:
        if name == "id":
            yield facts.lives["id"].gather(lives).alias(f"{mark}id")
            continue
        own = facts.of(name)
        rows = latest_rows(own, moment, facts.lives.height).gather(lives)
        yield gathered(own["value"], rows).alias(mark + name)
        yield gathered(own["at"], rows).alias(f"{mark}{name}_at")


def standing(mark: str, pipeline: Pipeline, due: Window | None) -> pl.Expr:
    """Where a deal stands at an end: absent, in (open and due), out (open and not due), won or lost."""
    alive = pl.col(f"{mark}alive").fill_null(value=False)
    kind = kind_of(pipeline, f"{mark}stage")
    is_due = pl.lit(value=True) if due is None else due.holds(f"{mark}expected_close")
    is_open = pl.when(is_due).then(pl.lit(IN)).otherwise(pl.lit(OUT))
    return pl.when(~alive).then(pl.lit(ABSENT)).when(kind == "open").then(is_open).otherwise(kind)
