"""What changed since a day, a commit or one's last visit: lists with their sums, and the waterfall of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.board.figures.changed_since import LAST_VISIT, Begin, begin_of, changed_since
from dealdb.board.figures.figure import Figure
from dealdb.board.figures.moves import COMPARED, Moves
from dealdb.board.figures.named import changes_address
from dealdb.board.figures.panel import FigurePanel, figure_panel
from dealdb.board.pages.page import BoardPage, Shown
from dealdb.board.parts.at_once import AtOnce
from dealdb.board.parts.cells import in_table
from dealdb.board.parts.paths import deal_link
from dealdb.errors import QueryError
from dealdb.store.log.entry import Position

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest

# of one list; the CSV file has all
MOST_SHOWN = 20
WORDS = ("today", "yesterday", "monday", "this-month", "this-quarter", "last-quarter")


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedDeal:
    """A deal of a list, in words."""

    link: str
    name: str
    owner: str
    amount: str
    change: str


def show(asked: PageRequest) -> Shown:
    """The lists of what changed, the waterfall where the window begins with a day."""
    since = asked.option("since", "monday") or "monday"
    begin = begin_of(asked, since)
    lists = changed_since(asked.db, begin, AtOnce(asked.db).snapshot, asked.where)
    return Shown(
        for_template={
            "since": since,
            "begin": begin,
            "words": [
                (word, asked.here(since=word))
                for word in (*WORDS, *([LAST_VISIT] if asked.last_visit else []))
            ],
            "lists": [
                (
                    each,
                    changes_address(asked, begin, each.kind),
                    [_deal(asked, each, row) for row in each.deals.head(MOST_SHOWN).to_dicts()],
                )
                for each in lists
            ],
            "most": MOST_SHOWN,
            "panel": _waterfall(asked, begin),
            "csv": asked.data_link(".csv"),
        },
        data=lambda: {
            "since": since if isinstance(begin.at, Position) else begin.at,
            "lists": [
                {
                    "name": each.kind.name,
                    "n": each.deals.height,
                    "sums": [{"currency": key, "value": total} for key, total in each.sums.items()],
                    "deals": each.deals.to_dicts(),
                }
                for each in lists
            ],
        },
        rows=partial(_table, lists),
    )


def _waterfall(asked: PageRequest, begin: Begin) -> FigurePanel | None:
    if begin.day is None:
        return None
    options = {"since": str(begin.day)} | ({"where": asked.where} if asked.where else {})
    try:
        return figure_panel(asked, Figure("waterfall", options))
    except QueryError:
        # there is no fact as old as that
        return None


def _deal(asked: PageRequest, moves: Moves, row: dict[str, Any]) -> MovedDeal:
    locale, column = asked.locale, moves.kind.column
    amount, currency = row["amount"], row["currency"]
    names = [row[name] for name in ("name", "company") if row[name]]
    change = ""
    if column == "amount" or (column is not None and row["was"] is not None):
        was, now = (in_table(row[name], locale) or "none" for name in ("was", column))
        change = f"{was} → {now}"
    elif moves.kind.name in ("new", "deleted"):
        change = row["stage"] or ""
    return MovedDeal(
        link=deal_link(asked, row["id"]),
        name=in_table(names[0] if names else row["id"], locale),
        owner=in_table(row["owner"], locale),
        amount="" if amount is None else locale.money(amount, currency),
        change=change,
    )


def _table(lists: Sequence[Moves]) -> pl.DataFrame:
    if not lists:
        return pl.DataFrame(
            schema=dict.fromkeys(("change", "id", *COMPARED, "was", "value"), pl.String)
        )
    return pl.concat(
        each.deals.select(
            pl.lit(each.kind.name).alias("change"),
            pl.col("id"),
            *(pl.col(name).cast(pl.String) for name in COMPARED),
            pl.col("was").cast(pl.String),
            pl.col("value").cast(pl.String),
        )
        for each in lists
    )


CHANGED = BoardPage(
    path="/changes", title="Changes", template="changes.html", show=show, is_visit=True
)
