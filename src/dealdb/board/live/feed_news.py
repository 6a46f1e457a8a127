"""``feed_news``: the commits that a page of the feed has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dealdb.board.html import environment
from dealdb.board.parts.commits import MOST_COMMITS, fed_commits

if TYPE_CHECKING:
    from dealdb.board.live.recent import RecentCommits
    from dealdb.board.page_request import PageRequest


def feed_news(
    asked: PageRequest, recent: RecentCommits, token: str | None
) -> tuple[str | None, str | None]:
    """
    The commits after one as HTML, the newest first, and the token of the newest.

    By its token a page is told each commit once, also after its link was cut: what is told here is what the feed has
    had, and what comes later is after the token. The history is not read again, so that no page holds up the others;
    of one whose commit is no longer, or not yet, among the recent ones there is None in place of the HTML.

    Parameters
    ----------
    asked
        The page.
    recent
        What the feed has had.
    token
        Of the last commit that the page has; None where that is not known.
    """
    found = None if token is None else recent.heads_after(token)
    if found is None:
        return None, None
    heads, last = found
    rows = getattr(environment().get_template("commits.html").module, "rows")  # noqa: B009 no name of the type
    commits = fed_commits(asked, heads[-MOST_COMMITS:][::-1])
    return str(rows(commits, asked.locale)) if commits else "", last
