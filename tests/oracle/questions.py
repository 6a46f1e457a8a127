"""Random questions about random histories, put to the brute force and to the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any

from dealdb.analytics.basis import MIXED
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError
from dealdb.store.facts.facts import Facts
from histories.drawn import FILTERS, LAST, Filter, History, a_day, history
from oracle import activity, credit, engine, movement, outcomes, predictions, stages, windows
from oracle.asking import ASKED
from oracle.past import day_of
from oracle.tables import Answer

GROUPS: tuple[tuple[str, ...], ...] = (("owner",), ("currency",), ("owner", "currency"), ("stage",))


@dataclass
class Question:
    """A metric with its options, as both sides understand them."""

    metric: str
    as_of: date
    by: tuple[str, ...] = ()
    where: Filter | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.options.items())
        where = self.where[0] if self.where else None
        return f"{self.metric}({shown}) as_of={self.as_of} by={self.by} where={where}"


def _window(random: Random, *, must: bool = False) -> dict[str, Any]:
    first, last = sorted((a_day(random), a_day(random)))
    found = {"since": first, "until": last + timedelta(days=1)}
    if must:
        return found
    return {name: day for name, day in found.items() if random.random() < 0.6}


def _funnel(random: Random) -> dict[str, Any]:
    found = _window(random) | {"mode": random.choice(("reached", "any", "ordered"))}
    if random.random() < 0.3:
        found["cohort"] = f"entered:{random.choice(('Demo', 'Won', 'Lost'))}"
    return found


def _time_in_stage(random: Random) -> dict[str, Any]:
    return _window(random) | {
        "unit": random.choice(("deal", "visit")),
        "closed": random.random() < 0.3,
    }


def _ageing(random: Random) -> dict[str, Any]:
    basis = random.choice(("stage", "created", "update"))
    return {
        "basis": basis,
        "calendar": random.choice(("days", "weekdays")),
        "visits": basis == "stage" and random.random() < 0.4,
        "buckets": random.choice(((7, 14, 30, 60), (0, 5), (10,), tuple(range(31)))),
    }


def _rotting(random: Random) -> dict[str, Any]:
    found: dict[str, Any] = {"basis": random.choice(("update", "stage", "created"))}
    if random.random() < 0.3:
        found["rot_days"] = random.choice((1, 10, 40))
    if random.random() < 0.3:
        found["respite"] = "expected_close"
    if found["basis"] == "update" and random.random() < 0.4:
        found["ignore_actors"] = ["sync"]
    return found


def _waterfall(random: Random) -> dict[str, Any]:
    window = _window(random, must=True)
    due = random.choice((None, tuple(_window(random, must=True).values())))
    return window | {"due": due, "net": random.random() < 0.5}


def _coverage(random: Random) -> dict[str, Any]:
    found = _window(random, must=True) | {
        "target": Decimal(random.choice(("0.00", "100.00", "1000.00", "3000.01")))
    }
    if random.random() < 0.3:
        found["win_rate"] = Decimal(random.choice(("0.3", "0.07")))
    return found


def _some_window(random: Random) -> dict[str, Any]:
    return _window(random)


def _full_window(random: Random) -> dict[str, Any]:
    return _window(random, must=True)


def _forecast(random: Random) -> dict[str, Any]:
    return _window(random, must=True) | {"period": random.choice(("month", "month", "day"))}


def _cohorts(random: Random) -> dict[str, Any]:
    return {"periods": random.choice((1, 3, 12))}


def _attainment(random: Random) -> dict[str, Any]:
    quotas = {"Ann": "30.01", "Zoe": "7.00"} if random.random() < 0.7 else {"Bob": "0.00"}
    first = date(2026, random.choice((1, 2, 3)), 1)
    told = [credit.Quota(name, Decimal(text), "EUR") for name, text in quotas.items()]
    # several currencies draw from numbers of their own, too
    more = Random(f"{random.getstate()[1][:8]} quotas")
    if more.random() < 0.6:
        told = [each._replace(currency=more.choice(("EUR", "USD", None))) for each in told]
    if more.random() < 0.3:
        told.append(credit.Quota("Ann", Decimal("5.00"), more.choice(("EUR", "USD"))))
    return {"quotas": told, "first": first}


def _ramp(random: Random) -> dict[str, Any]:
    return {
        "start": random.choice(("first_deal", "first_win")),
        "months": 4,
        "events": random.random() < 0.4,
    }


def _late_entry(random: Random) -> dict[str, Any]:
    lag = random.choice((0, 3, 8, 20))
    return _window(random, must=True) | {"lags": {seq: lag * (seq % 2) for seq in range(400)}}


def _forecast_error(random: Random) -> dict[str, Any]:
    return {"days_before": random.choice(([10], [40, 10], [0, 25]))}


def _stage_chances(random: Random) -> dict[str, Any]:
    return _window(random) | {"method": "closed"}


def _calibration(random: Random) -> dict[str, Any]:
    return {
        "since": date(2026, 3, random.randrange(1, 9)),
        "horizon_days": random.choice((1, 10, 31)),
    }


OPTIONS: dict[str, Callable[[Random], dict[str, Any]]] = {
    "funnel": _funnel,
    "time_in_stage": _time_in_stage,
    "ageing": _ageing,
    "rotting": _rotting,
    "waterfall": _waterfall,
    "slippage": _full_window,
    "coverage": _coverage,
    "forecast": _forecast,
    "cohorts": _cohorts,
    "losses": _some_window,
    "win_loss": _some_window,
    "leaderboard": _some_window,
    "attainment": _attainment,
    "ramp": _ramp,
    "late_entry": _late_entry,
    "hindsight": _full_window,
    "activity": _some_window,
    "events": _some_window,
    "forecast_error": _forecast_error,
    "stage_chances": _stage_chances,
    "calibration": _calibration,
}
ORACLE: dict[str, Callable[..., Answer]] = {
    "funnel": stages.funnel,
    "time_in_stage": stages.time_in_stage,
    "ageing": stages.ageing,
    "rotting": stages.rotting,
    "waterfall": movement.waterfall,
    "slippage": windows.slippage,
    "coverage": windows.coverage,
    "forecast": windows.forecast,
    "cohorts": outcomes.cohorts,
    "losses": outcomes.losses,
    "win_loss": outcomes.win_loss,
    "leaderboard": outcomes.leaderboard,
    "attainment": credit.attainment,
    "ramp": credit.ramp,
    "late_entry": credit.late_entry,
    "hindsight": credit.hindsight,
    "activity": activity.activity,
    "events": activity.events,
    "forecast_error": predictions.forecast_error,
    "stage_chances": predictions.stage_chances,
    "calibration": predictions.calibration,
}
# what these need is over on the last day
PREDICTIONS = ("forecast_error", "stage_chances", "calibration")
# what tells the rows of a table apart, besides its groups
ROWS = (
    "key",
    "stage",
    "bucket",
    "label",
    "cohort",
    "k",
    "month",
    "period",
    "days_before",
    "target",
)
# what is compared of the lines of a metric: who counts in which row, and of money how much
LINES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("funnel", "time_in_stage", "ageing", "rotting"), ("id",)),
    **dict.fromkeys(("slippage", "losses", "win_loss", "stage_chances"), ("id",)),
    "waterfall": ("id", "value"),
}


def question(metric: str, random: Random) -> Question:
    # what was added since draws from numbers of its own, so that seeds keep their questions
    more = Random(f"{random.getstate()[1][:8]}")
    found = Question(metric, a_day(random), options=OPTIONS[metric](random))
    if random.random() < 0.4:
        found.by = random.choice(GROUPS)
        if metric in ("funnel", "time_in_stage", "rotting") and "stage" in found.by:
            found.by = ("loss_reason",)
    if random.random() < 0.3:
        found.where = random.choice(FILTERS)
    if metric in ("waterfall", "slippage"):
        # what happened after the window is of no account
        found.as_of = random.choice((LAST, found.options["until"] - timedelta(days=1)))
    if metric in PREDICTIONS:
        found.as_of = LAST
        found.by = () if metric == "stage_chances" and "stage" in found.by else found.by
    if metric in ("attainment", "ramp"):
        found.by = ("owner",)
    if metric in ("late_entry", "hindsight"):
        found.by = ()
    if metric == "activity":
        found.by = random.choice((("owner",), ("who",), ("stage",), ()))
    if metric in ("losses", "win_loss", "leaderboard"):
        found.by = found.by or random.choice((("owner",), ("loss_reason",), ("from_stage",)))
        if metric != "losses" and "from_stage" in found.by:
            found.by = ("owner",)
    if metric in ("losses", "win_loss") and more.random() < 0.3:
        found.by = more.choice((("owner",), ()))
        if metric == "losses":
            found.options["events"] = True
    return found


def _fits(asked: Question, past: History) -> bool:
    """Whether the moment is after the first fact: before it nothing can be asked."""
    first = min(row.at for row in past.rows)
    if asked.metric in PREDICTIONS and day_of(first) >= date(2026, 3, 1):
        return False
    until = asked.options.get("until")
    return asked.as_of >= day_of(first) and (until is None or until > day_of(first))


@lru_cache(maxsize=1)
def _drawn(seed: int | str) -> tuple[History, Facts]:
    """The history of a seed, and the facts of it with what was read of them: all metrics are asked about the same."""
    past = history(seed)
    return past, engine.facts_of(past)


def ask(asked: Question, past: History, facts: Facts) -> str:
    """Where the answers differ, or nothing."""
    world = past.world(asked.as_of, asked.by, asked.where)
    options = dict(asked.options)
    if asked.metric == "hindsight":
        options["known"] = replace(world, rows=[row for row in world.rows if row.seq % 3])
    answer = ORACLE[asked.metric](world, **options)
    if asked.metric == "forecast_error":
        options["period"] = "month"
    by_at = {"by_at": "event"} if asked.metric in ("time_in_stage",) else {}
    look = engine.past(facts, asked.as_of, asked.by, asked.where, **by_at)
    metric = ASKED.get(asked.metric) or engine.of_engine(asked.metric)
    result = metric(look, **options)
    keys = tuple(dict.fromkeys((*asked.by, "currency", *ROWS)))
    found = engine.difference(
        answer,
        result,
        keys=keys,
        exact=asked.metric not in ("win_loss", "calibration"),
        ordered=asked.metric not in ("attainment", "ramp"),
    )
    if asked.metric == "forecast" and not found:
        found = _totals_differ(answer, result)
    if found or asked.metric not in LINES:
        return found
    lines = engine.of_engine(asked.metric)(replace(look, deals=True), **options)
    return engine.lines_differ(answer, lines, keys=(*keys, *LINES[asked.metric]))


def _totals_differ(answer: Answer, result: MetricResult) -> str:
    """Those of a forecast, which there are of one currency alone."""
    ours, theirs = windows.totals(answer), dict(getattr(result, "totals", {}))
    if ours == theirs or result.basis.currency == MIXED:
        return ""
    return f"totals of the oracle {ours}, of the engine {theirs}"


def compared(metric: str, seed: int | str) -> str:
    """The question about the history of a seed and the difference of the answers to it, or nothing."""
    random, (past, facts) = Random(f"question {seed} {metric}"), _drawn(seed)
    asked = question(metric, random)
    if not _fits(asked, past):
        if asked.metric in PREDICTIONS:
            # nothing that they look at is over
            return ""
        asked.as_of = LAST
        for name in ("since", "until"):
            if name in asked.options:
                asked.options[name] = LAST + timedelta(days=name == "until")
    try:
        found = ask(asked, past, facts)
    except QueryError as error:
        found = f"refused: {error}"
    return found and f"seed {seed}: {asked}: {found}"
