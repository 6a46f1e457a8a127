"""``TextPage``: what all forms need to write their marks as lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dealdb.charts.chart import Chart
from dealdb.charts.wording import label_text
from dealdb.formats.cells import to_cell
from dealdb.formats.locale import Locale

Row = Mapping[str, Any]
Lines = list[str]
# a bar by its number, in so many columns
Drawing = Callable[[int, int], str]


@dataclass(frozen=True, slots=True)
class TextPage:
    """
    What a chart is written with.

    Attributes
    ----------
    chart, width, locale
        What is written, in how many columns, and in which form its numbers are.
    scaled, own
        The marks of each panel that is on one scale with the one that is written, and the place of its own among them.
    """

    chart: Chart
    width: int
    locale: Locale
    scaled: Sequence[Sequence[Row]] = ()
    own: int = 0

    @property
    def comparable(self) -> list[Row]:
        """All marks that are to be compared."""
        return [row for rows in self.scaled for row in rows]

    def part(self, sizes: Sequence[int]) -> slice:
        """Where the lines of the own panel are among those of all, by how many each has."""
        begin = sum(sizes[: self.own])
        return slice(begin, begin + sizes[self.own])

    def text(self, text: str) -> str:
        """A text that can't steer the terminal."""
        return to_cell(text)

    def label(self, row: Row, *names: str) -> str:
        """What a line is of: the values of these columns, as far as there are such."""
        return self.text(
            ", ".join(label_text(row[name], self.locale) for name in names if name in row)
        )

    def left_out(self, every: int, shown: int, what: str) -> Lines:
        """A line that says how many are not shown."""
        return (
            [f"{every - shown:,} more of {every:,} {what} are not shown"] if every > shown else []
        )
