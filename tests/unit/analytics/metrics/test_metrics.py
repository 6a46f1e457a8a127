"""Every metric against a naive version of it in plain Python, on deals of every unlikely kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import median
from typing import Any, TypeAlias

import polars as pl
from hypothesis import strategies as st

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
from dealdb.analytics.result import MetricResult
from dealdb.model.columns import empty_frame
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.schema import Schema
from examples import given_examples

Deal: TypeAlias = dict[str, Any]
Row: TypeAlias = dict[str, Any]

PIPELINE = Pipeline(
    (
        Stage("Demo", Kind.OPEN, Decimal("0.333"), rot_days=10),
        Stage("Offer", Kind.OPEN, None, rot_days=0),
        Stage("Won", Kind.WON),
        Stage("Lost", Kind.LOST),
    )
)
AS_OF = date(2026, 2, 1)
SCHEMA = empty_frame(Schema.standard()).schema

OTHERS = [
    {"stage": stage, "owner": "Other", "amount": Decimal("1e35"), "currency": "XXX"}
    for stage in ("Demo", "Won", "Lost", None)
]

MOMENTS = (datetime(2025, 12, 1), datetime(2026, 2, 1))  # noqa: DTZ001 - hypothesis asks for naive bounds

days = st.none() | st.dates(date(2025, 12, 1), date(2026, 3, 31))
cents = st.one_of(
    st.none(),
    st.just(0),
    st.integers(-300, 10**6),
    st.integers(10**14, 5 * 10**14),
    st.just(10_010),
)
moments = st.none() | st.datetimes(*MOMENTS)


@st.composite
def deal_lists(draw: st.DrawFn) -> list[Deal]:
    choices: list[list[str | None]] = [[None], ["EUR"], ["EUR", "USD", None]]
    currencies = draw(st.sampled_from(choices))
    deal = st.fixed_dictionaries(
        {
            "stage": st.sampled_from(["Demo", "Offer", "Won", "Won", "Lost", "Stray", None]),
            "owner": st.sampled_from(["Ann", "Bob", "", None]),
            "company": st.sampled_from(["Acme", "Bolt", "Cog", None]),
            "amount": cents.map(lambda n: None if n is None else Decimal(n).scaleb(-2)),
            "currency": st.sampled_from(currencies),
            "probability": st.sampled_from([None, None, *map(Decimal, ("0", "0.35", "1", "50"))]),
            "created": days,
            "closed": days,
            "expected_close": days,
            "updated": moments.map(lambda when: when and when.replace(tzinfo=UTC)),
        }
    )
    return draw(st.lists(deal, max_size=12))


bys = st.sampled_from([None, "owner", ["owner", "company"], "created"])
windows = st.sampled_from(
    [(None, None), (date(2026, 1, 1), date(2026, 2, 1)), (None, date(2026, 1, 15))]
)


def frame_of(deals: list[Deal]) -> pl.DataFrame:
    """Deals among rows of others, marked as those that count; the others would change every figure."""
    rows = [{"id": str(n), **deal} for n, deal in enumerate(deals)]
    frame = pl.DataFrame([*rows, *OTHERS], schema=SCHEMA)
    return frame.with_columns(pl.Series("_kept", [True] * len(rows) + [False] * len(OTHERS)))


def kind(deal: Deal) -> str:
    return {"Won": "won", "Lost": "lost"}.get(deal["stage"], "open")


def inside(day: date | None, window: tuple[date | None, date | None]) -> bool:
    since, until = window
    if day is None:
        return since is None and until is None
    return (since is None or day >= since) and (until is None or day < until)


def ratio(part: Any, whole: Any) -> float | None:
    return float(Fraction(part) / Fraction(whole)) if part is not None and whole else None


def middle(values: list[Any]) -> float | None:
    return float(median(map(Fraction, values))) if values else None


def chance(deal: Deal) -> Decimal | None:
    own: Decimal | None = deal["probability"]
    if own is not None:
        return own if 0 <= own <= 1 else None
    return Decimal("0.333") if deal["stage"] == "Demo" else None


def weight(deal: Deal) -> Fraction | None:
    odds = chance(deal)
    if deal["amount"] is None or odds is None:
        return None
    return Fraction(deal["amount"]) * Fraction(odds)


def money(deals: list[Deal]) -> Fraction:
    return sum((Fraction(d["amount"]) for d in deals if d["amount"] is not None), Fraction())


def weighted(deals: list[Deal]) -> Fraction:
    return sum((weight(deal) or Fraction() for deal in deals), Fraction())


def cycles(deals: list[Deal]) -> list[int]:
    both = [d for d in deals if d["created"] and d["closed"]]
    return [n for d in both if (n := (d["closed"] - d["created"]).days) >= 0]


def groups(
    deals: list[Deal], by: str | list[str] | None, *, split: bool = True, keep_empty: bool = True
) -> Iterator[tuple[Row, list[Deal]]]:
    """Groups in the order of the result: by key, nulls last; split by currency where there are several."""
    keys = [by] if isinstance(by, str) else list(by or [])
    if split and len({d["currency"] for d in deals if d["amount"]}) > 1:
        keys.append("currency")
    found: dict[tuple[Any, ...], list[Deal]] = defaultdict(list)
    for deal in deals:
        found[tuple(deal[key] for key in keys)].append(deal)
    if not keys and keep_empty:
        found.setdefault((), [])
    for values in sorted(found, key=lambda vs: [(v is None, v or "") for v in vs]):
        yield dict(zip(keys, values, strict=True)), found[values]


def labelled(row: Row) -> Row:
    texts = ("owner", "company", "currency", "stage")
    return {k: "(none)" if k in texts and v is None else v for k, v in row.items()}


def check(result: MetricResult, expected: list[Row]) -> None:
    # a Decimal equals the Fraction of the same value, and nothing else does
    rows = [
        {k: Fraction(v) if isinstance(v, Decimal) else v for k, v in row.items()}
        for row in result.to_dicts()
    ]
    assert rows == [labelled(row) for row in expected]


def closed_in(deals: list[Deal], window: tuple[date | None, date | None]) -> list[Deal]:
    return [d for d in deals if kind(d) != "open" and inside(d["closed"], window)]


def split_up(deals: list[Deal]) -> tuple[list[Deal], list[Deal], list[Deal], list[Deal]]:
    by_kind = {name: [d for d in deals if kind(d) == name] for name in ("open", "won", "lost")}
    sized = [d for d in by_kind["won"] if d["amount"]]
    return by_kind["open"], by_kind["won"], by_kind["lost"], sized


@given_examples(10, 60, deals=deal_lists(), by=bys, window=windows)
def test_win_rate(deals: list[Deal], by: Any, window: Any) -> None:
    closed = closed_in(deals, window)
    expected: list[Row] = []
    by_value: list[Row] = []
    for split, rows in ((False, expected), (True, by_value)):
        for keys, group in groups(closed, by, split=split):
            _, won, lost, _ = split_up(group)
            row: Row = {"n": len(group), "won": len(won), "lost": len(lost)}
            row["win_rate"] = ratio(len(won), len(group))
            if split:
                row |= {"won_value": money(won), "lost_value": money(lost)}
                row["lost_blank_or_zero"] = sum(not d["amount"] for d in lost)
                row["value_win_rate"] = ratio(money(won), money(group))
            rows.append({**keys, **row})
    options = {"by": by, "since": window[0], "until": window[1]}
    result = win_rate(frame_of(deals), PIPELINE, **options)
    check(result, expected)
    assert result.basis.n == len(closed)
    check(win_rate(frame_of(deals), PIPELINE, measure="value", **options), by_value)


@given_examples(10, 60, deals=deal_lists(), by=bys, window=windows)
def test_deal_size(deals: list[Deal], by: Any, window: Any) -> None:
    won = [d for d in closed_in(deals, window) if kind(d) == "won"]
    expected = []
    for keys, group in groups(won, by):
        sized = [d["amount"] for d in group if d["amount"]]
        expected.append(
            {
                **keys,
                "n": len(sized),
                "value": money(group),
                "mean": ratio(money(group), len(sized)),
                "median": middle(sized),
                "zero": sum(d["amount"] == 0 for d in group),
                "blank": sum(d["amount"] is None for d in group),
            }
        )
    check(deal_size(frame_of(deals), PIPELINE, by, since=window[0], until=window[1]), expected)


@given_examples(
    10, 60, deals=deal_lists(), by=bys, window=windows, outcome=st.sampled_from(["won", "lost"])
)
def test_sales_cycle(deals: list[Deal], by: Any, window: Any, outcome: str) -> None:
    chosen = [d for d in closed_in(deals, window) if kind(d) == outcome]
    expected = []
    for keys, group in groups(chosen, by, split=False):
        spans = cycles(group)
        undated = sum(d["created"] is None or d["closed"] is None for d in group)
        expected.append(
            {
                **keys,
                "n": len(spans),
                "mean_days": ratio(sum(spans), len(spans)),
                "median_days": middle(spans),
                "min_days": min(spans, default=None),
                "max_days": max(spans, default=None),
                "negative": len(group) - undated - len(spans),
                "undated": undated,
            }
        )
    options = {"since": window[0], "until": window[1], "outcome": outcome}
    check(sales_cycle(frame_of(deals), PIPELINE, by, **options), expected)


def levers(group: list[Deal]) -> Row:
    _, won, lost, sized = split_up(group)
    spans = cycles(won)
    return {
        "win_rate": ratio(len(won), len(won) + len(lost)),
        "mean_size": ratio(money(won), len(sized)),
        "cycle_days": ratio(sum(spans), len(spans)),
    }


def speed(n: int, lever: Row) -> float | None:
    if None in lever.values() or not lever["cycle_days"]:
        return None
    product: float = n * lever["win_rate"] * lever["mean_size"] / lever["cycle_days"]
    return product


@given_examples(
    10, 60, deals=deal_lists(), by=bys, window=windows, basis=st.sampled_from(["closed", "open"])
)
def test_velocity(deals: list[Deal], by: Any, window: Any, basis: str) -> None:
    base = closed_in(deals, window)
    if basis == "open":
        base += [d for d in deals if kind(d) == "open"]
    expected = []
    for keys, group in groups(base, by):
        is_open, won, lost, sized = split_up(group)
        n = len(is_open) if basis == "open" else len(won) + len(lost)
        expected.append(
            {
                **keys,
                "n": n,
                **levers(group),
                "velocity": speed(n, levers(group)),
                "closed_n": len(won) + len(lost),
                "won": len(won),
                "sized_n": len(sized),
                "cycle_n": len(cycles(won)),
            }
        )
    options = {"since": window[0], "until": window[1], "basis": basis}
    check(velocity(frame_of(deals), PIPELINE, by, **options), expected)


@given_examples(
    10, 60, deals=deal_lists(), by=st.sampled_from(["owner", ["owner", "company"]]), window=windows
)
def test_leaderboard(deals: list[Deal], by: Any, window: Any) -> None:
    base = [d for d in deals if kind(d) == "open"] + closed_in(deals, window)
    expected = []
    for keys, group in groups(base, by):
        is_open, won, lost, sized = split_up(group)
        expected.append(
            {
                **keys,
                "rank": 0,
                "won_value": money(won),
                "n": len(won) + len(lost),
                "won": len(won),
                "lost": len(lost),
                **levers(group),
                "sized_n": len(sized),
                "cycle_n": len(cycles(won)),
                "open": len(is_open),
                "open_weighted": weighted(is_open),
                "unweighted": sum(weight(d) is None for d in is_open),
            }
        )

    def currency(row: Row) -> tuple[bool, str]:
        return row.get("currency", "") is None, row.get("currency") or ""

    for row in expected:
        rivals = [r["won_value"] for r in expected if currency(r) == currency(row)]
        row["rank"] = 1 + sum(value > row["won_value"] for value in rivals)
    expected.sort(key=lambda row: (currency(row), row["rank"]))
    result = leaderboard(frame_of(deals), PIPELINE, by, since=window[0], until=window[1])
    check(result, expected)


@given_examples(
    10, 60, deals=deal_lists(), of=st.sampled_from(["won", "open"]), k=st.integers(1, 4)
)
def test_concentration(deals: list[Deal], of: str, k: int) -> None:
    base = [d for d in deals if kind(d) == of]
    worth: Callable[[list[Deal]], Fraction] = money if of == "won" else weighted
    parts: dict[Any, list[tuple[Any, Fraction]]] = defaultdict(list)
    split = False
    for keys, group in groups(base, "company"):
        split = split or "currency" in keys
        parts[keys.get("currency")].append((labelled(keys)["company"], worth(group)))
    if not parts:
        parts[None] = []
    expected = []
    for currency, sums in parts.items():
        ranked = sorted((pair for pair in sums if pair[1]), key=lambda pair: -pair[1])
        total = sum((value for _, value in sums), Fraction())
        top = sum((value for _, value in ranked[:k]), Fraction())
        members = [d for d in base if not split or d["currency"] == currency]
        row = {
            "n": len(members),
            "groups": sum(value != 0 for _, value in sums),
            "value": total,
            "k": k,
            "top_value": top,
            "top_share": ratio(top, total),
            "hhi": ratio(sum(value**2 for _, value in sums), total**2),
            "top": [name for name, _ in ranked[:k]],
        }
        expected.append({"currency": currency, **row} if split else row)
    expected.sort(key=lambda row: (row.get("currency") is None, row.get("currency") or ""))
    check(concentration(frame_of(deals), PIPELINE, of=of, k=k), expected)


def test_the_largest_groups_are_those_that_are_named() -> None:
    deals = pl.DataFrame(
        {
            "company": ["Acme", "Bolt", "Bolt"],
            "stage": ["Won", "Won", "Won"],
            "amount": [None, Decimal(-3), Decimal(1)],
        }
    )
    result = concentration(deals, PIPELINE, k=1)
    assert (result["top"], result["top_value"], result["top_share"]) == (["Bolt"], -2, 1)


def start_of(day: date, period: str, first_month: int) -> date:
    if period == "day":
        return day
    if period == "week":
        return day - timedelta(days=day.weekday())
    if period == "month":
        return day.replace(day=1)
    length = 3 if period == "quarter" else 12
    months = day.year * 12 + day.month - first_month
    year, month = divmod(months - months % length + first_month - 1, 12)
    return date(year, month + 1, 1)


@given_examples(
    10,
    60,
    deals=deal_lists(),
    by=st.sampled_from([None, "owner"]),
    window=windows,
    period=st.sampled_from(["day", "week", "month", "quarter", "year"]),
    first_month=st.integers(1, 12),
)
def test_trend(deals: list[Deal], by: Any, window: Any, period: str, first_month: int) -> None:
    ended = [d for d in closed_in(deals, window) if d["closed"]]
    begun = [d for d in deals if d["created"] and inside(d["created"], window)]
    ids = {id(d) for d in [*ended, *begun]}
    marks = [d for d in deals if id(d) in ids]
    split = len({d["currency"] for d in marks if d["amount"]}) > 1
    found = [d["created"] for d in begun] + [d["closed"] for d in ended]
    first = window[0] or min(found, default=None)
    last = window[1] - timedelta(days=1) if window[1] else max(found, default=None)
    starts = []
    if first and last:
        span = range((last - first).days + 1)
        starts = sorted({start_of(first + timedelta(n), period, first_month) for n in span})
    keys = [*([by] if by else []), *(["currency"] if split else [])]
    cells = {tuple(d[key] for key in keys) for d in deals if id(d) in ids} if keys else {()}
    expected = []
    for start in starts:
        for cell in sorted(cells, key=lambda vs: [(v is None, v or "") for v in vs]):

            def here(deal: Deal, day: str, cell: Any = cell, start: date = start) -> bool:
                is_cell = tuple(deal[key] for key in keys) == cell
                return is_cell and start_of(deal[day], period, first_month) == start

            _, won, lost, _ = split_up([d for d in ended if here(d, "closed")])
            expected.append(
                {
                    **dict(zip(keys, cell, strict=True)),
                    "period": start,
                    "created": sum(here(d, "created") for d in begun),
                    "n": len(won) + len(lost),
                    "won": len(won),
                    "lost": len(lost),
                    "won_value": money(won),
                    "win_rate": ratio(len(won), len(won) + len(lost)),
                }
            )
    result = trend(
        frame_of(deals),
        PIPELINE,
        by,
        since=window[0],
        until=window[1],
        period=period,
        fiscal_year_start=first_month,
    )
    assert result.basis.n == len(marks)
    labels = result.frame["label"]
    assert labels.n_unique() == result.frame["period"].n_unique()
    without = MetricResult(name="trend", frame=result.frame.drop("label"), basis=result.basis)
    check(without, expected)


@given_examples(10, 60, deals=deal_lists(), by=st.sampled_from([None, "owner"]))
def test_pipeline(deals: list[Deal], by: Any) -> None:
    strays = sorted(
        {d["stage"] for d in deals} & {"Stray", None}, key=lambda name: (name is None, name)
    )
    stages = [*(("Demo", "open"), ("Offer", "open")), *((name, "open") for name in strays)]
    stages += [("Won", "won"), ("Lost", "lost")]
    expected = []
    for keys, group in groups(deals, by):
        for stage, stage_kind in stages:
            here = [d for d in group if d["stage"] == stage]
            is_open = here if stage_kind == "open" else []
            ages = [(AS_OF - d["created"]).days for d in is_open if d["created"]]
            ages = [age for age in ages if age >= 0]
            touched = [d["updated"].date() if d["updated"] else d["created"] for d in is_open]
            expected.append(
                {
                    **keys,
                    "stage": stage,
                    "kind": stage_kind,
                    "n": len(here),
                    "value": money(here),
                    "blank": sum(d["amount"] is None for d in here),
                    "weighted": weighted(here) if stage_kind == "open" else None,
                    "unweighted": sum(weight(d) is None for d in is_open),
                    "mean_age_days": ratio(sum(ages), len(ages)),
                    "age_n": len(ages),
                    "rotting": sum(
                        stage == "Demo" and day is not None and (AS_OF - day).days > 10
                        for day in touched
                    ),
                    "overdue": sum(
                        d["expected_close"] is not None and d["expected_close"] < AS_OF
                        for d in is_open
                    ),
                }
            )
    check(pipeline_by_stage(frame_of(deals), PIPELINE, by, as_of=AS_OF), expected)


@given_examples(
    10, 60, deals=deal_lists(), by=bys.filter(lambda by: by != "created"), window=windows
)
def test_summary(deals: list[Deal], by: Any, window: Any) -> None:
    base = [d for d in deals if kind(d) == "open"] + closed_in(deals, window)
    expected = []
    for keys, group in groups(base, by):
        is_open, won, lost, sized = split_up(group)
        lever = levers(group)
        created = [d["created"] for d in group if d["created"]]
        closed = [d["closed"] for d in won + lost if d["closed"]]
        expected.append(
            {
                **keys,
                "deals": len(group),
                "open": len(is_open),
                "n": len(won) + len(lost),
                "won": len(won),
                "lost": len(lost),
                "pipeline_value": money(is_open),
                "blank": sum(d["amount"] is None for d in is_open),
                "weighted": weighted(is_open),
                "unweighted": sum(weight(d) is None for d in is_open),
                "overdue": sum(
                    d["expected_close"] is not None and d["expected_close"] < AS_OF for d in is_open
                ),
                "won_value": money(won),
                "win_rate": lever["win_rate"],
                "mean_size": lever["mean_size"],
                "median_size": middle([d["amount"] for d in sized]),
                "sized_n": len(sized),
                "mean_cycle_days": lever["cycle_days"],
                "median_cycle_days": middle(cycles(won)),
                "cycle_n": len(cycles(won)),
                "velocity": speed(len(won) + len(lost), lever),
                "first_created": min(created, default=None),
                "last_created": max(created, default=None),
                "first_closed": min(closed, default=None),
                "last_closed": max(closed, default=None),
            }
        )
    options = {"since": window[0], "until": window[1], "as_of": AS_OF}
    check(summary(frame_of(deals), PIPELINE, by, **options), expected)


def test_a_deal_rots_by_days_of_the_zone() -> None:
    stages = (Stage("Lead", Kind.OPEN, rot_days=7),)
    # in Berlin that is the first of April
    updated = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    frame = pl.DataFrame({"stage": ["Lead"], "updated": [updated]})
    rotting = [
        pipeline_by_stage(frame, Pipeline(stages, zone=zone), as_of="2026-04-08")["rotting"]
        for zone in ("UTC", "Europe/Berlin")
    ]
    assert rotting == [1, 0]
