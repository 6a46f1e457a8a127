"""The feed: the last commits; those that come while the page is open are told by its stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.board.pages.page import BoardPage, Shown
from dealdb.board.parts.at_once import AtOnce
from dealdb.board.parts.commits import (
    MOST_COMMITS,
    CommitHead,
    commits_after,
    fed_commits,
    last_commits,
)

if TYPE_CHECKING:
    from polars._typing import SchemaDict

    from dealdb.board.page_request import PageRequest

_SCHEMA: SchemaDict = {
    "seq": pl.Int64, "when": pl.Datetime("ms", "UTC"), "who": pl.String, "kind": pl.String, "deals": pl.Int64,
    "ids": pl.String, "token": pl.String,
}  # fmt: skip


def show(asked: PageRequest) -> Shown:
    """The last commits, the newest first; those after a token or number with ``since``."""
    since, now = asked.option("since"), AtOnce(asked.db, ["id"])
    found = last_commits(asked, now) if since is None else commits_after(asked, since, now)
    table = pl.DataFrame([_row(each) for each in found.commits], schema=_SCHEMA, orient="row")
    return Shown(
        for_template={
            "commits": fed_commits(asked, found.commits),
            "token": found.token,
            "most": MOST_COMMITS,
        },
        data=lambda: {"token": found.token, "commits": table.to_dicts()},
        table=table,
    )


def _row(head: CommitHead) -> tuple[Any, ...]:
    commit = head.commit
    ids = ", ".join(each.id for each in commit.deals)
    return commit.seq, commit.when, commit.actor, commit.kind, head.n_deals, ids, commit.token


FEED = BoardPage(path="/feed", title="Feed", template="feed.html", show=show, has_filter=False)
