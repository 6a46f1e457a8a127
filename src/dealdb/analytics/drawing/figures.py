"""``FigureTable``: the table of a metric as charts read it: its groups, its currencies and the words of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from dealdb.analytics.basis import MIXED, Basis, in_words
from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.charts.marks import called, fitting, told_apart

# the first column of each metric that is not a group
_FIRST = {
    "summary": "deals",
    "pipeline": "stage",
    "leaderboard": "rank",
    "trend": "period",
    "funnel": "stage",
    "time_in_stage": "stage",
    "ageing": "bucket",
    "rotting": "stage",
    "waterfall": "bucket",
    "hindsight": "bucket",
    "coverage": "target",
    "forecast": "period",
    "cohorts": "cohort",
    "win_loss": "won",
    "ramp": "month",
    "attainment": "key",
    "activity": "deals_touched",
    "stage_chances": "stage",
    "survival": "days",
    "time_to_close": "stage",
    "simulate": "rho",
    "calibration": "target",
    "forecast_error": "period",
}
# where a metric counts by month or quarter, its first column is called so
_SEASONS = ("month", "quarter")
# what a conversion adds beside the groups
_CONVERTED = ("unpriced", "rates_until")


class Groups(StrEnum):
    """What the groups of a metric become in its chart."""

    LABEL = "label"
    SERIES = "series"
    PANEL = "panel"


@dataclass(frozen=True, slots=True)
class FigureTable:
    """
    The table of a metric.

    Attributes
    ----------
    name
        Of the metric.
    frame
        Its rows.
    basis
        What they rest on.
    """

    name: str
    frame: pl.DataFrame
    basis: Basis

    @property
    def groups(self) -> list[str]:
        """Columns of the groups; ``currency`` among them where it tells rows apart."""
        columns = self.frame.columns
        before = group_columns(self.name, columns)
        alike = self.frame["currency"].n_unique() < 2 if "currency" in columns else True
        return [name for name in before if not (name == "currency" and alike and before != [name])]

    @property
    def currency(self) -> str | None:
        """The one currency of all money; None where there are several, or deals name none."""
        if self.basis.currency != MIXED:
            return self.basis.currency
        if "currency" not in self.frame.columns or self.frame["currency"].n_unique() != 1:
            return None
        code = self.frame["currency"][0]
        return None if code is None else str(code)

    def texts(self, columns: Sequence[str]) -> pl.Series:
        """What the rows are called by some columns."""
        rows = self.frame.select(columns).rows()
        return pl.Series([", ".join(map(called, row)) for row in rows], dtype=pl.String)

    def marks(
        self,
        role: Groups,
        whole: str = "",
        *,
        is_money: bool = False,
        **columns: pl.Series | pl.Expr,
    ) -> pl.DataFrame:
        """
        The rows of the table as marks.

        Parameters
        ----------
        role
            What the groups are. Currencies become panels where there is another role for the groups beside them.
        whole
            What the only row is called where groups are labels and there are none.
        is_money
            Whether the marks are money, of which two currencies are never on one axis.
        columns
            Of the marks, by name.
        """
        found = self.frame.select(
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
            **{
                name: each if isinstance(each, pl.Expr) else pl.lit(each)
                for name, each in columns.items()
            },
        )
        return found.with_columns(**self._places(role, whole, is_money=is_money))

    def _places(self, role: Groups, whole: str, *, is_money: bool) -> dict[str, pl.Series]:
        own = self.groups
        if role is Groups.PANEL:
            return {"panel": self.texts(own)} if own else {}
        found = {}
        if "currency" in own and (is_money or self.basis.currency == MIXED):
            found["panel"] = self.texts(["currency"])
            own = [name for name in own if name != "currency"]
        if role is Groups.SERIES:
            return {**found, **({"series": self.texts(own)} if own else {})}
        names = self.texts(own) if own else pl.Series([whole] * self.frame.height, dtype=pl.String)
        return {**found, "label": told_apart(names, found.get("panel"))}

    def money(self, title: str) -> Axis:
        """An axis of money."""
        return Axis(title=title, unit=Unit.MONEY, currency=self.currency)

    def groups_axis(self) -> Axis:
        """The axis of labels where they are the groups."""
        own = [name for name in self.groups if name != "currency" or self.basis.currency != MIXED]
        return Axis(title=", ".join(own).replace("_", " "), unit=Unit.LABEL)

    def chart(
        self,
        form: ChartForm,
        title: str,
        marks: pl.DataFrame,
        *,
        x: Axis,
        y: Axis,
        notes: Sequence[str] = (),
    ) -> Chart:
        """A chart of marks, as many of them as can be told apart; its notes say what was left out."""
        shown, left_out = fitting(form, marks)
        return Chart(
            form=form,
            title=title,
            subtitle=in_words(self.basis),
            marks=shown,
            x=x,
            y=y,
            notes=(*notes, *left_out, *self.basis.remarks, *self.basis.warnings),
        )


def group_columns(name: str, columns: Sequence[str]) -> list[str]:
    """
    The columns of a metric that say which group a row is of, in front of its figures.

    Examples
    --------
    >>> group_columns("win_rate", ["owner", "n", "won"]), group_columns("ageing", ["bucket", "n"])
    (['owner'], [])
    """
    firsts = _SEASONS if name == "seasonality" else (_FIRST.get(name, "n"),)
    # a line for each deal has its figures behind the deal
    first = next((at for at, column in enumerate(columns) if column in (*firsts, "id")), 0)
    return [column for column in columns[:first] if column not in _CONVERTED]


def with_words(column: str, words: Mapping[str, str]) -> pl.Expr:
    """The codes of a column as people call them; a code without words stays as it is."""
    return pl.col(column).replace(dict(words))
