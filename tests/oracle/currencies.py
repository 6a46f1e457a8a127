"""
Brute force of money in one currency: the same history, with every amount already in it.

What a deal is worth is its amount times one rate, of the day on which it was closed, else of the last day that counts.
So the answer in euros is that to a history whose amounts are these products.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random
from typing import Any

import polars as pl

from dealdb.analytics.conversion import RATES, Conversion
from dealdb.analytics.history.movement.buckets import ADDS
from dealdb.errors import QueryError
from histories.drawn import FILTERS, History, history
from oracle import engine
from oracle.asking import ASKED as IN_ITS_WAY
from oracle.credit import Quota
from oracle.past import DAY_MS, OPEN, Life, Row, lives_of, midnight
from oracle.questions import ORACLE, ROWS, Question, _fits, question
from oracle.tables import Answer

CENT = Decimal("0.01")
ASKED = (
    "funnel", "ageing", "rotting", "waterfall", "slippage", "coverage", "forecast", "cohorts", "losses", "win_loss",
    "leaderboard", "attainment",
)  # fmt: skip
# of a deal as a whole, whatever its lives
_WHOLE = ("waterfall", "slippage")
# where what has no rate is told by other deals than what is blank, or is left out of both
_APART = ("coverage", "forecast", "leaderboard")
Rates = list[tuple[date, str, Decimal]]


def rates_of(random: Random) -> Rates:
    """Few rates, on the days that histories have; dollars have none at first, now and then."""
    found = {}
    for _ in range(random.randrange(1, 5)):
        day = date(2026, 1, 1) + timedelta(days=random.choice((0, 0, 20, 31, 45, 59, 80)))
        found[day] = Decimal(random.choice(("0.90", "0.8", "1.2345", "0.333333", "2")))
    return [(day, "USD", rate) for day, rate in sorted(found.items())]


def rate(rates: Rates, currency: str | None, day: date | None) -> Decimal | None:
    if currency == "EUR":
        return Decimal(1)
    known = [each for start, name, each in rates if name == currency and day and start <= day]
    return known[-1] if known else None


def in_euros(
    past: History, rates: Rates, as_of: date, *, whole: bool, only: date | None
) -> History:
    """The history with what each deal is worth; ``only`` is a day whose rate counts for all."""
    t = midnight(as_of) + DAY_MS
    kinds = {step.name: step.kind for step in past.pipeline}
    lives = lives_of(past.rows)
    last = {life.id: life for life in lives if life.begin < t}
    rows = [row for row in past.rows if row.field not in ("amount", "currency")]

    def day(life: Life) -> date | None:
        own = last.get(life.id, life) if whole else life
        if only is not None:
            return only
        if own.alive(t) and kinds.get(own.at("stage", t) or "", OPEN) != OPEN:
            closed: date | None = own.at("closed", t)
            return closed
        return as_of

    for life in lives:
        # a deal may be saved again in the moment in which it was deleted
        first = [
            row.seq for row in past.rows if row.id == life.id and row.at == life.begin and row.field
        ]
        rows.append(Row(life.id, life.begin, "currency", "EUR", "set", max(first)))
        changes = [each for name in ("amount", "currency") for each in life.changes.get(name, ())]
        for at in sorted({each.at for each in changes}):
            seq = max(each.seq for each in changes if each.at == at)
            amount = life.at("amount", at + 1)
            of = rate(rates, life.at("currency", at + 1), day(life))
            worth = None if amount is None or of is None else amount * of
            rows.append(Row(life.id, at, "amount", worth, "set", seq))
    return replace(past, rows=rows)


def _quotas_in_euros(quotas: list[Quota], rates: Rates, day: date) -> list[Quota]:
    """Quotas by the rate of the day; one without a currency is in euros, and one without a rate in no sum."""
    found = [(each, rate(rates, each.currency or "EUR", day)) for each in quotas]
    return [Quota(each.key, each.amount * of, "EUR") for each, of in found if of is not None]


def cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, rounding=ROUND_HALF_EVEN)


def rounded(answer: Answer, metric: str) -> Answer:
    """The answer as it is shown: money in cents, and without what the engine tells in another way."""
    rows = []
    for row in answer.rows:
        kept = {name: value for name, value in row.items() if name not in ("unweighted", "rank")}
        if metric == "coverage" and cents(row["open"]) != row["open"]:
            kept.pop("gap")
        if metric in _APART:
            kept.pop("blank", None)
        rows.append(
            {n: cents(value) if isinstance(value, Decimal) else value for n, value in kept.items()}
        )
    return Answer(rows)


def _asked(metric: str, random: Random) -> Question:
    asked = question(metric, random)
    if "currency" in asked.by:
        asked.by = ("owner",)
    if asked.where is not None:
        # of what is the same in both histories
        asked.where = random.choice([FILTERS[0], FILTERS[3], FILTERS[5]])
    if asked.options.get("basis") == "update":
        asked.options["basis"] = "stage"
        asked.options.pop("ignore_actors", None)
    return asked


def compared(metric: str, seed: int | str) -> str:
    """The question about a history in euros and the difference of the answers to it, or nothing."""
    random, past = Random(f"euros {seed} {metric}"), history(seed)
    asked, rates = _asked(metric, random), rates_of(random)
    if not _fits(asked, past):
        return ""
    rate_day = random.choice(("event", "event", "as_of", date(2026, 3, 1)))
    frame = pl.DataFrame(rates, schema=RATES, orient="row")
    money = Conversion(to="EUR", rates=frame, rate_day=rate_day, as_of=asked.as_of)
    try:
        found = _difference(asked, past, rates, money)
    except QueryError as error:
        found = f"refused: {error}"
    return found and f"seed {seed}: {asked} rate_day={rate_day}: {found}"


def _difference(asked: Question, past: History, rates: Rates, money: Conversion) -> str:
    whole = asked.metric in _WHOLE
    until = asked.options["until"] - timedelta(days=1) if whole else asked.as_of
    as_of = min(asked.as_of, until)
    fixed = money.rate_day if isinstance(money.rate_day, date) else None
    only = as_of if money.rate_day == "as_of" else fixed
    worth = in_euros(past, rates, as_of, whole=whole, only=only)
    options = dict(asked.options)
    if asked.metric == "attainment":
        options["quotas"] = _quotas_in_euros(options["quotas"], rates, fixed or as_of)
    answer = ORACLE[asked.metric](worth.world(asked.as_of, asked.by, asked.where), **options)
    look = engine.past(engine.facts_of(past), asked.as_of, asked.by, asked.where, convert=money)
    ask = IN_ITS_WAY.get(asked.metric) or engine.of_engine(asked.metric)
    result = ask(look, **asked.options)
    if asked.metric == "waterfall":
        opened = None
        if not asked.by:
            eve = asked.options["since"] - timedelta(days=1)
            then = in_euros(past, rates, eve, whole=True, only=fixed or eve)
            opened = ORACLE["waterfall"](then.world(asked.as_of, (), asked.where), **asked.options)
        own = engine.of_engine("waterfall")(look, **asked.options, fx=True).to_dicts()
        return _balance_differs(answer, result.to_dicts(), asked.by) or _fx_differs(opened, own)
    told = result.frame
    if "blank" in told.columns:
        told = told.with_columns(blank=pl.col("blank") + pl.col("unpriced"))
    keys = tuple(dict.fromkeys((*asked.by, *ROWS)))
    return engine.difference(
        rounded(answer, asked.metric),
        replace(result, frame=told),
        keys=keys,
        exact=asked.metric != "win_loss",
        ordered=asked.metric != "attainment",
    )


def _balance_differs(answer: Answer, rows: list[dict[str, Any]], by: tuple[str, ...]) -> str:
    """Every bucket to the cent, but for one where otherwise they would not add up, and they do."""
    if len(answer.rows) != len(rows):
        return f"{len(answer.rows)} rows of the oracle, {len(rows)} of the engine"
    left: dict[Any, Decimal] = {}
    for ours, theirs in zip(answer.rows, rows, strict=True):
        place = tuple(theirs[name] for name in (*by, "bucket"))
        off = abs(theirs["value"] - ours["value"])
        is_end = theirs["bucket"] in ("start", "end")
        if off > (CENT / 2 if is_end else CENT * Decimal("1.5")) or ours["n"] != theirs["n"]:
            return f"{place}: oracle {ours}, engine {theirs}"
        if ours["blank"] != theirs["blank"] + theirs["unpriced"]:
            return f"{place} blank: oracle {ours}, engine {theirs}"
        sign = 1 if theirs["bucket"] in ADDS else -1
        left[place[:-1]] = left.get(place[:-1], Decimal(0)) + sign * theirs["value"]
    return f"no balance: {left}" if any(left.values()) else ""


def _fx_differs(opened: Answer | None, rows: list[dict[str, Any]]) -> str:
    """The first end by the rate of then, and a balance with what the change of rates made of it."""
    left = sum(row["value"] if row["bucket"] in ADDS else -row["value"] for row in rows)
    if left:
        return f"no balance with fx: {left}"
    if opened is not None and cents(opened.rows[0]["value"]) != rows[0]["value"]:
        return f"start with fx: oracle {opened.rows[0]}, engine {rows[0]}"
    return ""
