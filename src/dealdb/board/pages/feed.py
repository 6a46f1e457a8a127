"""The feed: the last commits, and those that come while the page is open."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.board.pages.page import BoardPage, Shown
from dealdb.board.parts.at_once import AtOnce
from dealdb.board.parts.cells import in_table
from dealdb.board.parts.paths import deal_path
from dealdb.formats.cells import to_text

if TYPE_CHECKING:
    from polars._typing import SchemaDict

    from dealdb import Commit, DealChange
    from dealdb.board.page_request import PageRequest

MOST_COMMITS = 100
# of one commit; a load has thousands
MOST_DEALS = 5
MOST_FIELDS = 6
_SCHEMA: SchemaDict = {
    "seq": pl.Int64, "when": pl.Datetime("ms", "UTC"), "who": pl.String, "kind": pl.String, "deals": pl.Int64,
    "ids": pl.String, "token": pl.String,
}  # fmt: skip


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
    names = _names(asked, newest)
    table = pl.DataFrame([_row(each) for each in newest], schema=_SCHEMA, orient="row")
    return Shown(
        for_template={
            "commits": [_commit(asked, each, names) for each in newest],
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


def _names(asked: PageRequest, commits: Sequence[Commit]) -> dict[str, str]:
    """What the deals are called now."""
    ids = list({each.id for commit in commits for each in commit.deals[:MOST_DEALS]})
    found = zip(ids, asked.db.get_deals(ids), strict=True)
    return {id_: str(deal["name"]) for id_, deal in found if deal is not None and deal.get("name")}


def _commit(asked: PageRequest, commit: Commit, names: Mapping[str, str]) -> FedCommit:
    return FedCommit(
        seq=commit.seq,
        when=in_table(commit.when, asked.locale),
        moment=to_text(commit.when),
        who=commit.actor or "somebody",
        kind=commit.kind,
        deals=[_deal(asked, each, names) for each in commit.deals[:MOST_DEALS]],
        more=max(0, len(commit.deals) - MOST_DEALS),
    )


def _deal(asked: PageRequest, change: DealChange, names: Mapping[str, str]) -> FedDeal:
    # the name stands before the fields
    given = [(key, value) for key, value in change.values.items() if key not in ("updated", "name")]
    return FedDeal(
        id=in_table(change.id, asked.locale),
        name=in_table(change.values.get("name") or names.get(change.id), asked.locale),
        link=asked.base + deal_path(change.id),
        outcome=change.outcome,
        fields=[
            (name, "none" if value is None else in_table(value, asked.locale))
            for name, value in given[:MOST_FIELDS]
        ],
        more=max(0, len(given) - MOST_FIELDS),
    )


FEED = BoardPage(path="/feed", title="Feed", template="feed.html", show=show)
