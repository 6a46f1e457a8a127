"""``feed_news``: the commits that a page of the feed has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dealdb.board.html import environment
from dealdb.board.parts.commits import commits_after, fed_commits
from dealdb.errors import FeedReset

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest


def feed_news(asked: PageRequest, token: str | None) -> tuple[str | None, str | None]:
    """
    The commits after one as HTML, the newest first, and the token of the newest.

    By its token a page is told each commit once, also after its link was cut: what is read here is told, and what
    comes later is after the token. None in place of the HTML where the history does not have it.

    Parameters
    ----------
    asked
        The page.
    token
        Of the last commit that the page has; None where that is not known.
    """
    if token is None:
        return None, None
    try:
        found = commits_after(asked, token)
    except FeedReset:
        return None, None
    rows = getattr(environment().get_template("commits.html").module, "rows")  # noqa: B009 no name of the type
    commits = fed_commits(asked, found.commits)
    return str(rows(commits, asked.locale)) if commits else "", found.token
