"""The deals behind a number of a page, which their address names: of a figure, or of a list of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from dealdb.answers.labels import label_of
from dealdb.board.figures.catalogue import ENTRIES
from dealdb.board.figures.changed_since import Begin, begin_of, changed_since, kind_named
from dealdb.board.figures.linked import DealsBehind, deals_behind, key_columns
from dealdb.board.figures.moves import MoveKind
from dealdb.board.figures.sheet import figure_text

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest
    from dealdb.store.replica.snapshot import Snapshot

# of a deal that is gone: what it was
_GONE = ("id", "name", "company", "owner", "stage", "amount", "currency")
_NO_FILTER = (
    "No filter on the deals of now says which these are: because some were deleted or changed since, or count several "
    "times. So here is what each adds."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSaid:
    """
    Which number a page has the deals of.

    Attributes
    ----------
    label, value
        What it is called, and the number.
    groups
        Of which groups it is.
    title, link
        Where it stands.
    """

    label: str
    value: str
    groups: str
    title: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDeals:
    """
    The deals behind a number.

    Attributes
    ----------
    said
        Which number it is.
    metric
        Whose words its lines are in.
    where
        The filter that keeps exactly these deals; None where none can say it.
    lines
        A line for each deal in place of a filter; None where there are none either.
    why
        Why there are lines, for people.
    """

    said: NumberSaid
    metric: str
    where: pl.Expr | None
    lines: pl.DataFrame | None = None
    why: str = _NO_FILTER


def changes_address(asked: PageRequest, begin: Begin, kind: MoveKind) -> str:
    """Address of the deals that changed in one way."""
    return asked.link("/deals", where=None, change=kind.name, since=begin.text, of=asked.where)


def named_deals(asked: PageRequest, now: Snapshot) -> NamedDeals | None:
    """
    The deals that an address names by ``figure``, or by ``change`` and ``since``; None where it names none.

    Parameters
    ----------
    asked
        The page.
    now
        The deals that it shows some of.

    Raises
    ------
    QueryError
        If there is no such number any more.
    """
    if change := asked.option("change"):
        return _changed(asked, now, kind_named(change))
    found = deals_behind(asked)
    if found is None:
        return None
    return NamedDeals(
        said=_figure_said(asked, found),
        metric=found.figure.metric,
        where=found.where,
        lines=found.lines,
    )


def _changed(asked: PageRequest, now: Snapshot, kind: MoveKind) -> NamedDeals:
    begin, of = begin_of(asked, asked.option("since") or "monday"), asked.option("of")
    lists = changed_since(asked.db, begin, now, of)
    deals = next((each.deals for each in lists if each.kind is kind), None)
    n = 0 if deals is None else deals.height
    ids = pl.Series("id", [], dtype=pl.String) if deals is None else deals["id"]
    is_gone = kind.name == "deleted" and deals is not None
    return NamedDeals(
        said=NumberSaid(
            label=kind.title,
            value=asked.locale.number(n),
            groups="",
            title=f"What changed, {begin.said}",
            link=asked.link("/changes", where=of, since=begin.text),
        ),
        metric="changes",
        where=None if is_gone else pl.col("id").is_in(ids.implode()),
        lines=deals.select(_GONE) if is_gone and deals is not None else None,
        why="These deals are there no more: here is what they were.",
    )


def _figure_said(asked: PageRequest, number: DealsBehind) -> NumberSaid:
    name, locale = number.figure.metric, asked.locale
    groups = [figure_text(number.row[key], name, key, locale) for key in key_columns(number.result)]
    column = number.count
    return NumberSaid(
        label=label_of(name, column) if column else "these figures",
        value=figure_text(number.number, name, column, locale) if column else "",
        groups=", ".join(groups),
        title=ENTRIES[name].title,
        link=asked.link(number.figure.path(), where=None),
    )
