"""``LiveHub``: follows the feed of a collection and lets its open pages know."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from dealdb.board.kanban.changed_deals import Steps
from dealdb.board.live.live_view import LiveView, event
from dealdb.board.live.recent import RecentCommits
from dealdb.board.live.recent_of_partitions import RecentOfPartitions
from dealdb.database import LiveDeals
from dealdb.errors import DealDBError, StoreError
from dealdb.model.fiscal import time_zone
from dealdb.store.history.feed_start import vector_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, tzinfo

    from dealdb.board.kanban.changed_deals import Step
    from dealdb.board.live.client import LiveClient
    from dealdb.board.page_request import PageRequest
    from dealdb.database import DealDatabase
    from dealdb.store.history.feed import Feed

# open pages of a collection
MOST_CLIENTS = 200
# commits that follow one another are told together
JOIN_S = 0.03
# pages are told at most ten times a second
TICK_S = 0.1
# how long to wait before a server that is away is asked again
AWAY_S = 0.5
# how often the clock is looked at: one that was set, or a machine that slept, gives no sign
LOOK_S = 60.0
ViewKey = tuple[object, ...]


class LiveHub:
    """
    The open pages of a collection.

    Its threads begin with the first page. ``close`` ends them, and every stream; so does the end of the database, and a
    fault in one of them.

    Parameters
    ----------
    db
        The collection.
    """

    def __init__(self, db: DealDatabase) -> None:
        self._db = db
        self._lock = Lock()
        self._views: dict[ViewKey, LiveView] = {}
        self._recent: RecentCommits | None = None
        self._feed: Feed | None = None
        self._steps = Steps(db)
        self._zone: tzinfo = UTC
        self._zone_is_old = Event()
        self._zone_is_old.set()
        self._news = Event()
        self._was_away = Event()
        self._closed = Event()

    def __repr__(self) -> str:
        return f"<LiveHub: {self.clients} pages>"

    @property
    def clients(self) -> int:
        """Number of open pages."""
        return sum(len(view.clients) for view in list(self._views.values()))

    def join(self, key: ViewKey, asked: PageRequest, client: LiveClient) -> bool:
        """
        Let a page know from now on; False where there are too many, or the hub is closed.

        Parameters
        ----------
        key
            The same for pages that show the same.
        asked
            What it shows.
        client
            The page.
        """
        with self._lock:
            if self._closed.is_set() or self.clients >= MOST_CLIENTS:
                return False
            self._views.setdefault(key, LiveView(asked)).clients.append(client)
            is_first = self._recent is None
            if is_first:
                self._recent = RecentCommits("")
        if is_first:
            for work in (self._follow, self._tell):
                name = f"dealdb-board{work.__name__}"
                Thread(target=self._until_closed, args=[work], name=name, daemon=True).start()
        self._news.set()
        return True

    def leave(self, key: ViewKey, client: LiveClient) -> None:
        """A page was closed."""
        with self._lock:
            view = self._views.get(key)
            if view is not None and client in view.clients:
                view.clients.remove(client)
                if not view.clients:
                    del self._views[key]

    def close(self) -> None:
        """End the feed and every stream; safe to repeat."""
        with self._lock:
            self._closed.set()
            feed = self._feed
            views = list(self._views.values())
        self._news.set()
        if feed is not None:
            feed.close()
        for view in views:
            for client in list(view.clients):
                client.end()

    def _until_closed(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            # after a fault of ours, too: pages that are told nothing would seem to be live
            self.close()

    # the thread that follows -----------------------------------------------------------------------

    def _follow(self) -> None:
        while not self._closed.is_set():
            try:
                with self._opened() as feed:
                    self._read(feed)
            except DealDBError:
                # the history is another one, or a part of it is missing: what pages show is made anew
                self._wait_for_server()
            if LiveDeals(self._db).is_closed:
                # by the application that has opened it: nothing will come any more
                self.close()

    def _opened(self) -> Feed:
        feed = self._db.changes()
        with self._lock:
            self._feed = feed
            # pages that show another history find nothing of it here
            of = RecentOfPartitions if vector_in(feed.token) else RecentCommits
            self._recent = of(feed.token)
        self._zone_is_old.set()
        if self._closed.is_set():
            feed.close()
        self._news.set()
        return feed

    def _read(self, feed: Feed) -> None:
        while not self._closed.is_set():
            try:
                for commit in feed:
                    if self._recent is not None:
                        self._recent.add(commit)
                    if commit.kind == "pipeline":
                        self._zone_is_old.set()
                    self._news.set()
            except StoreError as error:
                if not error.retryable:
                    raise
                # the server restarts: the feed goes on where it was
                self._wait_for_server()
            else:
                return

    def _wait_for_server(self) -> None:
        self._broadcast(event("away", {}))
        self._closed.wait(AWAY_S)
        # as soon as it is back pages are told so, though nothing may have been saved
        self._was_away.set()
        self._news.set()

    # the thread that tells -------------------------------------------------------------------------

    def _tell(self) -> None:
        day: date | None = None
        while not self._closed.is_set():
            before, zone = day, self._time_zone()
            day = datetime.now(zone).date()
            # what is overdue changes at midnight, without any commit; a filter on now() does at any time
            pause = AWAY_S if self._was_away.is_set() else _until_midnight(zone)
            is_news = day != before or self._news.wait(pause) or self._was_away.is_set()
            if is_news:
                self._closed.wait(JOIN_S)
                # never else: what has come since would be forgotten
                self._news.clear()
            began = time.monotonic()
            with self._lock:
                views, recent = list(self._views.values()), self._recent
            if self._was_away.is_set():
                self._was_away.clear()
                for view in views:
                    _forget_told(view)
            if recent is not None and recent.token:
                # not before a view asks, and no longer than for this round
                step = cache(partial(self._steps.step, recent.token, recent.rows_between))
                for view in views:
                    if is_news or view.asks_the_clock:
                        self._render(view, recent, step)
                del step
            self._closed.wait(max(0.0, began + TICK_S - JOIN_S - time.monotonic()))

    def _time_zone(self) -> tzinfo:
        """That of the pipeline, in which today() of a filter is, too."""
        if self._zone_is_old.is_set():
            # before it is asked for: it may change meanwhile
            self._zone_is_old.clear()
            try:
                self._zone = time_zone(self._db.pipeline.zone)
            except DealDBError:
                # while the server is away, as it was before
                self._zone_is_old.set()
        return self._zone

    def _render(self, view: LiveView, recent: RecentCommits, step: Callable[[], Step]) -> None:
        try:
            view.render(recent, step)
        except DealDBError as error:
            self._tell_problem(view, str(error), error.code)
            if isinstance(error, StoreError):
                self._was_away.set()
        except Exception:  # noqa: BLE001  # a fault of one view must not end the pages of the others
            self._tell_problem(view, "The board can't show this.", "internal")

    def _tell_problem(self, view: LiveView, message: str, code: str) -> None:
        told = event("problem", {"message": message, "code": code})
        for client in list(view.clients):
            client.put(told)
        _forget_told(view)

    def _broadcast(self, told: bytes) -> None:
        with self._lock:
            clients = [client for view in self._views.values() for client in view.clients]
        for client in clients:
            client.put(told)


def _forget_told(view: LiveView) -> None:
    """Have all pages told what is there, as they now say that they don't know."""
    for client in list(view.clients):
        client.is_told = False


def _until_midnight(zone: tzinfo) -> float:
    """Seconds until the next day begins in a zone; never more than the clock is left alone."""
    now = datetime.now(zone)
    # of an hour that clocks skip or repeat it is the first moment
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), zone)
    return min(LOOK_S, max(0.0, (midnight - now.astimezone(UTC)).total_seconds()))
