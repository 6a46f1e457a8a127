"""``RecentCommits``: the last commits of the feed, for pages whose link was cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from dealdb.board.parts.commits import CommitHead, head_of
from dealdb.store.history.feed_start import seq_of, vector_in

if TYPE_CHECKING:
    from dealdb.store.history.feed_commits import Commit

# a page that has missed more is made anew
MOST_COMMITS = 500
# deals of one commit that are told one by one
MOST_DEALS = 500


@dataclass(frozen=True, slots=True)
class Passed:
    """
    A commit, or where the feed began.

    Attributes
    ----------
    seq, token
        Its number and token.
    ids, rows
        Its deals, and where they are; None and none where all may have changed.
    head
        What there is to show of it; None for nothing.
    partition, point
        Where it is; and there its number and chain hash, if there are several.
    """

    seq: int
    token: str
    ids: frozenset[str] | None
    rows: frozenset[int] = frozenset()
    head: CommitHead | None = None
    partition: int = 0
    point: tuple[int, bytes] | None = None


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
        self._passed = deque([Passed(seq_of(token), token, frozenset())], MOST_COMMITS)

    def add(self, commit: Commit) -> None:
        """Note a commit."""
        ids = None
        # stages, fields and what is told of the past may be of all deals
        if commit.kind not in ("schema", "pipeline", "facts") and len(commit.deals) <= MOST_DEALS:
            ids = frozenset(change.id for change in commit.deals)
        rows = frozenset(commit.rows) if ids is not None else frozenset()
        head = None if commit.only_follows else head_of(commit)
        n, vector = commit.partition, vector_in(commit.token)
        point = vector[n] if vector else None
        with self._lock:
            self._passed.append(Passed(commit.seq, commit.token, ids, rows, head, n, point))

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
        after = self._after(passed, token, seq)
        if after is None:
            return None
        found: set[str] = set()
        for each in after:
            if each.ids is None:
                return None
            found |= each.ids
        return frozenset(found)

    def is_to_come(self, token: str | None, now: str | None) -> bool:  # noqa: ARG002  # of several partitions
        """Whether a page has commits that the feed is still to bring, where ``now`` names the newest."""
        return False

    def _after(
        self, passed: Sequence[Passed], token: str | None, seq: int | None = None
    ) -> Sequence[Passed] | None:
        """The commits after one; None where that one is not known."""
        if token is not None:
            place = _place(passed, token)
        elif seq is not None and seq >= passed[0].seq:
            place = max(n for n, each in enumerate(passed) if each.seq <= seq)
        else:
            place = None
        return None if place is None else passed[place + 1 :]

    def heads_after(self, token: str) -> tuple[list[CommitHead], str] | None:
        """
        What there is to show of the commits after one, and the token of the last of them.

        None where that one is not known.
        """
        with self._lock:
            passed = list(self._passed)
        after = self._after(passed, token)
        if after is None:
            return None
        return [each.head for each in after if each.head is not None], passed[-1].token

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


def _place(passed: Sequence[Passed], token: str) -> int | None:
    return next((n for n, each in enumerate(passed) if each.token == token), None)
