"""Metrics that are a bar for each row: which figure, which whiskers, which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from dealdb.analytics.drawing.figures import FigureTable, Groups
from dealdb.charts.chart import Axis, Chart, ChartForm, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class BarForm:
    """
    How a metric becomes bars.

    Attributes
    ----------
    title
        Of the chart.
    value, axis, unit
        The column that is drawn, what it is called, and its unit.
    label
        The column that names the bars, whose groups become panels; None where the groups name them.
    whole
        What the only bar is called where there are no groups.
    low, high, target
        Columns of whiskers, and of the tick to reach.
    parts
        Columns that are stacked in place of ``value``, by what they are called.
    """

    title: str
    value: str = ""
    axis: str
    unit: Unit
    label: str | None = None
    whole: str = "all deals"
    low: str | None = None
    high: str | None = None
    target: str | None = None
    parts: Mapping[str, str] | None = None


BAR_FORMS: dict[str, BarForm] = {
    "summary": BarForm(
        title="How many deals are open, won and lost",
        axis="deals",
        unit=Unit.DEALS,
        parts={"won": "won", "lost": "lost", "open": "open"},
    ),
    "win_rate": BarForm(
        title="Share of the closed deals that were won",
        value="win_rate",
        axis="win rate",
        unit=Unit.SHARE,
        whole="closed deals",
    ),
    "deal_size": BarForm(
        title="How large won deals are",
        value="mean",
        axis="mean size",
        unit=Unit.MONEY,
        whole="won deals",
    ),
    "sales_cycle": BarForm(
        title="Days from creation to closing",
        value="median_days",
        axis="median days, and from the shortest to the longest",
        unit=Unit.DAYS,
        low="min_days",
        high="max_days",
    ),
    "velocity": BarForm(
        title="Sales velocity: money won per day",
        value="velocity",
        axis="velocity, per day",
        unit=Unit.MONEY,
    ),
    "leaderboard": BarForm(
        title="Who won the most",
        value="won_value",
        axis="won value",
        unit=Unit.MONEY,
    ),
    "time_in_stage": BarForm(
        title="Where deals get stuck",
        value="median_days",
        axis="median days, and up to what 90 % take",
        unit=Unit.DAYS,
        label="stage",
        low="median_days",
        high="p90_days",
    ),
    "losses": BarForm(
        title="Why deals are lost", value="n", axis="lost deals", unit=Unit.DEALS, whole="lost"
    ),
    "win_loss": BarForm(
        title="Who wins more often, and how sure that is",
        value="rate",
        axis="win rate, and where the true one lies in 95 % of cases",
        unit=Unit.SHARE,
        low="lo",
        high="hi",
        whole="closed deals",
    ),
    "attainment": BarForm(
        title="What was won of the quotas",
        value="won",
        axis="won value, and the quota",
        unit=Unit.MONEY,
        label="key",
        target="quota",
    ),
    "activity": BarForm(
        title="Who keeps the deals up to date",
        value="deals_touched",
        axis="deals changed",
        unit=Unit.DEALS,
    ),
    "late_entry": BarForm(
        title="Wins that were recorded late",
        value="share",
        axis="share of the wins",
        unit=Unit.SHARE,
        whole="won deals",
    ),
    "stage_chances": BarForm(
        title="How likely a deal is won from each stage",
        value="chance",
        axis="chance to win, and where the true one lies in 95 % of cases",
        unit=Unit.SHARE,
        label="stage",
        low="lo",
        high="hi",
    ),
    "slippage": BarForm(
        title="What became of the deals that were due",
        axis="deals due",
        unit=Unit.DEALS,
        whole="deals due",
        parts={
            "won": "won",
            "lost": "lost",
            "moved": "moved out",
            "overdue": "overdue in place",
            "deleted": "deleted",
        },
    ),
}


def bars(table: FigureTable) -> Chart:
    """The bars of a metric that has a form here."""
    form = BAR_FORMS[table.name]
    if table.name == "win_rate" and "value_win_rate" in table.frame.columns:
        form = BarForm(
            title="Share of the closed value that was won",
            value="value_win_rate",
            axis="win rate by value",
            unit=Unit.SHARE,
            whole="closed value",
        )
    return drawn(table, form)


def drawn(table: FigureTable, form: BarForm) -> Chart:
    """Bars in a form."""
    named = {"low": form.low, "high": form.high, "target": form.target}
    extra: dict[str, Any] = {
        key: pl.col(column) for key, column in named.items() if column is not None
    }
    if form.label is None:
        role, x = Groups.LABEL, table.groups_axis()
    else:
        title = "" if form.label == "key" else form.label
        role, x = Groups.PANEL, Axis(title=title, unit=Unit.LABEL)
        extra["label"] = table.texts([form.label])
    if form.parts is None:
        marks = table.marks(
            role, form.whole, is_money=form.unit is Unit.MONEY, value=pl.col(form.value), **extra
        )
    else:
        layers = [
            table.marks(role, form.whole, value=pl.col(column), part=pl.lit(name), **extra)
            for column, name in form.parts.items()
            # what there is none of is no colour of the legend
            if (table.frame[column] != 0).any() or column == next(iter(form.parts))
        ]
        marks = pl.concat(layers, how="vertical_relaxed").sort("row", maintain_order=True)
    y = table.money(form.axis) if form.unit is Unit.MONEY else Axis(title=form.axis, unit=form.unit)
    return table.chart(ChartForm.BARS, form.title, marks, x=x, y=y)
