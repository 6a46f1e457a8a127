"""Commits as people read them: who, when, which deals, which values."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dealdb.board.parts.cells import in_table
from dealdb.board.parts.paths import deal_link
from dealdb.formats.cells import to_text

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest
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


def commits_after(asked: PageRequest, begin: int | str, seq: int) -> LastCommits:
    """
    The last commits after one; those that a page has no room for are not read.

    Parameters
    ----------
    asked
        The page.
    begin
        That one, by its token or number, or a moment.
    seq
        Number of the newest commit.

    Raises
    ------
    FeedReset
        If the history does not have it.
    StoreError
        If the server can't be reached.
    """
    first = seq - MOST_COMMITS
    with asked.db.changes(begin, timeout_s=0) as feed:
        if int(feed.token.partition("-")[0]) >= first:
            return _read(feed)
    with asked.db.changes(first, timeout_s=0) as feed:
        return _read(feed)


def _read(feed: Feed) -> LastCommits:
    commits = deque(map(head_of, feed), maxlen=MOST_COMMITS)
    return LastCommits(commits=list(reversed(commits)), token=feed.token)


def last_commits(asked: PageRequest, seq: int) -> LastCommits:
    """
    The last commits up to one, by its number: as many as a page shows, or fewer where a load has made them large.

    Raises
    ------
    StoreError
        If the server can't be reached.
    """
    # a commit of a load has thousands of deals, which are all read for the few that are shown
    usual = len(asked.db) / max(1, seq)
    found = commits_after(asked, max(0, seq - _STEPS[0]), seq)
    for n in _STEPS[1:]:
        has_many = sum(each.n_deals for each in found.commits) > _MANY_DEALS
        if has_many or n * usual > _MOST_READ or len(found.commits) >= seq:
            break
        found = commits_after(asked, max(0, seq - n), seq)
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
