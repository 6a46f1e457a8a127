"""The marks of every chart are the figures of its metric: each value, exactly, and none is missing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest

import h1
from all_metrics import CALLS, analytics_of, results
from dealdb.analytics import Analytics, MetricResult
from dealdb.analytics.basis import Basis, in_words
from dealdb.analytics.drawing import chart_of
from dealdb.charts import Chart, ChartForm, Unit
from dealdb.errors import QueryError
from dealdb.query import QueryEngine
from examples import given_examples
from histories.drawn import History
from histories.drawn import history as drawn
from histories.written import day
from oracle.engine import facts_of

# by metric: its form, and which column of the table each column of the marks is; the parts where there are some
READS: dict[str, tuple[ChartForm, dict[str, str]]] = {
    "pipeline": (ChartForm.BARS, {"label": "stage", "value": "value"}),
    "win_rate": (ChartForm.BARS, {"value": "win_rate"}),
    "deal_size": (ChartForm.BARS, {"value": "mean"}),
    "sales_cycle": (
        ChartForm.BARS,
        {"value": "median_days", "low": "min_days", "high": "max_days"},
    ),
    "velocity": (ChartForm.BARS, {"value": "velocity"}),
    "leaderboard": (ChartForm.BARS, {"value": "won_value"}),
    "concentration": (ChartForm.BARS, {"value": "top_share"}),
    "trend": (ChartForm.LINES, {"x": "label", "value": "won_value"}),
    "funnel": (
        ChartForm.FUNNEL,
        {"label": "stage", "value": "n", "share": "cumulative", "next": "next"},
    ),
    "time_in_stage": (
        ChartForm.BARS,
        {"label": "stage", "value": "median_days", "low": "median_days", "high": "p90_days"},
    ),
    "ageing": (ChartForm.BARS, {"label": "bucket", "value": "n"}),
    "coverage": (ChartForm.BARS, {"value": "open"}),
    "cohorts": (ChartForm.HEAT, {"label": "label", "value": "rate"}),
    "losses": (ChartForm.BARS, {"value": "n"}),
    "win_loss": (ChartForm.BARS, {"value": "rate", "low": "lo", "high": "hi"}),
    "ramp": (ChartForm.LINES, {"value": "cumulative"}),
    "attainment": (ChartForm.BARS, {"label": "key", "value": "won", "target": "quota"}),
    "activity": (ChartForm.BARS, {"value": "deals_touched"}),
    "late_entry": (ChartForm.BARS, {"value": "share"}),
    "stage_chances": (
        ChartForm.BARS,
        {"label": "stage", "value": "chance", "low": "lo", "high": "hi"},
    ),
    "survival": (ChartForm.STEPS, {"x": "days", "value": "s", "low": "lo", "high": "hi"}),
    "time_to_close": (ChartForm.BARS, {"value": "p50", "low": "p10", "high": "p90"}),
    "calibration": (ChartForm.DOTS, {"value": "base_rate", "n": "n"}),
    "forecast_error": (ChartForm.DOTS, {"x": "base", "value": "actual"}),
    "seasonality": (ChartForm.LINES, {"value": "factor"}),
}
PARTS: dict[str, dict[str, str]] = {
    "summary": {"won": "won", "lost": "lost", "open": "open"},
    "slippage": {
        "won": "won",
        "lost": "lost",
        "moved out": "moved",
        "overdue in place": "overdue",
        "deleted": "deleted",
    },
    "forecast": {
        "won": "won",
        "commit": "commit",
        "best case": "best",
        "pipeline": "pipeline",
        "omitted": "omitted",
    },
    "rotting": {"rotting": "rotting"},
}
TAKES = ("won", "lost", "pushed_out", "down", "deleted", "transferred_out", "removed")
TOTALS = ("start", "end", "then", "now")


def marks_of(chart: Chart) -> Iterator[dict[str, Any]]:
    """The marks that show a row."""
    return (mark for mark in chart.marks.iter_rows(named=True) if mark["row"] is not None)


def check(result: MetricResult) -> None:
    chart, table = result.chart(), result.to_dicts()
    if result.name in ("waterfall", "hindsight"):
        check_steps(chart, table)
    elif result.name == "simulate":
        check_fan(chart, table)
    elif result.name in PARTS:
        check_parts(chart, table, PARTS[result.name])
    else:
        check_values(result, chart, table)
    rest = {*range(len(table))} - {*chart.marks["row"].drop_nulls()}
    # what is left out is null, nothing, or said
    for place in rest:
        assert chart.notes or table[place][value_column(result.name)] is None, table[place]
    if chart.y.unit is Unit.MONEY and chart.y.currency is None and table:
        given = result.frame.columns
        currencies = result.frame["currency"].to_list() if "currency" in given else []
        assert len(currencies) == 0 or "panel" in chart.marks.columns or len({*currencies}) == 1


def value_column(name: str) -> str:
    return READS[name][1]["value"] if name in READS else "value"


def check_values(result: MetricResult, chart: Chart, table: list[dict[str, Any]]) -> None:
    form, columns = READS[result.name]
    if result.name == "ageing" and chart.form is ChartForm.HEAT:
        form, columns = ChartForm.HEAT, {"column": "bucket", "value": "n"}
    assert chart.form is form
    for mark in marks_of(chart):
        row = table[mark["row"]]
        for name, column in columns.items():
            assert mark[name] == row[column], (result.name, name, mark, row)
        if result.name == "calibration":
            assert mark["x"] == row["base_rate"] + row["bias"]
            assert all(mark[end] is None or 0 <= mark[end] <= 1 for end in ("low", "high"))
        if result.name == "coverage" and row["gap"] is not None:
            assert mark["target"] == row["open"] + row["gap"]


def check_parts(chart: Chart, table: list[dict[str, Any]], parts: dict[str, str]) -> None:
    for mark in marks_of(chart):
        row = table[mark["row"]]
        if mark["part"] == "in time":
            assert mark["value"] == row["n"] - row["rotting"]
        else:
            assert mark["value"] == row[parts[mark["part"]]]
    drawn_parts = {*chart.marks["part"]}
    left_out = [column for name, column in parts.items() if name not in drawn_parts]
    assert not any(row[column] for row in table for column in left_out)
    if "slipped" in (table[0] if table else {}):
        whole = sum(mark["value"] for mark in marks_of(chart))
        assert whole == sum(row["n"] for row in table)


def check_steps(chart: Chart, table: list[dict[str, Any]]) -> None:
    """Each bar begins where the one before it ended, and the last one ends at the total of the table."""
    reached: dict[Any, Decimal] = {}
    for mark in marks_of(chart):
        row, panel = table[mark["row"]], mark.get("panel")
        assert mark["is_total"] == (row["bucket"] in TOTALS)
        assert mark["value"] == (-row["value"] if row["bucket"] in TAKES else row["value"])
        if mark["is_total"]:
            assert mark["start"] == 0
            assert mark["end"] == row["value"] == reached.get(panel, row["value"])
        else:
            assert mark["start"] == reached[panel]
            assert mark["end"] - mark["start"] == mark["value"]
        reached[panel] = mark["end"]


def check_fan(chart: Chart, table: list[dict[str, Any]]) -> None:
    for mark in marks_of(chart):
        row = table[mark["row"]]
        now = (row["won"],) * 3
        assert (mark["low"], mark["middle"], mark["high"]) in (
            now,
            (row["p10"], row["p50"], row["p90"]),
        )
    assert chart.marks.height == 2 * len(table)


def test_every_metric_has_a_chart() -> None:
    methods = {
        name
        for name, _ in inspect.getmembers(Analytics, inspect.isfunction)
        if not name.startswith("_")
    } - {"period"}
    assert methods == {*results()} == {*READS, *PARTS, "waterfall", "hindsight", "simulate"}


@pytest.mark.parametrize("name", [*CALLS, "seasonality"])
def test_the_chart_of_the_example_shows_its_table(name: str) -> None:
    result = results()[name]
    check(result)
    chart = result.chart()
    assert chart.subtitle == in_words(result.basis)
    assert {*result.basis.warnings, *result.basis.remarks} <= {*chart.notes}


GROUPED = [name for name in CALLS if name not in ("attainment", "simulate", "time_to_close")]


@given_examples(
    10,
    600,
    history=st.integers(0, 10**6).map(drawn),
    name=st.sampled_from(GROUPED),
    by=st.sampled_from([None, "owner", "currency", ["owner", "currency"]]),
)
def test_charts_of_any_history_show_their_tables(history: History, name: str, by: Any) -> None:
    facts = facts_of(history)
    if facts.first is None or facts.first >= h1.moment("2026-03-12"):
        return
    options = {key: value for key, value in CALLS[name].items() if key not in ("by", "as_of")}
    for key, default in (("since", day(3)), ("until", "2026-03-12"), ("known", "2026-03-11")):
        if key in options:
            options[key] = default
    if name == "calibration":
        options["since"] = "2026-03-12"
    needs = {"ramp": "owner", "leaderboard": "owner", "concentration": "owner"}
    by = by or needs.get(name)
    try:
        result = getattr(analytics_of(facts), name)(by=by, **options)
    except QueryError:
        return
    check(result)


def test_money_of_two_currencies_is_in_panels_of_its_own() -> None:
    deals = [
        {
            "id": str(n),
            "stage": stage,
            "owner": "Ann",
            "amount": n,
            "currency": currency,
            "closed": date(2026, 3, n) if stage == "Won" else None,
        }
        for n, (stage, currency) in enumerate(
            [("Won", "EUR"), ("Won", "USD"), ("Demo", "EUR"), ("Demo", "USD")], 1
        )
    ]
    analytics = Analytics(QueryEngine.over(deals).select)
    for result in (analytics.leaderboard(), analytics.pipeline(), analytics.trend()):
        chart = result.chart()
        assert chart.panels == ["EUR", "USD"], result
        assert chart.y.currency is None
    one = Analytics(QueryEngine.over(deals[::2]).select).leaderboard().chart()
    assert (one.panels, one.y.currency) == ([None], "EUR")


def test_groups_are_labels_series_or_panels() -> None:
    analytics = analytics_of(h1.facts())
    funnel = analytics.funnel(by="owner", as_of="2026-03-31").chart()
    assert funnel.panels == ["Ann", "Bob", "(none)"]
    survival = analytics.survival("Lead", by="owner", as_of="2026-03-31").chart()
    assert survival.series == ["Ann", "Bob", "(none)"]
    starts = survival.marks.filter(pl.col("row").is_null())
    assert starts.select("x", "value").rows() == [(0.0, 1.0)] * 3
    ages = analytics.ageing(by="stage", as_of="2026-02-28").chart()
    assert ages.form is ChartForm.HEAT
    assert {*ages.marks["label"]} == {"Lead", "Demo"}


def test_a_target_that_is_met_needs_no_open_deals() -> None:
    """What was won beyond it was drawn as a value of less than nothing."""
    result = analytics_of(h1.facts()).coverage(
        target=1, since="2026-01-01", until="2026-04-01", as_of="2026-03-31"
    )
    row = result.to_dicts()[0]
    assert row["surplus"] > row["open"]
    assert result.chart().marks["target"].to_list() == [0]


def test_lines_of_deals_have_no_chart() -> None:
    lines = analytics_of(h1.facts()).losses(as_of="2026-03-31", deals=True)
    with pytest.raises(QueryError, match="a line for each deal has no chart: leave out deals=True"):
        lines.chart()
    assert "<svg" not in lines._repr_html_()


def test_what_no_metric_made_has_no_chart() -> None:
    with pytest.raises(QueryError, match="there is no chart of 'weather'"):
        chart_of("weather", pl.DataFrame({"n": [1]}), Basis(n=1))


def test_more_groups_than_can_be_told_apart_are_said_to_be_left_out() -> None:
    owners = [f"owner {n}" for n in range(60)]
    frame = pl.DataFrame({"owner": owners, "n": [1] * 60, "win_rate": [0.5] * 60})
    chart = chart_of("win_rate", frame, Basis(n=60))
    assert chart.marks.height == 40
    assert chart.notes == ("Drawn are the first 40 of 60 labels; the table has all.",)


def test_a_result_shows_its_chart_and_its_table_in_a_notebook() -> None:
    frame = pl.DataFrame({"owner": ["<img src=x onerror=alert(1)>"], "n": [4], "win_rate": [0.25]})
    shown = MetricResult(name="win_rate", frame=frame, basis=Basis(n=4))._repr_html_()
    assert shown.startswith("<svg")
    assert "<table" in shown
    assert "<img" not in shown


@pytest.mark.parametrize(
    ("notes", "title"),
    [
        (("stage 'Neg.'", "event left"), "How long deals stay in Neg."),
        (('stage "Won\'t"', "event won"), "How long deals in Won't take to be won"),
        ((), "How long deals stay in the stage"),
    ],
)
def test_a_curve_of_survival_says_which_stage_it_is_of(notes: tuple[str, ...], title: str) -> None:
    frame = pl.DataFrame({"days": [2.0], "s": [0.5], "lo": [0.3], "hi": [0.7]})
    assert chart_of("survival", frame, Basis(n=3, notes=notes)).title == title


def test_the_words_below_a_title_are_those_of_people() -> None:
    notes = ("cohort created, mode reached", "stages as they mean now")
    basis = Basis(n=1, since=date(2026, 1, 1), until=date(2026, 2, 1), notes=notes)
    frame = pl.DataFrame({"owner": ["Ann"], "n": [4], "win_rate": [0.25]})
    told = chart_of("win_rate", frame, basis).subtitle
    assert (
        told == "1 deal, from 2026-01-01 to 2026-01-31, a stage that was skipped counts as passed"
    )
