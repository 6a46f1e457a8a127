"""What feeds tell: all that there is, or as it comes; and copies of the deals that are made of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from connected import eventually
from dealdb import Commit, DealDatabase, Feed


def told(db: DealDatabase, since: Any = 0) -> list[Commit]:
    with db.changes(since, timeout_s=0) as feed:
        return list(feed)


def seqs(commits: list[Commit]) -> list[int]:
    return [commit.seq for commit in commits]


class Collector(threading.Thread):
    """Follows a feed to its end in a thread."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.feed = feed
        self.seen: list[Commit] = []
        self.failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            for commit in self.feed:
                self.seen.append(commit)
        except BaseException as failure:
            self.failure = failure

    def until(self, seq: int) -> list[int]:
        """Numbers of the commits that were told, once the one of this number is among them."""
        assert eventually(lambda: bool(self.failure) or seq in seqs(self.seen))
        return seqs(self.seen)

    def has_told(self, *deals: str) -> bool:
        """Whether there was a commit of each of some deals; a failure of the feed is raised."""
        if self.failure:
            raise self.failure
        return {*deals} <= {deal.id for commit in self.seen for deal in commit.deals}

    def stop(self) -> None:
        self.feed.close()
        self.join(60)
        assert not self.is_alive()


@contextmanager
def following(db: DealDatabase) -> Iterator[Callable[..., Collector]]:
    """What begins to follow the feed of a database, until the block ends."""
    followers: list[Collector] = []

    def start(since: Any = None, **options: Any) -> Collector:
        followers.append(Collector(db.changes(since, **options)))
        return followers[-1]

    yield start
    for each in followers:
        each.stop()


def mirrored(commits: list[Commit]) -> dict[str, dict[str, Any]]:
    """A copy of the deals, made of what a feed told."""
    deals: dict[str, dict[str, Any]] = {}
    for commit in commits:
        for deal in commit.deals:
            if deal.outcome == "inserted":
                deals[deal.id] = {}
            if deal.outcome == "deleted":
                del deals[deal.id]
            else:
                deals[deal.id].update(deal.values)
    return {
        deal: {name: value for name, value in values.items() if value is not None}
        for deal, values in deals.items()
    }


def present(db: DealDatabase) -> dict[str, dict[str, Any]]:
    rows = db.query.frame().to_dicts()
    return {
        row.pop("id"): {name: value for name, value in row.items() if value is not None}
        for row in rows
    }
