"""Every metric on history with options to ask it by, and what the lines of its deals add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.analytics import Analytics, MetricResult

Row = Mapping[str, Any]
# what a row shows, and what its lines make of it
Pairs = Iterator[tuple[Any, Any]]
MARCH: dict[str, Any] = {"since": "2026-01-03", "until": "2026-03-12"}
SPRING: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-30"}
QUOTAS = pl.DataFrame(
    {
        "period_start": [date(2026, 2, 1)] * 2,
        "period": ["month"] * 2,
        "key": ["Ann", "Zoe"],
        "amount": [Decimal("30.01"), Decimal("7.00")],
        "currency": ["EUR", None],
    }
)
# metrics of the present have no lines: a filter on the columns says which deals a row counts
OF_THE_PRESENT = {
    "summary", "pipeline", "win_rate", "deal_size", "sales_cycle", "velocity", "concentration",
}  # fmt: skip

# whole numbers that count no deals and no changes of deals: places, groups, days, and bounds of classes
NO_COUNTS = {
    "rank", "k", "groups", "from", "to", "rot_days", "min_days", "max_days", "worst_days", "days_left", "days_active",
    "ramped", "days_before", "month",
}  # fmt: skip


def counts_in(result: MetricResult) -> list[str]:
    """The columns of a result that count deals, or what was done to them."""
    types = result.frame.schema
    # its sums are of one deal on several days, and so is what could not be converted
    without = {*NO_COUNTS, *(("unpriced",) if result.name == "forecast_error" else ())}
    return [name for name in types if types[name].is_integer() and name not in without]


@dataclass(frozen=True)
class Asked:
    """
    How a metric is asked, and what has to be so of its lines.

    Attributes
    ----------
    options
        Of the method, of which one set is taken.
    sums
        From a row and its lines to pairs that have to be equal.
    rows
        Columns that tell the rows of a group apart, in lines too.
    groups
        By which columns it may be asked; None is none.
    first
        The count whose deals ``result.where`` keeps.
    money
        Whether it takes ``to``.
    """

    options: Sequence[Mapping[str, Any]]
    sums: Callable[[Row, list[Row]], Pairs]
    rows: tuple[str, ...] = ()
    groups: tuple[Any, ...] = (None, "owner", "currency", ["owner", "currency"])
    first: str = "n"
    money: bool = True


def total(lines: Sequence[Row], column: str = "value") -> Any:
    return sum(line[column] for line in lines if line[column] is not None)


def _worth(row: Row, lines: list[Row]) -> Pairs:
    yield row["n"], len(lines)
    yield row["value"], total(lines)
    if "blank" in row:
        unpriced = total(lines, "unpriced") if lines and "unpriced" in lines[0] else 0
        yield row["blank"], sum(line["value"] is None for line in lines) - unpriced


def _change(row: Row, lines: list[Row]) -> Pairs:
    # of a deal without an amount a line has 0, as it may have had one at the other end
    yield row["n"], len(lines)
    yield row["value"], total(lines)


def _time_in_stage(row: Row, lines: list[Row]) -> Pairs:
    yield row["n"], len(lines)
    yield row["total_days"], float(total(lines))


def _rotting(row: Row, lines: list[Row]) -> Pairs:
    yield row["rotting"], len(lines)
    yield row["value"], total(lines)


def _slippage(row: Row, lines: list[Row]) -> Pairs:
    yield from _worth(row, lines)
    for fate in ("won", "lost", "moved", "overdue", "deleted"):
        yield row[fate], sum(line["to"] == fate for line in lines)


def _by_figure(*figures: str) -> Callable[[Row, list[Row]], Pairs]:
    def sums(row: Row, lines: list[Row]) -> Pairs:
        assert {line["figure"] for line in lines} <= {*figures}
        for figure in figures:
            yield row[figure], total([line for line in lines if line["figure"] == figure])

    return sums


def _cohorts(row: Row, lines: list[Row]) -> Pairs:
    if row["won"] is not None:
        upto = [line for line in lines if line["k"] <= row["k"]]
        yield row["won"], len(upto)
        yield row["value"], total(upto)


def _win_loss(row: Row, lines: list[Row]) -> Pairs:
    yield row["n"], len(lines)
    for kind, stages in (("won", ("Won", "Signed")), ("lost", ("Lost", "Gone"))):
        own = [line for line in lines if line["to"] in stages]
        yield row[kind], len(own)
        yield row[f"{kind}_value"], total(own)


def _ramp(row: Row, lines: list[Row]) -> Pairs:
    assert row["active"] or not lines
    if row["active"]:
        yield row["won"], len(lines)
        yield row["value"], total(lines)


def _leaderboard(row: Row, lines: list[Row]) -> Pairs:
    yield row["n"], len(lines)
    yield row["won_value"], total(lines)


def _trend(row: Row, lines: list[Row]) -> Pairs:
    for event in ("created", "won", "lost"):
        yield row[event], sum(line["event"] == event for line in lines)
    yield row["won_value"], total(lines)


def _attainment(row: Row, lines: list[Row]) -> Pairs:
    yield row["won"], total(lines)


def _activity(row: Row, lines: list[Row]) -> Pairs:
    yield row["deals_touched"], len(lines)
    yield row["changes"], total(lines)


def _stage_chances(row: Row, lines: list[Row]) -> Pairs:
    yield row["n"], len(lines)
    yield row["won"], total(lines)


def _survival(row: Row, lines: list[Row]) -> Pairs:
    ended = [line for line in lines if line["value"] == row["days"]]
    yield row["events"] + row["censored"] + (row.get("competing") or 0), len(ended)


def _time_to_close(row: Row, lines: list[Row]) -> Pairs:
    yield row["n"], total(lines)


def _simulate(row: Row, lines: list[Row]) -> Pairs:
    yield row["mean"], total(lines)
    yield row["won"], total([line for line in lines if line["figure"] == "won"])


def _calibration(row: Row, lines: list[Row]) -> Pairs:
    yield row["n"], len(lines)
    if lines:
        yield row["bias"], total(lines) / len(lines)


def _seasonality(row: Row, lines: list[Row]) -> Pairs:
    assert {line["month"] for line in lines} <= {row["month"]}
    yield from ()


ONE = (None, "owner", "currency")
PAST: dict[str, Asked] = {
    "funnel": Asked(({}, {"mode": "any"}, {"mode": "ordered", **MARCH}), _worth, ("stage",)),
    "time_in_stage": Asked(
        ({}, {"unit": "visit"}, MARCH), _time_in_stage, ("stage",), money=False
    ),
    "ageing": Asked(({}, {"basis": "created"}), _worth, ("bucket",)),
    "rotting": Asked(({}, {"basis": "stage"}, {"rot_days": 1}), _rotting, ("stage",)),
    "waterfall": Asked((MARCH, {**MARCH, "net": False}), _change, ("bucket",)),
    "slippage": Asked((MARCH,), _slippage),
    "coverage": Asked(({**SPRING, "target": 100},), _by_figure("won", "open"), first="overdue"),
    "forecast": Asked(
        (SPRING,),
        _by_figure("won", "weighted", "commit", "best", "pipeline", "omitted"),
        ("period", "label"),
    ),
    "cohorts": Asked(({"periods": 3, "measure": "won_value"},), _cohorts, ("cohort",), first="size"),
    "losses": Asked(
        ({}, {"events": True}, SPRING), _worth, groups=("loss_reason", "from_stage", "owner")
    ),
    "win_loss": Asked(({}, {"events": True}, SPRING), _win_loss),
    "ramp": Asked(({"months": 2}, {"events": True}), _ramp, ("month",), ("owner",), first="won"),
    "leaderboard": Asked(({"at": "closing"},), _leaderboard, groups=("owner", "stage", "currency")),
    "trend": Asked(({"events": True}, {"events": True, "period": "week"}), _trend, ("label",)),
    "attainment": Asked(({"period": "2026-02"},), _attainment, ("key",), ("owner", "stage"), "won"),
    "activity": Asked(
        ({}, MARCH),
        _activity,
        groups=(None, "owner", "who", "stage"),
        first="deals_touched",
        money=False,
    ),
    "late_entry": Asked(({}, SPRING), _worth),
    "hindsight": Asked(({"known": "2026-02-20"},), _change, ("bucket",)),
    "stage_chances": Asked(
        ({}, {"method": "closed"}, {"method": "markov"}), _stage_chances, ("stage",), ONE, money=False
    ),
    "survival": Asked(
        ({"stage": "Demo"}, {"stage": "Demo", "event": "won"}), _survival, groups=ONE,
        first="at_risk", money=False,
    ),
    "time_to_close": Asked(({}, {"event": "closed"}), _time_to_close, ("stage",), (None, "stage"), money=False),
    "simulate": Asked(({"until": "2026-07-01", "chances": "own"},), _simulate, groups=(None,)),
    "calibration": Asked(
        ({"since": "2026-02-01", "every": "month"},), _calibration, ("target",), ONE
    ),
    "forecast_error": Asked(
        ({"period": "month", "days_before": [10]},),
        _by_figure("actual", "base"),
        ("period", "days_before"),
        ONE,
    ),
    "seasonality": Asked(({"measure": "created_n"},), _seasonality, ("month",), (None,), money=False),
}  # fmt: skip


def metrics() -> set[str]:
    """All methods of ``Analytics`` that give a table."""
    return {name for name in dir(Analytics) if not name.startswith("_") and name not in ("period",)}
