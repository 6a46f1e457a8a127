"""``RecentCommits``: the last commits of the feed, for pages whose link was cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from dealdb.board.parts.commits import CommitHead, head_of

if TYPE_CHECKING:
    from dealdb.store.history.feed_commits import Commit

# a page that has missed more is made anew
MOST_COMMITS = 500
# deals of one commit that are told one by one
MOST_DEALS = 500


@dataclass(frozen=True, slots=True)
class _Passed:
    seq: int
    token: str
    ids: frozenset[str] | None
    rows: frozenset[int] = frozenset()
    head: CommitHead | None = None


class RecentCommits:
    """
    What was committed lately: which deals, after which commit.

    Parameters
    ----------
    token
        Of the commit that the feed began after.
    """

    def __init__(self, token: str) -> None:
        self._lock = Lock()
        self._passed = deque([_Passed(seq_of(token), token, frozenset())], MOST_COMMITS)

    def add(self, commit: Commit) -> None:
        """Note a commit."""
        ids = None
        # stages, fields and what is told of the past may be of all deals
        if commit.kind not in ("schema", "pipeline", "facts") and len(commit.deals) <= MOST_DEALS:
            ids = frozenset(change.id for change in commit.deals)
        rows = frozenset(commit.rows) if ids is not None else frozenset()
        with self._lock:
            self._passed.append(_Passed(commit.seq, commit.token, ids, rows, head_of(commit)))

    @property
    def token(self) -> str:
        """Of the last commit."""
        with self._lock:
            return self._passed[-1].token

    def since(self, token: str | None, seq: int | None = None) -> frozenset[str] | None:
        """
        Deals changed after a commit.

        Parameters
        ----------
        token
            Of the commit.
        seq
            Its number, where the token is not known.

        Returns
        -------
        frozenset or None
            Their ids; None where it is not known, or where all may have changed.
        """
        with self._lock:
            passed = list(self._passed)
        if token is not None:
            place = _place(passed, token)
        elif seq is not None and seq >= passed[0].seq:
            place = max(n for n, each in enumerate(passed) if each.seq <= seq)
        else:
            place = None
        if place is None:
            return None
        found: set[str] = set()
        for each in passed[place + 1 :]:
            if each.ids is None:
                return None
            found |= each.ids
        return frozenset(found)

    def heads_after(self, token: str) -> tuple[list[CommitHead], str] | None:
        """
        What there is to show of the commits after one, and the token of the last of them.

        None where that one is not known.
        """
        with self._lock:
            passed = list(self._passed)
        place = _place(passed, token)
        if place is None:
            return None
        heads = [each.head for each in passed[place + 1 :] if each.head is not None]
        return heads, passed[-1].token

    def rows_between(self, first: str, last: str) -> frozenset[int] | None:
        """
        Rows of the deals changed after a commit up to another one, by the tokens of both.

        None where one of them is not known, or where all deals may have changed.
        """
        with self._lock:
            passed = list(self._passed)
        begin, end = _place(passed, first), _place(passed, last)
        if begin is None or end is None:
            return None
        between = passed[begin + 1 : end + 1]
        if end < begin or any(each.ids is None for each in between):
            return None
        return frozenset().union(*(each.rows for each in between))


def _place(passed: Sequence[_Passed], token: str) -> int | None:
    return next((n for n, each in enumerate(passed) if each.token == token), None)


def seq_of(token: str) -> int:
    """
    Number of the commit that a token names.

    Examples
    --------
    >>> seq_of("4-f5c5c5545f2ac921"), seq_of("")
    (4, 0)
    """
    number = token.partition("-")[0]
    return int(number) if number.isdigit() else 0
