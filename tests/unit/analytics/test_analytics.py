"""Metrics: the pitfalls that they avoid, their options, and what their results say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from dealdb.analytics import Analytics, MetricResult
from dealdb.analytics.calendar.periods import Periods
from dealdb.analytics.metrics import (
    concentration,
    deal_size,
    leaderboard,
    pipeline_by_stage,
    sales_cycle,
    summary,
    trend,
    velocity,
    win_rate,
)
from dealdb.errors import QueryError, SchemaError
from dealdb.model.columns import empty_frame
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.schema import Schema
from dealdb.store.replica.snapshot import Snapshot

STAGES = Pipeline(
    (
        Stage("Demo", Kind.OPEN, Decimal("0.25"), rot_days=30),
        Stage("Won", Kind.WON, Decimal(1)),
        Stage("Lost", Kind.LOST, Decimal(0)),
    )
)
METRICS: list[Callable[..., MetricResult]] = [
    *(summary, pipeline_by_stage, win_rate, deal_size, sales_cycle),
    *(velocity, leaderboard, concentration, trend),
]
EMPTY = empty_frame(Schema.standard())


def deals(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{"id": None, **row} for row in rows], schema=EMPTY.schema)


def won(amount: str | None, **fields: Any) -> dict[str, Any]:
    return {"stage": "Won", "amount": amount and Decimal(amount), **fields}


def lost(amount: str | None = "0", **fields: Any) -> dict[str, Any]:
    return {**won(amount, **fields), "stage": "Lost"}


def demo(amount: str | None = None, **fields: Any) -> dict[str, Any]:
    return {**won(amount, **fields), "stage": "Demo"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize("frame", [EMPTY, pl.DataFrame()], ids=["columns", "none"])
@pytest.mark.parametrize("pipeline", [Pipeline(), STAGES], ids=["no stages", "stages"])
def test_nothing_is_measured_as_nothing(
    metric: Callable[..., MetricResult], frame: pl.DataFrame, pipeline: Pipeline
) -> None:
    if metric in (leaderboard, concentration) and frame.width == 0:
        frame = pl.DataFrame(schema={"owner": pl.String, "company": pl.String})
    result = metric(frame, pipeline)
    assert result.basis.n == 0
    assert result.basis.warnings == ()
    for row in result:
        counted = {name: value for name, value in row.items() if isinstance(value, int | Decimal)}
        assert not any(value for name, value in counted.items() if name != "k")
        ratios = ("rate", "share", "hhi", "mean", "median", "velocity", "days")
        assert all(value is None for name, value in row.items() if name.endswith(ratios))


def test_a_closed_deal_is_never_in_the_open_figures() -> None:
    past = date(2026, 1, 1)
    frame = deals(won("500", expected_close=past), lost("70", expected_close=past), demo("9"))
    result = summary(frame, STAGES, as_of="2026-02-01")
    assert (result["pipeline_value"], result["weighted"], result["overdue"]) == (
        9,
        Decimal("2.25"),
        0,
    )
    by_stage = pipeline_by_stage(frame, STAGES, as_of="2026-02-01").frame
    assert by_stage["weighted"].to_list() == [Decimal("2.25"), None, None]
    assert by_stage["overdue"].to_list() == [0, 0, 0]


def test_an_open_deal_with_a_closing_date_was_reopened_and_counts_as_open() -> None:
    frame = deals(demo("5", closed=date(2026, 1, 5)), won("7", closed=date(2026, 1, 6)))
    assert win_rate(frame, STAGES, since="2026-01-01")["n"] == 1
    assert summary(frame, STAGES)["open"] == 1
    assert summary(frame, STAGES)["last_closed"] == date(2026, 1, 6)


def test_lost_deals_without_an_amount_make_the_value_win_rate_doubtful() -> None:
    frame = deals(won("10"), lost("0"), lost(None), lost("10"))
    result = win_rate(frame, STAGES, measure="value")
    assert result["value_win_rate"] == 0.5
    assert result.basis.warnings == (
        "lost deals have no amount or 0 in 66.7 % of cases: value win rate is not meaningful",
    )
    assert win_rate(frame, STAGES).basis.warnings == ()
    half = win_rate(deals(won("10"), lost("0"), lost("10")), STAGES, measure="value")
    assert half.basis.warnings == ()


def test_won_deals_without_an_amount_do_not_shrink_the_mean() -> None:
    result = deal_size(deals(won("10"), won("20"), won("0"), won(None), lost("0")), STAGES)
    assert result.rows() == [(2, Decimal("30.00"), 15.0, 15.0, 1, 1)]
    assert [warning.rpartition(": ")[2] for warning in result.basis.warnings] == ["1", "1"]


def test_currencies_are_kept_apart() -> None:
    frame = deals(won("10", currency="EUR"), won("20", currency="USD"), won("5"))
    result = deal_size(frame, STAGES)
    assert result.frame.select("currency", "value").rows() == [
        ("EUR", 10),
        ("USD", 20),
        ("(none)", 5),
    ]
    assert result.basis.currency == "mixed"
    # ranks within each currency
    assert leaderboard(frame, STAGES).frame["rank"].to_list() == [1, 1, 1]
    assert concentration(frame, STAGES).frame["top_share"].to_list() == [1.0, 1.0, 1.0]
    assert win_rate(frame, STAGES).frame.columns == ["n", "won", "lost", "win_rate"]


def test_a_currency_is_its_text() -> None:
    texts = [" EUR", "EUR", "eur", "Eur ", "", None, "USD", "US$"]
    frame = deals(*(won("10", currency=text) for text in texts))
    rows = deal_size(frame, STAGES).frame.select("currency", "value").rows()
    assert dict(rows) == dict.fromkeys(
        [text if text is not None else "(none)" for text in texts], 10
    )
    assert len(rows) == len(texts)


@pytest.mark.parametrize("currency", ["EUR", None])
def test_one_currency_is_named_and_needs_no_column(currency: str | None) -> None:
    # deals without money in them have no currency that could matter
    frame = deals(won("10", currency=currency), demo(None, currency="USD"), lost("0"))
    result = summary(frame, STAGES)
    assert "currency" not in result.frame.columns
    assert result.basis.currency == currency


def test_a_currency_that_is_grouped_by_is_no_second_column() -> None:
    frame = deals(won("10", currency="EUR"), won("20", currency="USD"))
    result = deal_size(frame, STAGES, by=["currency", "owner"])
    assert result.frame.columns[:3] == ["currency", "owner", "n"]


def test_negative_and_undated_cycles_are_counted_and_left_out() -> None:
    day = date(2026, 1, 10)
    frame = deals(
        won("1", created=day, closed=date(2026, 1, 20)),
        won("1", created=day, closed=date(2026, 1, 9)),
        won("1", created=date(1201, 1, 1)),
        won("1", closed=day),
    )
    result = sales_cycle(frame, STAGES)
    assert result.rows() == [(1, 10.0, 10.0, 10, 10, 1, 2)]
    assert result.basis.warnings == (
        "won deals closed before they were created, not in the cycle: 1",
        "won deals without both dates, not in the cycle: 2",
    )


def test_velocity_needs_a_cycle() -> None:
    day = date(2026, 1, 10)
    assert velocity(deals(won("9", created=day, closed=day)), STAGES)["velocity"] is None
    assert velocity(deals(lost("9", created=day, closed=day)), STAGES)["velocity"] is None


def test_a_window_holds_its_first_day_and_not_its_last() -> None:
    frame = deals(*(won("1", closed=date(2026, 1, day)) for day in (1, 15, 31)), won("1"))
    result = win_rate(frame, STAGES, since=date(2026, 1, 1), until="2026-01-31")
    assert result["n"] == 2
    assert (result.basis.since, result.basis.until) == (date(2026, 1, 1), date(2026, 1, 31))
    assert result.basis.warnings == ("closed deals without a closing date, outside any window: 1",)
    assert win_rate(frame, STAGES)["n"] == 4


@pytest.mark.parametrize(
    ("probability", "weighted", "unweighted"),
    [(None, "25.0000", 0), ("0.5", "50.0000", 0), ("0", "0.0000", 0), ("50", "0.0000", 1)],
)
def test_the_deals_own_probability_comes_before_that_of_its_stage(
    probability: str | None, weighted: str, unweighted: int
) -> None:
    frame = deals(demo("100", probability=probability and Decimal(probability)))
    result = summary(frame, STAGES)
    assert (str(result["weighted"]), result["unweighted"]) == (weighted, unweighted)


def test_weighted_value_has_all_digits() -> None:
    third = Pipeline((Stage("Demo", Kind.OPEN, Decimal("0.333333")),))
    result = pipeline_by_stage(deals(demo("0.01"), demo("98765432109876543210.98")), third)
    whole = Fraction("0.01") + Fraction("98765432109876543210.98")
    assert Fraction(result["weighted"]) == whole * Fraction("0.333333")


def test_rotting_and_overdue() -> None:
    early, today = date(2026, 1, 1), date(2026, 2, 1)
    touched = datetime(2026, 1, 31, tzinfo=UTC)
    frame = deals(
        demo(created=early, expected_close=date(2026, 1, 31)),
        demo(created=early, updated=touched, expected_close=today),
        demo(created=date(2026, 1, 2)),
        demo(),
    )
    result = pipeline_by_stage(frame, STAGES, as_of=today)
    row = result.to_dicts()[0]
    assert (row["rotting"], row["overdue"], row["age_n"]) == (1, 1, 3)
    assert row["mean_age_days"] == (31 + 31 + 30) / 3
    assert result.basis.as_of == today


def test_stages_keep_their_order_and_unknown_ones_are_open() -> None:
    unknown = {"stage": "closed won "}
    result = pipeline_by_stage(deals(unknown, {"stage": None}, won("1")), STAGES)
    assert result.frame.select("stage", "kind", "n").rows() == [
        ("Demo", "open", 0),
        ("closed won ", "open", 1),
        ("(none)", "open", 1),
        ("Won", "won", 1),
        ("Lost", "lost", 0),
    ]
    assert "deals in stages that the pipeline does not define, counted as open: 1" in (
        result.basis.warnings
    )


def test_groups_without_a_name_make_totals_match() -> None:
    frame = deals(won("1", owner="Ann"), won("2"), demo(created=date(2026, 1, 1)))
    by_owner = summary(frame, STAGES, "owner").frame
    assert by_owner.select("owner", "deals").rows() == [("Ann", 1), ("(none)", 2)]
    assert by_owner["won_value"].sum() == summary(frame, STAGES)["won_value"]
    # only text has a name for nothing
    assert summary(frame, STAGES, "created").frame["created"].to_list() == [date(2026, 1, 1), None]


def test_empty_periods_are_rows_of_zero() -> None:
    frame = deals(
        {"stage": "Demo", "created": date(2026, 1, 31)},
        won("5", created=date(2026, 1, 1), closed=date(2026, 3, 31)),
    )
    result = trend(frame, STAGES)
    assert result.rows() == [
        (date(2026, 1, 1), "2026-01", 2, 0, 0, 0, 0, None),
        (date(2026, 2, 1), "2026-02", 0, 0, 0, 0, 0, None),
        (date(2026, 3, 1), "2026-03", 0, 1, 1, 0, 5, 1.0),
    ]
    inside = trend(frame, STAGES, since="2026-02-01", until="2026-03-01")
    assert inside.rows() == [(date(2026, 2, 1), "2026-02", 0, 0, 0, 0, 0, None)]


@pytest.mark.parametrize(
    ("period", "first_month", "start", "label"),
    [
        ("day", 1, date(2027, 1, 2), "2027-01-02"),
        ("week", 1, date(2026, 12, 28), "2026-W53"),
        ("month", 4, date(2027, 1, 1), "2027-01"),
        ("quarter", 1, date(2027, 1, 1), "2027-Q1"),
        ("quarter", 2, date(2026, 11, 1), "FY2027-Q4"),
        ("year", 1, date(2027, 1, 1), "2027"),
        ("year", 10, date(2026, 10, 1), "FY2027"),
    ],
)
def test_periods(period: str, first_month: int, start: date, label: str) -> None:
    day = date(2027, 1, 2)
    assert Periods(period, first_month).between(day, day).rows() == [(start, label)]


def test_a_trend_over_absurd_dates_is_refused() -> None:
    frame = deals(won("1", created=date(201, 1, 1), closed=date(3201, 1, 1)))
    with pytest.raises(QueryError, match="more than 1,000,000 rows; narrow it with since="):
        trend(frame, STAGES, period="day")
    assert len(trend(frame, STAGES, period="year")) == 3001


def test_money_is_exact_in_any_order() -> None:
    amounts = ["0.10", "0.20", "90000000000000000000.01", "-90000000000000000000.00", "0.30"]
    frame = deals(*(won(amount, owner="Ann") for amount in amounts))
    backward = frame.reverse()
    for metric in (deal_size, leaderboard, summary):
        forth, back = (metric(f, STAGES, "owner").to_dicts() for f in (frame, backward))
        assert forth == back
    assert deal_size(frame, STAGES)["value"] == Decimal("0.61")


@pytest.mark.parametrize("by", [None, "owner"])
def test_a_sum_that_would_overflow_is_refused(by: str | None) -> None:
    frame = deals(*[won("9" * 35)] * 20)
    with pytest.raises(QueryError, match="needs more than 38 digits"):
        deal_size(frame, STAGES, by)


def test_open_amounts_that_fit_are_weighted_although_their_product_does_not() -> None:
    # weighted values have two digits more
    open_deals = deals(demo("9" * 34), demo("1"))
    figures = summary(open_deals, STAGES)
    assert figures["weighted"] == Decimal(10**34) / 4
    assert figures.basis.warnings == ()


def test_large_amounts_of_few_deals_are_summed() -> None:
    # the largest times the number of deals doesn't fit, their sum does
    frame = deals(won("9" * 35), *[won("1")] * 20)
    assert int(deal_size(frame, STAGES)["value"]) == int("9" * 35) + 20


def test_ties_share_a_rank_in_order_of_name() -> None:
    frame = deals(*(won("5", owner=owner) for owner in ("Cy", None, "Ann")), won("9", owner="Bo"))
    board = leaderboard(frame, STAGES).frame.select("rank", "owner").rows()
    assert board == [(1, "Bo"), (2, "Ann"), (2, "Cy"), (2, "(none)")]


def test_concentration_says_what_it_pools() -> None:
    frame = deals(won("30", company="Acme"), won("10"), won(None, company="Bolt"))
    result = concentration(frame, STAGES, k=9)
    assert (result["groups"], result["top_share"], result["n"]) == (2, 1.0, 3)
    assert result["top"] == ["Acme", "(none)"]
    assert result.basis.warnings == (
        "deals without company, counted as one group: 1",
        "deals without a value, not in the shares: 1",
    )
    negative = concentration(deals(won("9", company="A"), won("-1", company="B")), STAGES)
    assert negative.basis.warnings == (
        "some groups have a negative value: shares are not meaningful",
    )
    nothing = concentration(deals(won("9", company="A"), won("-9", company="B")), STAGES)
    assert (nothing["top_share"], nothing["hhi"]) == (None, None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: win_rate(f, STAGES, "ownr"), "by: no column 'ownr'; did you mean 'owner'"),
        (lambda f: win_rate(f, STAGES, ["owner", "owner"]), "by names a column twice"),
        (lambda f: pipeline_by_stage(f, STAGES, "stage"), "by='stage' has the name of a figure"),
        (lambda f: win_rate(f, STAGES, measure="values"), "measure='values' is not a choice: use count or value"),
        (lambda f: sales_cycle(f, STAGES, outcome="open"), "outcome='open' is not a choice"),
        (lambda f: velocity(f, STAGES, basis="all"), "basis='all' is not a choice"),
        (lambda f: concentration(f, STAGES, of="lost"), "of='lost' is not a choice"),
        (lambda f: concentration(f, STAGES, k=0), "k is a whole number from 1 to 2147483647, not 0"),
        (lambda f: concentration(f, STAGES, of="open", since="2026-01-01"), "open deals have no closing date"),
        (lambda f: leaderboard(f, STAGES, None), "a leaderboard ranks groups"),
        (lambda f: trend(f, STAGES, period="decade"), "period='decade' is not a choice"),
        (lambda f: trend(f, STAGES, fiscal_year_start=13), "fiscal_year_start is a whole number from 1 to 12, not 13"),
        (lambda f: win_rate(f, STAGES, since="soon"), "since: 'soon' is not a date; write a date such as 2026-10-01"),
        (lambda f: summary(f, STAGES, as_of=datetime.now(UTC)), "as_of is a date .* not a datetime"),
        (
            lambda f: win_rate(f, STAGES, since="2026-02-01", until="2026-01-01"),
            "since=2026-02-01 is after until=2026-01-01",
        ),
    ],
)  # fmt: skip
def test_options_that_can_not_be_understood(
    call: Callable[[pl.DataFrame], object], message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        call(EMPTY)


def test_a_column_of_floats_is_no_money() -> None:
    with pytest.raises(SchemaError, match="'amount' is Float64"):
        deal_size(pl.DataFrame({"stage": ["Won"], "amount": [0.1]}), STAGES)


def test_a_result_reads_as_a_figure_as_rows_and_as_text() -> None:
    frame = deals(won("1", owner="A<b>"), lost(owner="Bo"))
    result = win_rate(frame, STAGES, measure="value", since=date(2025, 1, 1))
    assert result["win_rate"] is None
    by_owner = win_rate(frame, STAGES, "owner", measure="value")
    assert (len(by_owner), bool(by_owner), bool(win_rate(EMPTY, STAGES, "owner"))) == (
        2,
        True,
        False,
    )
    assert [row["owner"] for row in by_owner] == ["A<b>", "Bo"]
    with pytest.raises(QueryError, match="has 2 rows, and \\['won'\\] reads the only one"):
        by_owner["won"]
    with pytest.raises(QueryError, match="no figure 'rate'; it has n, won"):
        result["rate"]
    assert repr(by_owner).startswith("win_rate: n 2\nshape: (2, 9)")
    assert repr(by_owner).endswith("value win rate is not meaningful")
    assert "<li>lost deals have" in by_owner._repr_html_()
    assert "A<b>" not in by_owner._repr_html_()


def test_every_method_hands_its_options_on() -> None:
    frame = deals(
        won("8", owner="Ann", company="Acme", created=date(2026, 1, 1), closed=date(2026, 1, 9)),
        lost(owner="Ann", closed=date(2026, 1, 9), created=date(2026, 1, 7)),
        demo("4", owner="Bo", created=date(2026, 1, 1), expected_close=date(2026, 1, 2)),
    )
    asked: list[object] = []

    def select(where: str | pl.Expr | None) -> Snapshot:
        asked.append(where)
        return Snapshot(frame=frame, schema=Schema.standard(), pipeline=STAGES, seq=1)

    figures = Analytics(select)
    window: dict[str, Any] = {"since": "2026-01-09", "until": "2026-01-10"}
    common: dict[str, Any] = {"where": "x", **window}
    day: dict[str, Any] = {"as_of": "2026-01-03"}
    pairs = [
        (figures.summary("owner", **common, **day), summary(frame, STAGES, "owner", **window, **day)),
        (figures.pipeline("owner", where="x", **day), pipeline_by_stage(frame, STAGES, "owner", **day)),
        (
            figures.win_rate("owner", **common, measure="value"),
            win_rate(frame, STAGES, "owner", **window, measure="value"),
        ),
        (figures.deal_size("owner", **common), deal_size(frame, STAGES, "owner", **window)),
        (
            figures.sales_cycle("owner", **common, outcome="lost"),
            sales_cycle(frame, STAGES, "owner", **window, outcome="lost"),
        ),
        (
            figures.velocity("owner", **common, basis="open"),
            velocity(frame, STAGES, "owner", **window, basis="open"),
        ),
        (figures.leaderboard("company", **common), leaderboard(frame, STAGES, "company", **window)),
        (
            figures.concentration("owner", **common, k=1),
            concentration(frame, STAGES, "owner", **window, k=1),
        ),
        (
            figures.trend("owner", **common, period="year", fiscal_year_start=4),
            trend(frame, STAGES, "owner", **window, period="year", fiscal_year_start=4),
        ),
    ]  # fmt: skip
    for through, direct in pairs:
        assert through.name == direct.name
        assert through.basis == direct.basis
        assert through.frame.equals(direct.frame)
        assert not through.frame.is_empty()
    assert asked == ["x"] * 9
    assert figures.concentration(of="open")["value"] == 1
