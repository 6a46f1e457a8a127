"""``LiveView``: what all pages that show the same are told, rendered once for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from dealdb.analytics.options import as_of_day
from dealdb.board.figures.named import named_deals
from dealdb.board.html import environment
from dealdb.board.kanban.board_view import BoardView
from dealdb.board.kanban.making import BoardColumn
from dealdb.board.kanban.running_board import RunningBoard
from dealdb.board.live.client import wake
from dealdb.board.live.feed_news import feed_news
from dealdb.board.parts.at_once import AtOnce
from dealdb.board.parts.parameters import asks_the_clock, asks_the_day
from dealdb.errors import QueryError
from dealdb.store.history.feed_start import vector_in

if TYPE_CHECKING:
    import polars as pl

    from dealdb.board.kanban.changed_deals import Step
    from dealdb.board.live.client import LiveClient
    from dealdb.board.live.recent import RecentCommits
    from dealdb.board.page_request import PageRequest

# cards of one event; the columns of any more are asked for anew
MOST_CARDS = 60
# deals of a list that are told one by one
MOST_CHANGED = 500

# the lane, if any, and the stage; or a lane and its name
ColumnKey = tuple[str | None, str | None, bool]


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column as it was sent: its head, and the cards by their ids, in order; and what it was made of."""

    head: str
    rest: str
    cards: Mapping[str, str]
    made_of: BoardColumn | None = field(default=None, compare=False)


