"""Whether day or month comes first in the dates of a column, as its cells show it, or what is to be asked."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dealdb.loader.cells.dates import EPOCH, EPOCH_SECONDS, ISO_DATE, YEAR_LAST

_SHORT_YEAR = (
    r"^\s*(?:[^,0-9]+,\s+)?(?:[0-9]{1,2}[-/.][0-9]{1,2}[-/.]|[0-9]{1,2}\.?[ /-]\p{L}{3,}\.?[ /-])"
    r"[0-9]{2}(?:\D|$)"
)
_DASHED_SHORT_YEAR = r"^\s*[0-9]{2}-[0-9]{1,2}-[0-9]{2}(?:\D|$)"
_SLASHED_SHORT_YEAR = r"^\s*(?P<first>[0-9]{1,2})/[0-9]{1,2}/(?P<last>[0-9]{2})(?:\D|$)"
# days of months vary more than years do: dates whose first number does are those of days, if it varies as much as this
_LEAST_SPAN = 12


@dataclass(slots=True)
class OrderEvidence:
    """
    Cells of a column that show whether day or month comes first.

    Attributes
    ----------
    us, eu
        Cells that make sense only month first, or only day first.
    either
        Cells such as ``03/04/2026`` that could be both.
    epoch, epoch_seconds
        Cells in milliseconds, and in seconds, since 1970.
    dotted
        Cells with points between day, month and year.
    short_years
        Cells with two digits for the year.
    slashed
        Cells such as ``26/01/31``, whose first number is that of a day or of a year.
    firsts, lasts
        The least and the largest first and last number of cells with slashes and two digits for the year.
    n_values
        All cells.
    """

    us: int = 0
    eu: int = 0
    either: int = 0
    epoch: int = 0
    epoch_seconds: int = 0
    dotted: int = 0
    short_years: int = 0
    slashed: int = 0
    firsts: tuple[int, int] | None = None
    lasts: tuple[int, int] | None = None
    n_values: int = 0

    @property
    def in_seconds(self) -> bool:
        """Whether all cells are seconds since 1970."""
        return 0 < self.n_values == self.epoch_seconds

    @property
    def may_begin_with_year(self) -> bool:
        """Whether there are cells such as ``26/01/31``, and nothing shows which number is the year."""
        if not self.slashed or self.firsts is None or self.lasts is None:
            return False
        firsts, lasts = (high - low for low, high in (self.firsts, self.lasts))
        # no month has so many days
        return self.lasts[1] <= 31 and not firsts > max(lasts, _LEAST_SPAN)

    @property
    def day_first(self) -> bool:
        """Whether there are cells that make sense only day first."""
        return bool(self.eu) or bool(self.slashed and not self.may_begin_with_year)

    @property
    def is_open(self) -> bool:
        """Whether there are cells that can be read in two ways."""
        return bool(self.either) or self.may_begin_with_year

    def question(self, header: str) -> str:
        """What is to be asked about a column that can be read in two ways."""
        if self.may_begin_with_year:
            return (
                f"dates in column {header!r} such as 26/01/31 may begin with the year or with the day; say dates='eu' "
                "if it is the day, and else write years with four digits"
            )
        both = self.us and self.day_first
        found = "both month first and day first" if both else "either month or day first"
        return f"dates in column {header!r} can be read as {found}; say dates='us' or dates='eu'"

    def add(self, texts: pl.Series) -> None:
        """Count the cells of some more rows."""
        self.n_values += texts.len()
        odd = texts.filter(~texts.str.contains(ISO_DATE))
        if odd.is_empty():
            return
        self.epoch += int(odd.str.contains(EPOCH).sum())
        self.epoch_seconds += int(odd.str.contains(EPOCH_SECONDS).sum())
        self.short_years += int(odd.str.contains(_SHORT_YEAR).sum())
        parts = odd.str.extract_groups(YEAR_LAST).struct.unnest()
        first, second = (parts[name].cast(pl.Int64) for name in ("first", "second"))
        # 31.01.2026: with dots no country writes the month first
        dotted = odd.str.contains(r"^\s*[0-9]+\.")
        self.dotted += int((first.is_not_null() & dotted).sum())
        # 26-01-31 may begin with the year
        torn = odd.str.contains(_DASHED_SHORT_YEAR) & (first > 12) & (second <= 12)
        short = odd.str.extract_groups(_SLASHED_SHORT_YEAR).struct.unnest().cast(pl.Int64)
        slashed = short["first"].is_not_null() & (first > 12) & (second <= 12)
        self.slashed += int(slashed.sum())
        self.firsts = _span(self.firsts, short["first"])
        self.lasts = _span(self.lasts, short["last"])
        self.eu += int(((first > 12) & ~dotted & ~torn & ~slashed).sum())
        self.us += int((second > 12).sum())
        either = (first <= 12) & (second <= 12) & (first != second) & ~dotted
        self.either += int((either | torn).sum())


def _span(known: tuple[int, int] | None, numbers: pl.Series) -> tuple[int, int] | None:
    found = [*(known or ()), *numbers.drop_nulls().unique().to_list()]
    return (min(found), max(found)) if found else None
