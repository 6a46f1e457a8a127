"""``ReportSpan``: the days that a report looks at, and those that it compares them with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

_WEEK = 7


@dataclass(frozen=True, slots=True)
class ReportSpan:
    """
    Days from ``since`` to the day before ``until``.

    Examples
    --------
    >>> week = ReportSpan(date(2026, 11, 23), date(2026, 11, 28))
    >>> str(week.before.since), str(week.before.until)
    ('2026-11-16', '2026-11-21')
    """

    since: date
    until: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.until - self.since).days

    @property
    def last(self) -> date:
        """Its last day."""
        return self.until - timedelta(days=1)

    @property
    def before(self) -> ReportSpan:
        """
        Days to compare with: the months before whole months, the same weekdays a week before, else as many days before.

        Examples
        --------
        >>> quarter = ReportSpan(date(2026, 1, 1), date(2026, 4, 1)).before
        >>> str(quarter.since), str(quarter.until)
        ('2025-10-01', '2026-01-01')
        >>> fortnight = ReportSpan(date(2026, 3, 16), date(2026, 3, 30)).before
        >>> str(fortnight.since), str(fortnight.until)
        ('2026-03-02', '2026-03-16')
        """
        if self.since.day == self.until.day == 1:
            months = (self.until.year - self.since.year) * 12 + self.until.month - self.since.month
            return ReportSpan(_months_back(self.since, months), self.since)
        back = timedelta(days=max(self.days, _WEEK))
        return ReportSpan(self.since - back, self.until - back)


def _months_back(first: date, months: int) -> date:
    place = first.year * 12 + first.month - 1 - months
    return date(place // 12, place % 12 + 1, 1)
