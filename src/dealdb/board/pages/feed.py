"""The feed: the last commits, and those that come while the page is open."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.board.pages.page import BoardPage, Shown
from dealdb.board.parts.at_once import AtOnce
from dealdb.board.parts.cells import in_table
from dealdb.board.parts.paths import deal_path
from dealdb.formats.cells import to_text

if TYPE_CHECKING:
    from dealdb import Commit, DealChange
    from dealdb.board.page_request import PageRequest

MOST_COMMITS = 100
# of one commit; a load has thousands
MOST_DEALS = 5
MOST_FIELDS = 6
_SCHEMA = {
    "seq": pl.Int64, "when": pl.Datetime("ms", "UTC"), "who": pl.String, "kind": pl.String, "deals": pl.Int64,
    "ids": pl.String, "token": pl.String,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FedDeal:
    """What a commit did to a deal, in words."""

    id: str
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


def show(asked: PageRequest) -> Shown:
    """The last commits, the newest first; those after a token or number with ``since``."""
    since = asked.option("since")
    begin: int | str = since or max(0, AtOnce(asked.db, ["id"]).seq - MOST_COMMITS)
    if since is not None and since.isdigit():
        begin = int(since)
    with asked.db.changes(begin, timeout_s=0) as feed:
        commits = deque(feed, maxlen=MOST_COMMITS)
        token = feed.token
    newest = list(reversed(commits))
    table = pl.DataFrame([_row(each) for each in newest], schema=_SCHEMA, orient="row")
    return Shown(
        for_template={
            "commits": [_commit(asked, each) for each in newest],
            "token": token,
            "most": MOST_COMMITS,
        },
        data={"token": token, "commits": table.to_dicts()},
        table=table,
        template="commits.html" if asked.option("fragment") else None,
    )


def _row(commit: Commit) -> tuple[Any, ...]:
    ids = ", ".join(each.id for each in commit.deals[:MOST_DEALS])
    return (
        commit.seq, commit.when, commit.actor, commit.kind, len(commit.deals), ids, commit.token
    )  # fmt: skip


def _commit(asked: PageRequest, commit: Commit) -> FedCommit:
    return FedCommit(
        seq=commit.seq,
        when=in_table(commit.when, asked.locale),
        moment=to_text(commit.when),
        who=commit.actor or "somebody",
        kind=commit.kind,
        deals=[_deal(asked, each) for each in commit.deals[:MOST_DEALS]],
        more=max(0, len(commit.deals) - MOST_DEALS),
    )


def _deal(asked: PageRequest, change: DealChange) -> FedDeal:
    given = [(name, value) for name, value in change.values.items() if name != "updated"]
    return FedDeal(
        id=change.id,
        link=asked.base + deal_path(change.id),
        outcome=change.outcome,
        fields=[
            (name, "none" if value is None else in_table(value, asked.locale))
            for name, value in given[:MOST_FIELDS]
        ],
        more=max(0, len(given) - MOST_FIELDS),
    )


FEED = BoardPage(path="/feed", title="Feed", template="feed.html", show=show)