@dataclass(slots=True)
class LiveView:
    """
    Pages that show the same.

    Attributes
    ----------
    asked
        What they show.
    clients
        The pages.
    shown
        The columns that they show.
    state
        The event without the deals, as it was sent last.
    ids
        Of the deals that a table had then; None before.
    behind
        The filters of the number whose deals a table has, if it is of one: a page that is opened later has others.
    """

    asked: PageRequest
    clients: list[LiveClient] = field(default_factory=list)
    shown: Mapping[ColumnKey, ShownColumn] | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    board: RunningBoard | None = None
    ids: pl.Series | None = None
    behind: list[pl.Expr] = field(default_factory=list)

    @property
    def asks_the_clock(self) -> bool:
        """Whether pages may show other deals later, though none is changed."""
        return self.asked.path in ("/", "/deals") and asks_the_clock(self.asked.where)

    def render(self, recent: RecentCommits, step: Callable[[], Step]) -> None:
        """
        Send the news to all pages: the same bytes to those that have seen the same.

        Parameters
        ----------
        recent
            What the feed has had; the deals are read after its last commit.
        step
            Gives these deals, and what has changed since the views were rendered the last time.
        """
        if self.asked.path == "/feed":
            self._feed(recent)
            return
        token = recent.token
        clients = list(self.clients)
        news, after, day, now = (
            self._board(step()) if self.asked.path == "/" else self._list(clients)
        )
        # nearly all pages have seen the same
        made: dict[tuple[bool, str | None, int | None, str | None], bytes | None] = {}
        for client in clients:
            if not client.is_told and recent.is_to_come(client.token, now):
                # it is told with them
                continue
            key = client.is_told, client.token, client.seq, client.day
            if key not in made:
                # of a page that was made yesterday other cards are overdue by now, and it may list other deals
                is_of_today = day is None or client.day in (None, day)
                ids = _since(recent, client, now) if is_of_today else None
                made[key] = news(ids, token, is_told=client.is_told)
            client.token, client.seq, client.is_told, client.day = token, None, True, None
            if (event := made[key]) is not None:
                client.add(event)
        wake(clients)
        after()

    def _board(self, step: Step) -> _Round:
        self._tell_moments_in(step.deals)
        self.board = self.board or RunningBoard(self.asked)
        view = self.board.view(step)
        before = self.shown
        columns = shown_columns(view, self.asked, before or {})
        state = _state(self.asked, view, view.deals, view.kept) | {
            "day": view.today.isoformat(),
            "closed": view.options.closed_said(self.asked.locale),
            "notes": str(_macro("notes")(view, self.asked.locale)).strip(),
        }

        def news(ids: frozenset[str] | None, token: str, *, is_told: bool) -> bytes | None:
            if ids is None:
                return event("reload", state, token)
            parts = _parts(columns, before if is_told else None, ids)
            if is_told and not parts and state == self.state:
                return None
            # stages that came or went are columns that a page does not have
            if is_told and before is not None and list(before) != list(columns):
                return event("reload", state, token)
            # without what was shown before these are all columns: a page may have one that is gone;
            # with it, a page that was made in between may have one that is again as it was before
            # of a page that has been told they are shown already
            same = {"notes"} if is_told and state["notes"] == self.state.get("notes") else set()
            said = {name: value for name, value in state.items() if name not in same}
            told = {"columns": parts, "whole": not is_told, "after": self.state.get("seq", 0)}
            if vector_in(view.token or ""):
                # the number of a commit says nothing of a card there
                told["token"] = view.token
            return event("board", said | told, token)

        def after() -> None:
            self.shown, self.state = columns, state

        return news, after, state["day"], view.token

    def _list(self, clients: Iterable[LiveClient]) -> _Round:
        deals = AtOnce(self.asked.db)
        self._tell_moments_in(deals)
        total = deals.query.count()
        is_list = self.asked.path == "/deals"
        before, here = self.ids, self._kept(deals, clients) if is_list else None
        is_of_day = is_list and asks_the_day(self.asked.where)
        is_timed = is_of_day or self.asks_the_clock
        kept = total if here is None else len(here)
        state = _state(self.asked, deals, total, kept)

        def news(ids: frozenset[str] | None, token: str, *, is_told: bool) -> bytes | None:
            if ids is None or len(ids) > MOST_CHANGED:
                return event("view", state | {"changed": None}, token)
            found = set(ids) if is_list else set()
            # of a page that was told nothing yet it is not known what it lists
            if here is not None and is_told:
                # those that have left it, too
                found = _among(here, ids) | _among(before, ids)
            # no commit has done it: time has gone on
            is_of_time = is_told and is_timed and not ids and not _are_same(before, here)
            if is_told and not found and state == self.state and not is_of_time:
                return None
            return event("view", state | {"changed": None if is_of_time else sorted(found)}, token)

        def after() -> None:
            self.state, self.ids = state, here

        day = as_of_day(None, deals.pipeline.zone).isoformat() if is_of_day else None
        return news, after, day, deals.token

    def _kept(self, deals: AtOnce, clients: Iterable[LiveClient]) -> pl.Series | None:
        """Ids of the deals that a table has; None where it has all."""
        if any(not each.is_told for each in clients):
            # a number is looked up for new pages: to ask for its figure after each commit would hold up all
            self._look_behind(deals)
        if self.behind:
            deals.narrow(reduce(or_, self.behind))
        elif not self.asked.where:
            return None
        return deals.query.select(self.asked.where).frame["id"]

    def _look_behind(self, deals: AtOnce) -> None:
        found = _behind(self.asked, deals)
        if found is None:
            self.behind = []
        elif not any(found.meta.eq(each) for each in self.behind):
            self.behind = [*self.behind, found]

    def _feed(self, recent: RecentCommits) -> None:
        """Each page is told what it has not seen, by the token of what it has seen."""
        deals = AtOnce(self.asked.db, ["id"])
        self._tell_moments_in(deals)
        total = deals.query.count()
        state = _state(self.asked, deals, total, total)
        made: dict[str | None, tuple[str | None, str | None]] = {}
        for client in list(self.clients):
            if recent.is_to_come(client.token, deals.token):
                # it is told of them, and not of what it shows
                continue
            if client.token not in made:
                made[client.token] = feed_news(self.asked, recent, client.token)
            html, token = made[client.token]
            is_news = html != "" or not client.is_told
            client.token, client.is_told = token or client.token, True
            if html is None:
                client.put(event("reload", state))
            elif is_news:
                client.put(event("feed", state | {"commits": html}, token))

    def _tell_moments_in(self, deals: AtOnce) -> None:
        """Have moments told by the clocks of the zone that the pipeline has now."""
        asked = self.asked.by_clocks_of(deals.pipeline.zone)
        if asked != self.asked:
            self.asked, self.board = asked, None


def _behind(asked: PageRequest, deals: AtOnce) -> pl.Expr | None:
    """The filter of the number that a table is of; None where it is of none."""
    try:
        named = named_deals(asked, deals.snapshot)
    except QueryError:
        # the number is gone since the page was made: any deal may be one of its own
        return None
    return None if named is None else named.where


