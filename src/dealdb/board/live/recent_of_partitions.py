"""``RecentOfPartitions``: the last commits of a collection of several partitions, for pages whose link was cut."""

from __future__ import annotations

from collections.abc import Sequence

from dealdb.board.live.recent import Passed, RecentCommits
from dealdb.store.history.feed_start import vector_in


class RecentOfPartitions(RecentCommits):
    """
    What was committed lately: which deals, after which commits.

    A page and the feed may see commits of two partitions in different orders. So what a page shows is not a place
    among the commits, but one among those of each partition.
    """

    def is_to_come(self, token: str | None, now: str | None) -> bool:
        """Whether the feed is still to bring what a page shows: other partitions keep it busy, or it looks soon."""
        shown, newest, had = vector_in(token or ""), vector_in(now or ""), vector_in(self.token)
        if not (shown and newest and had) or len({len(shown), len(newest), len(had)}) > 1:
            return False
        is_ahead = any(mine[0] > its[0] for mine, its in zip(shown, had, strict=True))
        return is_ahead and all(mine[0] <= its[0] for mine, its in zip(shown, newest, strict=True))

    def rows_between(self, first: str, last: str) -> frozenset[int] | None:  # noqa: ARG002  # as of one piece
        """None: a new deal of a partition moves the rows of all behind it."""
        return None

    def _after(
        self, passed: Sequence[Passed], token: str | None, seq: int | None = None
    ) -> Sequence[Passed] | None:
        # a number is one of each partition
        del seq
        shown, base = vector_in(token or ""), vector_in(passed[0].token)
        if shown is None or base is None or len(shown) != len(base):
            return None
        known = {*enumerate(base), *((each.partition, each.point) for each in passed[1:])}
        if not known.issuperset(enumerate(shown)):
            return None
        return [each for each in passed[1:] if each.seq > shown[each.partition][0]]
