"""What changed since a day, a commit, a moment or one's last visit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from dealdb.answers.day_words import DAY_WORDS, day_named
from dealdb.board.figures.moves import COMPARED, KINDS, MoveKind, Moves, moves_between
from dealdb.board.parts.cells import in_table
from dealdb.database import LiveDeals
from dealdb.errors import FeedReset, NotYetKnown, QueryError
from dealdb.model.fiscal import time_zone
from dealdb.model.moments import read_moment
from dealdb.model.names import unknown
from dealdb.query import FixedDeals, QueryEngine
from dealdb.store.history.feed_start import vector_in
from dealdb.store.log.entry import Position
from dealdb.store.partitions.vector import position_named

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest
    from dealdb.database import DealDatabase
    from dealdb.store.replica.snapshot import Snapshot

LAST_VISIT = "my-last-visit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """
    Where the window begins.

    Attributes
    ----------
    text
        The same for an address, whatever day it is asked for.
    said
        In words.
    at
        The day from whose start on changes count, the last moment before, or the last commit before.
    """

    text: str
    said: str
    at: date | datetime | Position

    @property
    def day(self) -> date | None:
        """The day, where it begins with one."""
        is_day = isinstance(self.at, date) and not isinstance(self.at, datetime)
        return self.at if is_day else None  # type: ignore[return-value]  # it is one


def begin_of(asked: PageRequest, since: str) -> Begin:
    """
    The window that a text means.

    Raises
    ------
    QueryError
        If it means none.
    NotYetKnown
        If this browser knows no earlier visit.
    """
    db, locale = asked.db, asked.locale
    if since == LAST_VISIT:
        return _since_visit(asked)
    if vector_in(since) is not None:
        return _since_commit(db, since)
    today = datetime.now(time_zone(db.pipeline.zone)).date()
    day = day_named(since, today)
    if day is None and not since[:1].isdigit():
        day = _period(db, since, today)
    if day is None and "-" in since and since.partition("-")[2].isalnum() and len(since) > 17:
        return _since_commit(db, since)
    if day is None:
        found = _read(since)
        if isinstance(found, datetime):
            return _since_moment(found, f"since {in_table(found, locale)}")
        day = found
    if day > today:
        msg = f"since={since[:40]!r} is in the future: nothing has changed since"
        raise QueryError(msg)
    return Begin(text=str(day), at=day, said=f"since {locale.day(day)}")


def _since_moment(moment: datetime, said: str) -> Begin:
    return Begin(text=moment.isoformat(), at=moment, said=said)


def _since_visit(asked: PageRequest) -> Begin:
    if asked.last_visit is None:
        raise NotYetKnown("this browser knows no earlier visit to this page")
    text = in_table(asked.last_visit, asked.locale)
    return _since_moment(asked.last_visit, f"since your last visit, at {text}")


def _since_commit(db: DealDatabase, token: str) -> Begin:
    """
    The window behind a commit.

    Raises
    ------
    QueryError
        If the history does not have it.
    """
    try:
        # a feed looks whether the commit is one of this history
        db.changes(token, timeout_s=0).close()
    except FeedReset as error:
        raise QueryError(str(error)) from error
    at = position_named(token)
    said = "since the commits of the token" if vector_in(token) else f"since the commit {at.seq}"
    return Begin(text=token, at=at, said=said)


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


def kind_named(name: str) -> MoveKind:
    """
    The way in which deals change that has this name.

    Raises
    ------
    QueryError
        If none has it.

    Examples
    --------
    >>> kind_named("won").title
    'Won'
    """
    found = [each for each in KINDS if each.name == name]
    if not found:
        raise QueryError(unknown("change", name, [each.name for each in KINDS]))
    return found[0]


def changed_since(
    db: DealDatabase, begin: Begin, now: Snapshot, where: str | None = None
) -> list[Moves]:
    """
    What changed, a list for each way.

    Parameters
    ----------
    db
        The collection.
    begin
        Where the window begins.
    now
        The deals at its end.
    where
        A filter: deals count that it keeps at one end at least.
    """
    past = _past(db, begin)
    then, kept = (_columns(each, where) for each in (past, now))
    if where:
        # a deal that the filter keeps at one end is shown with what it was at the other
        ids = pl.concat([then["id"], kept["id"]]).unique()
        then, kept = (
            _columns(each, None).filter(pl.col("id").is_in(ids.implode())) for each in (past, now)
        )
    return moves_between(then, kept, now.pipeline)


def _past(db: DealDatabase, begin: Begin) -> Snapshot:
    """The deals of before: as they were, for a day; as they were recorded, for what someone looked at."""
    if isinstance(begin.at, Position):
        return LiveDeals(db).after(begin.at)
    if isinstance(begin.at, datetime):
        return db.as_of(begin.at).snapshot
    # a day begins at its midnight
    before = begin.at - timedelta(days=1)
    try:
        return db.as_of(before, time="event").snapshot
    except QueryError:
        # before the first fact there was no deal, in either sense
        return db.as_of(before).snapshot


def _columns(deals: Snapshot, where: str | None) -> pl.DataFrame:
    names = ["id", *(name for name in COMPARED if name in deals.schema)]
    return QueryEngine(FixedDeals(deals)).find(where, columns=names)