def _since(recent: RecentCommits, client: LiveClient, now: str | None) -> frozenset[str] | None:
    """Deals changed since what a page shows; None where that is not known."""
    # it may have been made since the last commit that the feed has had
    if now is not None and client.token == now:
        return frozenset()
    return recent.since(client.token, client.seq)


def _among(here: pl.Series | None, ids: frozenset[str]) -> set[str]:
    return set() if here is None or not ids else set(here.filter(here.is_in(list(ids))))


def _are_same(before: pl.Series | None, here: pl.Series | None) -> bool:
    return before is None or here is None or before.equals(here)


# what makes the events, what is to be done when all are told, the day, and the commit of the deals, by its token
_Round: TypeAlias = "tuple[_News, Callable[[], None], str | None, str | None]"


class _News(Protocol):
    """Makes an event of what is new."""

    def __call__(self, ids: frozenset[str] | None, token: str, *, is_told: bool) -> bytes | None:
        """The event for pages since whose commit these deals were changed; None where nothing is new."""


def _state(asked: PageRequest, shown: BoardView | AtOnce, deals: int, kept: int) -> dict[str, Any]:
    number, seq = asked.locale.number, shown.seq
    word = "deal" if deals == 1 else "deals"
    # of several partitions it is how many they have, and the number of none
    commit = f"{number(seq)} commits" if vector_in(shown.token or "") else f"commit {number(seq)}"
    return {
        "seq": seq,
        "state": f"{commit} · {number(deals)} {word}",
        "deals": number(deals),
        "kept": f"{number(kept)} {'deal' if kept == 1 else 'deals'}",
    }


def shown_columns(
    view: BoardView, asked: PageRequest, before: Mapping[ColumnKey, ShownColumn]
) -> dict[ColumnKey, ShownColumn]:
    """The columns as HTML, and the names of the lanes; a column that is as it was before is taken from there."""
    head, rest, lane_head = map(_macro, ("head", "rest", "lane_head"))

    def shown(key: ColumnKey, column: BoardColumn, level: int) -> ShownColumn:
        known = before.get(key)
        if known is not None and known.made_of == column:
            return known
        return ShownColumn(
            str(head(column, asked.locale, level)),
            str(rest(column, asked.locale)),
            {each.id: each.html for each in column.cards},
            column,
        )

    found: dict[ColumnKey, ShownColumn] = {}
    for each in [*view.columns, *view.closed]:
        key: ColumnKey = (None, each.figures.stage, False)
        found[key] = shown(key, each, 2)
    for lane in view.lanes:
        found[lane.key, None, True] = ShownColumn(str(lane_head(lane, asked.locale)), "", {})
        for part in lane.columns:
            key = (lane.key, part.figures.stage, False)
            found[key] = shown(key, part, 3)
    return found


def _macro(name: str) -> Any:
    """A part of the board that is also sent alone."""
    return getattr(environment().get_template("columns.html").module, name)


def _parts(
    columns: Mapping[ColumnKey, ShownColumn],
    before: Mapping[ColumnKey, ShownColumn] | None,
    ids: frozenset[str],
) -> list[dict[str, Any]]:
    """What is new in each column; all columns for a page of which it is not known what it shows."""
    found: list[dict[str, Any]] = []
    room = MOST_CARDS
    for key, column in columns.items():
        had = before.get(key) if before is not None else None
        known = had.cards if had is not None else column.cards
        cards = {
            each: html
            for each, html in column.cards.items()
            if each in ids or known.get(each) != html
        }
        if had is not None and had == column and not cards:
            continue
        lane, stage, is_name = key
        part: dict[str, Any] = {"lane": lane, "stage": stage, "head": column.head}
        if is_name:
            found.append(part | {"is_name": True})
            continue
        if len(cards) > room:
            found.append(part | {"reload": True})
            continue
        room -= len(cards)
        part |= {"rest": column.rest, "order": list(column.cards), "cards": cards}
        found.append(part)
    return found


def event(kind: str, data: Mapping[str, Any], token: str | None = None) -> bytes:
    r"""
    An event as the stream has it.

    Examples
    --------
    >>> event("view", {"n": 7}, "4-f5")
    b'id: 4-f5\nevent: view\ndata: {"n": 7}\n\n'
    """
    # what is no ASCII is escaped, ends of lines too
    name = f"id: {token}\n" if token is not None else ""
    return f"{name}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
