"""Commits as people read them: who, when, which deals, which values."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dealdb.board.parts.cells import in_table
from dealdb.board.parts.paths import deal_link
from dealdb.formats.cells import to_text
from dealdb.store.history.feed_start import seq_of, vector_in, vector_token

if TYPE_CHECKING:
    from datetime import datetime

    from dealdb.board.page_request import PageRequest
    from dealdb.board.parts.at_once import AtOnce
    from dealdb.store.history.feed import Feed
    from dealdb.store.history.feed_commits import Commit, DealChange

# a page shows no more of them
MOST_COMMITS = 100
_STEPS = (5, 25, MOST_COMMITS)
_MANY_DEALS = 2_000
_MOST_READ = 50_000
# of one commit; a load has thousands
MOST_DEALS = 5
MOST_FIELDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class FedDeal:
    """What a commit did to a deal, in words."""

    id: str
    name: str
    link: str
    outcome: str
    fields: list[tuple[str, str]]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FedCommit:
    """A commit as the page shows it."""

    seq: int
    when: str
    moment: str
    who: str
    kind: str
    deals: list[FedDeal]
    more: int


@dataclass(frozen=True, slots=True)
class CommitHead:
    """A commit with those of its deals that a page shows, and how many it has: a load has thousands."""

    commit: Commit
    n_deals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LastCommits:
    """
    The commits after one, the newest first: no more than a page shows.

    Attributes
    ----------
    commits
        They.
    token
        Of the newest one: what comes after it is not among them.
    """

    commits: Sequence[CommitHead]
    token: str


def head_of(commit: Commit) -> CommitHead:
    """What a page shows of a commit."""
    few = replace(commit, deals=commit.deals[:MOST_DEALS], rows=())
    return CommitHead(few, len(commit.deals))


def commits_after(asked: PageRequest, begin: int | str, now: AtOnce) -> LastCommits:
    """
    The last commits after one; those that a page has no room for are not read.

    Parameters
    ----------
    asked
        The page.
    begin
        That one, by its token or number, or a moment.
    now
        The deals.

    Raises
    ------
    FeedReset
        If the history does not have it.
    StoreError
        If the server can't be reached.
    """
    with asked.db.changes(begin, timeout_s=0) as feed:
        if seq_of(feed.token) >= now.seq - MOST_COMMITS:
            return _read(feed)
    return _last(asked, now, MOST_COMMITS)


def _last(asked: PageRequest, now: AtOnce, n: int) -> LastCommits:
    """The last so many commits, of each partition if there are several; what came with them, too."""
    vector = vector_in(now.token or "")
    begin: int | str = max(0, now.seq - n)
    if vector is not None:
        # by their numbers, as nobody knows the hashes of what comes before
        begin = vector_token([(max(0, seq - n), b"") for seq, _ in vector])
    with asked.db.changes(begin, timeout_s=0) as feed:
        return _read(feed) if vector is None else _read_together(feed, vector, n)


def _read(feed: Feed) -> LastCommits:
    commits = deque(_heads(feed), maxlen=MOST_COMMITS)
    return LastCommits(commits=list(reversed(commits)), token=feed.token)


def _heads(feed: Iterable[Commit]) -> Iterator[CommitHead]:
    return (head_of(commit) for commit in feed if not commit.only_follows)


def _read_together(feed: Feed, vector: Sequence[tuple[int, bytes]], n: int) -> LastCommits:
    """Those of several partitions by their times, from when on all of them were read."""
    first: dict[int, datetime] = {}
    heads: list[CommitHead] = []
    for commit in feed:
        if vector[commit.partition][0] > n:
            first.setdefault(commit.partition, commit.when)
        heads.extend(_heads([commit]))
    known = max(first.values(), default=None)
    heads.sort(key=lambda each: each.commit.when)
    commits = [each for each in heads if known is None or each.commit.when >= known]
    return LastCommits(commits=commits[: -MOST_COMMITS - 1 : -1], token=feed.token)


def last_commits(asked: PageRequest, now: AtOnce) -> LastCommits:
    """
    The last commits up to now: as many as a page shows, or fewer where a load has made them large.

    Of several partitions there may be fewer, too, where one has more of them than the others.

    Raises
    ------
    StoreError
        If the server can't be reached.
    """
    # a commit of a load has thousands of deals, which are all read for the few that are shown
    # of each partition as many are read
    vector = vector_in(now.token or "")
    usual = len(asked.db) / max(1, now.seq) * (len(vector) if vector else 1)
    found = _last(asked, now, _STEPS[0])
    for n in _STEPS[1:]:
        has_many = sum(each.n_deals for each in found.commits) > _MANY_DEALS
        is_all = len(found.commits) >= min(now.seq, MOST_COMMITS)
        if has_many or n * usual > _MOST_READ or is_all:
            break
        found = _last(asked, now, n)
    return found


def fed_commits(asked: PageRequest, commits: Sequence[CommitHead]) -> list[FedCommit]:
    """Commits in words."""
    names = _names(asked, [each.commit for each in commits])
    return [_commit(asked, each, names) for each in commits]


def _names(asked: PageRequest, commits: Sequence[Commit]) -> dict[str, str]:
    """What the deals are called now."""
    ids = list({each.id for commit in commits for each in commit.deals})
    found = zip(ids, asked.db.get_deals(ids), strict=True)
    return {id_: str(deal["name"]) for id_, deal in found if deal is not None and deal.get("name")}


def _commit(asked: PageRequest, head: CommitHead, names: Mapping[str, str]) -> FedCommit:
    commit = head.commit
    return FedCommit(
        seq=commit.seq,
        when=in_table(commit.when, asked.locale),
        moment=to_text(commit.when),
        who=commit.actor or "somebody",
        kind=commit.kind,
        deals=[_deal(asked, each, names) for each in commit.deals],
        more=head.n_deals - len(commit.deals),
    )


def _deal(asked: PageRequest, change: DealChange, names: Mapping[str, str]) -> FedDeal:
    # the name stands before the fields
    given = [(key, value) for key, value in change.values.items() if key not in ("updated", "name")]
    return FedDeal(
        id=in_table(change.id, asked.locale),
        name=in_table(change.values.get("name") or names.get(change.id), asked.locale),
        link=deal_link(asked, change.id),
        outcome=change.outcome,
        fields=[
            (name, "none" if value is None else in_table(value, asked.locale))
            for name, value in given[:MOST_FIELDS]
        ],
        more=max(0, len(given) - MOST_FIELDS),
    )
