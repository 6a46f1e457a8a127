"""``Chart``: the marks of a picture as a table, and the words around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl


class ChartForm(StrEnum):
    """What a chart looks like."""

    BARS = "bars"
    FUNNEL = "funnel"
    WATERFALL = "waterfall"
    HEAT = "heat"
    FAN = "fan"
    STEPS = "steps"
    DOTS = "dots"
    LINES = "lines"
    SCATTER = "scatter"


class Unit(StrEnum):
    """What the numbers along an axis are."""

    DEALS = "deals"
    MONEY = "money"
    SHARE = "share"
    DAYS = "days"
    NUMBER = "number"
    DATE = "date"
    LABEL = "label"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """
    What stands along one side.

    Attributes
    ----------
    title
        For people.
    unit
        Of the values.
    currency
        Of money; None where deals name none.
    """

    title: str
    unit: Unit
    currency: str | None = None


# columns that the marks of a form have at least; null means that there is no such value
COLUMNS: dict[ChartForm, tuple[str, ...]] = {
    # a bar for each label, in the order of the rows; with "part", bars of a label are stacked; with "target", a tick;
    # with "low" and "high", a whisker
    ChartForm.BARS: ("label", "value"),
    # "share" of the first step, "next" the share that came on to the step behind it
    ChartForm.FUNNEL: ("label", "value", "share", "next"),
    # from "start" to "end"; "is_total" where the bar stands on the ground
    ChartForm.WATERFALL: ("label", "value", "start", "end", "is_total"),
    # a cell for each "column" (along x) and "label" (along y)
    ChartForm.HEAT: ("column", "label", "value"),
    # at each day or label "x" a range, and its "middle"
    ChartForm.FAN: ("x", "low", "middle", "high"),
    # "value" holds from "x" on; with "low" and "high", a band
    ChartForm.STEPS: ("x", "value"),
    # "x" against "value", with a diagonal and "low" and "high" as a whisker; "n" is the size of the dot
    ChartForm.DOTS: ("x", "value", "low", "high", "n"),
    # "x" is a label, in the order of the rows, or a day
    ChartForm.LINES: ("x", "value"),
    # a dot for each row, with its "label"
    ChartForm.SCATTER: ("x", "value", "label"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """
    A picture before it is drawn.

    Attributes
    ----------
    form
        What it looks like.
    title, subtitle
        Above it; the second one says what the figures rest on.
    marks
        A row for each mark. ``COLUMNS`` says which columns a form has; besides those, any may have ``series`` (lines,
        dots or bars of one colour), ``panel`` (charts of their own side by side, such as one for each currency: money
        of two is never on one axis) and ``row``, the number of the row of the result that a mark shows. Values are
        exact: decimals stay decimals until they become a place in the picture.
    x, y
        The axes: ``value`` is along ``y``; in bars, funnels and waterfalls with labels at the side it is drawn
        across, and is of ``y`` all the same.
    notes
        What to know before believing it, to stand below.

    Examples
    --------
    >>> marks = pl.DataFrame({"label": ["Ann", "Bob"], "value": [7, 3]})
    >>> chart = Chart(
    ...     form=ChartForm.BARS,
    ...     title="Open deals",
    ...     subtitle="n 10",
    ...     marks=marks,
    ...     x=Axis(title="owner", unit=Unit.LABEL),
    ...     y=Axis(title="deals", unit=Unit.DEALS),
    ... )
    >>> chart.panels
    [None]
    """

    form: ChartForm
    title: str
    subtitle: str
    marks: pl.DataFrame
    x: Axis
    y: Axis
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        missing = set(COLUMNS[self.form]) - set(self.marks.columns)
        if missing:
            msg = f"the marks of a chart of {self.form} lack {', '.join(sorted(missing))}"
            raise ValueError(msg)

    @property
    def panels(self) -> list[str | None]:
        """What the charts side by side are of; ``[None]`` where there is one."""
        return self._different("panel")

    @property
    def series(self) -> list[str | None]:
        """What the colours stand for, in the order of the marks; ``[None]`` where there is one."""
        return self._different("series")

    @property
    def is_on_one_scale(self) -> bool:
        """
        Whether the panels are drawn on one scale, so that marks of two can be compared.

        Money of several currencies can't be, and the steps of a funnel are shares of its own first one.
        """
        is_mixed = any(
            each.unit is Unit.MONEY and each.currency is None for each in (self.x, self.y)
        )
        return self.form is not ChartForm.FUNNEL and not is_mixed

    def with_panel(self, panel: str | None) -> list[pl.DataFrame]:
        """The marks of each panel that is on the scale of one, itself among them."""
        names = self.panels if self.is_on_one_scale else [panel]
        return [self.of_panel(name) for name in names]

    def of_panel(self, panel: str | None) -> pl.DataFrame:
        """The marks of one panel."""
        if "panel" not in self.marks.columns:
            return self.marks
        return self.marks.filter(pl.col("panel").eq_missing(pl.lit(panel)))

    def _different(self, column: str) -> list[str | None]:
        if column not in self.marks.columns:
            return [None]
        return self.marks[column].unique(maintain_order=True).to_list() or [None]
