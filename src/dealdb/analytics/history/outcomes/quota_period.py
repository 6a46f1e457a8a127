"""The period of a quota, as it is written: "2026-Q1", "2026-03", "FY2027-Q1"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from dealdb.analytics.options import choice, whole_number
from dealdb.errors import QueryError

_FORM = re.compile(
    r"(?P<fiscal>FY)?(?P<year>\d{4})(?:-Q(?P<quarter>[1-4])|-(?P<month>0[1-9]|1[0-2]))?"
)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class QuotaPeriod:
    """
    A month, a quarter or a year.

    Attributes
    ----------
    label
        As it was written.
    kind
        ``"month"``, ``"quarter"`` or ``"year"``.
    start, end
        Its first day, and the first one after it.

    Examples
    --------
    >>> QuotaPeriod.read("2026-Q1").days
    90
    >>> str(QuotaPeriod.read("FY2027-Q1", fiscal_start=2).start)
    '2026-02-01'
    """

    label: str
    kind: str
    start: date
    end: date

    @classmethod
    def read(cls, text: object, *, fiscal_start: int = 1, fiscal_name: str = "end") -> QuotaPeriod:
        """
        Period of a text; those that begin with FY are of the fiscal year.

        Parameters
        ----------
        text
            Like ``"2026-03"``, ``"2026-Q1"``, ``"2026"``, ``"FY2027-Q1"`` or ``"FY2027"``.
        fiscal_start
            Month in which fiscal years begin.
        fiscal_name
            Whether a fiscal year is named by the calendar year of its ``"end"`` or ``"start"``.

        Raises
        ------
        QueryError
            If the text is none of these.
        """
        whole_number("fiscal_start", fiscal_start, least=1, most=12)
        choice("fiscal_name", fiscal_name, ("end", "start"))
        found = _FORM.fullmatch(text) if isinstance(text, str) else None
        if found is None or (found["fiscal"] and found["month"]):
            msg = f"period is a text like 2026-03, 2026-Q1 or FY2027-Q1, not {str(text)[:40]!r}"
            raise QueryError(msg)
        kind = "quarter" if found["quarter"] else "month" if found["month"] else "year"
        months = 12 * int(found["year"])
        if found["fiscal"]:
            months += fiscal_start - 1
            months -= 12 * (fiscal_name == "end" and fiscal_start > 1)
        months += 3 * (int(found["quarter"] or 1) - 1) + int(found["month"] or 1) - 1
        try:
            start, end = (
                date(each // 12, each % 12 + 1, 1) for each in (months, months + _MONTHS[kind])
            )
        except ValueError:
            msg = f"period={text!r} is not between the years 1 and 9999"
            raise QueryError(msg) from None
        return cls(found[0], kind, start, end)

    @property
    def days(self) -> int:
        """Number of its days."""
        return (self.end - self.start).days

    def elapsed(self, day: date) -> int:
        """Days of it that are over at the end of a day."""
        return min(max((day - self.start).days + 1, 0), self.days)
