"""What changed since a day, a commit or one's last visit: lists with their sums, and the waterfall of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.answers.day_words import DAY_WORDS, day_named
from dealdb.board.figures.figure import Figure
from dealdb.board.figures.moves import COMPARED, Moves, moves_between
from dealdb.board.figures.panel import FigurePanel, figure_panel
from dealdb.board.pages.page import BoardPage, Shown
from dealdb.board.parts.cells import in_table
from dealdb.board.parts.paths import deal_link
from dealdb.errors import FeedReset, NotYetKnown, QueryError
from dealdb.model.fiscal import time_zone
from dealdb.model.moments import read_moment

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest
    from dealdb.database import DealDatabase

# of one list; the CSV file has all
MOST_SHOWN = 20
LAST_VISIT = "my-last-visit"
WORDS = ("today", "yesterday", "monday", "this-month", "this-quarter", "last-quarter")
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """
    Where the window begins.

    Attributes
    ----------
    day
        The day from whose start on changes count; None where it is a moment.
    moment
        The last moment before.
    said
        In words.
    """

    day: date | None
    moment: datetime | date
    said: str


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
    begin = _begin(asked, since)
    lists = _lists(asked, begin)
    table = _table(lists)
    return Shown(
        for_template={
            "since": since,
            "begin": begin,
            "words": [
                (word, asked.here(since=word))
                for word in (*WORDS, *([LAST_VISIT] if asked.last_visit else []))
            ],
            "lists": [
                (each, [_deal(asked, each, row) for row in each.deals.head(MOST_SHOWN).to_dicts()])
                for each in lists
            ],
            "most": MOST_SHOWN,
            "panel": _waterfall(asked, begin),
            "csv": asked.data_link(".csv"),
        },
        data={
            "since": begin.day or begin.moment,
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
        table=table,
    )


def _begin(asked: PageRequest, since: str) -> Begin:
    """
    The window that a text means.

    Raises
    ------
    QueryError
        If it means none.
    """
    db, locale = asked.db, asked.locale
    if since == LAST_VISIT:
        return _since_visit(asked)
    today = datetime.now(time_zone(db.pipeline.zone)).date()
    day = day_named(since, today)
    if day is None and not since[:1].isdigit():
        day = _period(db, since, today)
    if day is None and "-" in since and since.partition("-")[2].isalnum() and len(since) > 17:
        moment = _moment_of(db, since)
        return Begin(day=None, moment=moment, said=f"since the commit {since.partition('-')[0]}")
    if day is None:
        found = _read(since)
        if isinstance(found, datetime):
            text = in_table(found, locale)
            return Begin(day=None, moment=found, said=f"since {text}")
        day = found
    if day > today:
        msg = f"since={since[:40]!r} is in the future: nothing has changed since"
        raise QueryError(msg)
    # a day begins at its midnight
    return Begin(day=day, moment=day - timedelta(days=1), said=f"since {locale.day(day)}")


def _since_visit(asked: PageRequest) -> Begin:
    if asked.last_visit is None:
        raise NotYetKnown("this browser knows no earlier visit to this page")
    text = in_table(asked.last_visit, asked.locale)
    return Begin(day=None, moment=asked.last_visit, said=f"since your last visit, at {text}")


def _read(since: str) -> datetime | date:
    try:
        return read_moment(since, "since")
    except QueryError:
        msg = f"since={since[:40]!r} is not understood: write {DAY_WORDS}; this-quarter; a moment; or a token"
        raise QueryError(msg) from None


def _period(db: DealDatabase, since: str, today: date) -> date | None:
    try:
        return db.analytics.period(since, today=today)[1]
    except QueryError:
        return None


def _moment_of(db: DealDatabase, token: str) -> datetime:
    """
    The last moment at which nothing behind a commit had happened.

    Raises
    ------
    QueryError
        If the history does not have it.
    """
    try:
        with db.changes(token, timeout_s=0) as feed:
            following = next(feed, None)
    except FeedReset as error:
        raise QueryError(str(error)) from error
    return datetime.now(UTC) if following is None else following.when - _MS


def _lists(asked: PageRequest, begin: Begin) -> list[Moves]:
    db = asked.db
    past = _past(db, begin)
    then, now = (_columns(each, asked.where) for each in (past, db))
    if asked.where:
        # a deal that the filter keeps at one end is shown with what it was at the other
        ids = pl.concat([then["id"], now["id"]]).unique()
        then, now = (
            _columns(each, None).filter(pl.col("id").is_in(ids.implode())) for each in (past, db)
        )
    return moves_between(then, now, db.pipeline)


def _past(db: DealDatabase, begin: Begin) -> Any:
    """The deals of before: as they were, for a day; as they were recorded, for a moment at which someone looked."""
    if begin.day is None:
        return db.as_of(begin.moment)
    try:
        return db.as_of(begin.moment, time="event")
    except QueryError:
        # before the first fact there was no deal, in either sense
        return db.as_of(begin.moment)


def _columns(source: Any, where: str | None) -> pl.DataFrame:
    names = ["id", *(name for name in COMPARED if name in source.schema)]
    found: pl.DataFrame = source.query.find(where, columns=names)
    return found


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
