"""Answers about what is likely to come, and how good earlier predictions were: ``simulate``, ``survival`` and so on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dealdb.answers.asked import (
    AskedMetric,
    counted,
    day,
    days,
    decimal,
    in_currency,
    listing,
    money,
    percent,
    sentences,
    total,
    whole,
)

if TYPE_CHECKING:
    import polars as pl

_ENDS = {
    "left": "left the stage",
    "forward": "moved on to a later stage",
    "closed": "been won or lost",
    "won": "been won",
}
_MEASURES = {"won_value": "won value", "won_n": "wins", "created_n": "new deals"}
# groups that the sentences name; the table has all
_MOST_TOLD = 5
# how a basis says that values before the load are not known
_ASSUMED = re.compile(r"values before their record assumed of ([0-9,]+) deals")
# shares from which on a percentage is hard to read
_MANY_TIMES = 10
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def stage_chances(asked: AskedMetric) -> str:
    """How likely a deal is won in the end, from the first stage and from the best one."""
    # where all are undecided the chance is 0, and says nothing
    known = [
        row for row in asked.rows if row["chance"] is not None and (row.get("undecided") or 0) < 1
    ]
    if not known:
        return "No deal that stood in an open stage is known to have been won or lost, so nothing can be learned yet."
    first = known[0]
    unit = "move" if asked.options.get("method") == "markov" else "deal"
    told = [_chance(first, unit, asked)]
    best = max(known, key=lambda row: row["chance"])
    if best is not first:
        told.append(_chance(best, unit, asked))
    few = sum(row["n"] < 20 for row in known)
    rests = "rests" if few == 1 else "rest"
    return sentences(
        *told,
        f"{counted(few, 'line')} {rests} on fewer than 20 {unit}s, and {'tells' if few == 1 else 'tell'} little."
        if few
        else None,
    )


def _chance(row: dict[str, Any], unit: str, asked: AskedMetric) -> str:
    return (
        f"A deal that comes into {row['stage']}{asked.named(row)} is won in the end in {percent(row['chance'])} "
        f"of the cases "
        f"({percent(row['lo'])} to {percent(row['hi'])}, by {counted(row['n'], unit)})."
    )


def survival(asked: AskedMetric) -> str:
    """After how many days half of the deals have left a stage."""
    stage, event = asked.options["stage"], asked.options.get("event", "left")
    # a curve has as many rows as there are lengths of stays
    table, groups = asked.result.frame, asked.groups
    if table.is_empty():
        return f"No deal has ever been in {stage}."
    curves = table.partition_by(groups, maintain_order=True) if groups else [table]
    told = [
        _median(stage, event, curve.select(groups).row(0) if groups else (), curve)
        for curve in curves[:_MOST_TOLD]
    ]
    return sentences(*told, *_untold(len(curves)))


def _untold(groups: int) -> list[str]:
    """That there are more groups than the sentences name."""
    more = groups - _MOST_TOLD
    return [f"{counted(more, 'more group')} in the table."] if more > 0 else []


def _median(stage: str, event: str, group: Sequence[Any], curve: pl.DataFrame) -> str:
    who = f"{', '.join(map(str, group))}: " if group else ""
    done = _ENDS[event].replace("the stage", stage)
    at = "" if event == "left" else f" of {stage}"
    half = curve.filter(curve["s"] <= 0.5).head(1)["days"].to_list()
    last = curve.row(-1, named=True)
    ends = [name for name in ("events", "censored", "competing") if name in curve.columns]
    n = sum(int(curve[name].sum()) for name in ends)
    base = f"by {counted(n, 'stay')}, those that still go on among them"
    if not half:
        return (
            f"{who}Fewer than half of the deals{at} have {done} within {days(last['days'])}: "
            f"{percent(1 - last['s'])} have ({base})."
        )
    return f"{who}Half of the deals{at} have {done} within {days(half[0])} ({base})."


def time_to_close(asked: AskedMetric) -> str:
    """How many days open deals still take."""
    rows = asked.rows
    if not rows:
        return f"No deal is open as of {day(asked.result.basis.as_of)}."
    known = [row for row in rows if row["p50"] is not None]
    word = "closed" if asked.options.get("event") == "closed" else "won"
    if not known:
        return f"Too little is known to say it: fewer than 20 deals were {word} from each of these stages."
    nearest = min(known, key=lambda row: row["p50"])
    # by stage there is no deal
    who = f"deal {nearest['id']} in" if "id" in nearest else "a deal that comes into"
    rest = len(rows) - len(known)
    return sentences(
        f"Soonest: {who} {nearest['stage']}, which is {word} with a chance of {percent(nearest['chance'])}; if it "
        f"is, "
        f"in half of the cases within {days(nearest['p50'])}, in 9 of 10 within {days(nearest['p90'])}.",
        f"Of {counted(rest, 'line')} too little is known." if rest else None,
    )


def simulate(asked: AskedMetric) -> str:
    """What will have been won by the end, and in which range that lies."""
    basis = asked.result.basis
    last = basis.until - timedelta(days=1) if basis.until else None
    if not basis.n:
        # a correlation has rows of its own, of the same wins
        wins = [
            (total([row for row in rows if not row["rho"]], "won"), currency)
            for currency, rows in asked.parts
        ]
        sums = [money(value, currency) for value, currency in wins]
        won = listing(sums) if any(value for value, _ in wins) else "Nothing"
        return (
            f"{won} is won since {day(basis.since)}, and no open deal that has an amount and a chance can add to it by "
            f"{day(last)}."
        )
    # the first row of a group and a currency is that of independent deals
    firsts: dict[tuple[str, str | None], dict[str, Any]] = {}
    for row in asked.rows:
        firsts.setdefault((asked.group(row), row.get("currency") or basis.currency), row)
    told = [
        _outlook(row, group, currency, asked)
        for (group, currency), row in list(firsts.items())[:_MOST_TOLD]
    ]
    return sentences(
        *told,
        *_untold(len(firsts)),
        "Deals that are created later are not in it.",
    )


def _outlook(row: dict[str, Any], group: str, currency: str | None, asked: AskedMetric) -> str:
    basis = asked.result.basis
    last = basis.until - timedelta(days=1) if basis.until else None
    low, high = money(row["p10"], currency), money(row["p90"], currency)
    spread = "just that" if low == high else f"between {low} and {high}"
    open_deals = counted(row["n"], "open deal")
    more = f"more can come from {open_deals}" if row["n"] else "no open deal can add to it"
    return (
        f"{f'{group}: by' if group else 'By'} the end of {day(last)}, some {money(row['p50'], currency)} will be won: "
        f"in half of the outcomes it is no more, and in 8 of 10 {spread}. {money(row['won'], currency)} is won since "
        f"{day(basis.since)}; {more}."
    )


def calibration(asked: AskedMetric) -> str:
    """Whether the chances of deals were right, and how much of the expected money came."""
    rows = _of_target(asked, "horizon")
    if not rows:
        return "On none of these days was a deal open that had a chance."
    horizon = asked.options.get("horizon_days", 30)
    told = [_bias(row, horizon, asked) for row in rows[:_MOST_TOLD]]
    came = [
        f"Of {money(total(part, 'expected'), currency)} expected from deals due within {days(horizon)}, "
        f"{money(total(part, 'actual'), currency)} came, where a deal counts on each of these days again."
        for currency, part in asked.parts
        if total([row for row in part if row["target"] == "horizon"], "expected")
    ]
    later = _of_target(asked, "eventually")
    after = (
        f"Of those that are closed by now, {percent(later[0]['won'])} were won, where the chances said "
        f"{percent(later[0]['said'])}."
        if len(later) == 1
        else None
    )
    chance = "A chance means a win at any time, so that within a few weeks fewer are won."
    return sentences(_assumed(asked), *told, *_untold(len(rows)), after, *came, chance)


def _assumed(asked: AskedMetric) -> str | None:
    """That the chances of those days were never seen, where it is so: then all that follows misleads."""
    found = (_ASSUMED.fullmatch(note) for note in asked.result.basis.notes)
    n = next((int(each[1].replace(",", "")) for each in found if each), 0)
    if not n:
        return None
    return (
        f"This may mislead: {counted(n, 'deal')} came without a history, so that of days before the load nobody knows "
        "which chance stood there, and today's is taken for it; those that are won or lost by now often have none left."
    )


def _of_target(asked: AskedMetric, target: str) -> list[dict[str, Any]]:
    """Of each group, in any currency: ``n``, the share that was ``won``, and the mean of the chances, ``said``."""
    found: dict[str, dict[str, Any]] = {}
    for row in asked.rows:
        if row["target"] != target or not row["n"]:
            continue
        own = found.setdefault(asked.group(row), {**row, "n": 0, "won": 0.0, "said": 0.0})
        own["n"] += row["n"]
        own["won"] += row["base_rate"] * row["n"]
        own["said"] += (row["base_rate"] + row["bias"]) * row["n"]
    return [
        {**own, **{name: own[name] / own["n"] for name in ("won", "said")}}
        for own in found.values()
    ]


def _bias(row: dict[str, Any], horizon: int, asked: AskedMetric) -> str:
    group = asked.group(row)
    return (
        f"{f'{group}: open' if group else 'Open'} deals were looked at {counted(row['n'], 'time')}, each on every day "
        f"that was asked for; {percent(row['won'])} were won within {days(horizon)}, and their chances said "
        f"{percent(row['said'])}."
    )


def forecast_error(asked: AskedMetric) -> str:
    """How much of the last period's forecast came true, and how far forecasts were off on average."""
    rows = [row for row in asked.rows if row["actual"] is not None]
    if not rows:
        return "No period is over of which a forecast is known."
    last = max(row["period"] for row in rows)
    told = []
    for currency, part in asked.parts:
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in part:
            if row["period"] == last:
                groups.setdefault(asked.group(row), []).append(row)
        newest = list(groups.items())[:_MOST_TOLD]
        told += [_came_true(group, lines, currency) for group, lines in newest]
        told += _untold(len(groups))
    meaning = "The forecast is what was won by then, and open deals by their chances."
    # errors of money in several currencies are of each by itself
    is_one = len(asked.parts) == 1
    off = [_off(part, "" if is_one else in_currency(name)) for name, part in asked.parts]
    return sentences(*told, meaning, *([] if asked.groups else off))


def _came_true(group: str, rows: Sequence[dict[str, Any]], currency: str | None) -> str:
    who, actual = f"{group}: " if group else "", money(rows[0]["actual"], currency)
    if not any(row["actual"] or row["base"] for row in rows):
        return f"{who}{rows[0]['label']} closed at {actual}, and no forecast expected more."
    first, *rest = sorted(rows, key=lambda row: -row["days_before"])
    shown = [
        f"{_share(first)} the forecast of {counted(first['days_before'], 'day')} before its end "
        f"({money(first['base'], currency)})",
        *(
            f"{_share(row)} that of {counted(row['days_before'], 'day')} before ({money(row['base'], currency)})"
            for row in rest
        ),
    ]
    return f"{who}{first['label']} closed at {actual}. That is {listing(shown)}."


def _share(row: dict[str, Any]) -> str:
    if row["base"]:
        share = float(row["actual"] / row["base"])
        return f"{percent(share)} of" if share < _MANY_TIMES else f"{decimal(share, 1)} times"
    return "more than" if row["actual"] else "the same as"


def _off(rows: Sequence[dict[str, Any]], which: str) -> str | None:
    # of a period in which nothing was won there is no share
    known = [row for row in rows if row["base_share"] is not None]
    n = len({row["period"] for row in known})
    if n < 2:
        return f"One period says little about forecasts{which} in general." if n else None
    shares: dict[int, list[float]] = {}
    for row in known:
        shares.setdefault(row["days_before"], []).append(abs(row["base_share"]))
    told = [
        # the first forecast of a history can be too late for some days before the end
        f"{percent(sum(each) / len(each))} {counted(day, 'day')} before the end"
        + ("" if len(each) == n else f" (of {counted(len(each), 'period')})")
        for day, each in sorted(shares.items(), reverse=True)
    ]
    return f"Over {whole(n)} periods, forecasts{which} were off by {listing(told)}, on average."


def seasonality(asked: AskedMetric) -> str:
    """Which part of the year is the best, and which the worst."""
    what = _MEASURES[asked.options.get("measure", "won_value")]
    is_one = len(asked.parts) == 1
    told = [
        _best_and_worst(known, what if is_one else what + in_currency(name), asked)
        for name, part in asked.parts
        if (known := [row for row in part if row["factor"] is not None])
    ]
    return sentences(*told) or "Nothing is known of any season."


def _best_and_worst(rows: Sequence[dict[str, Any]], what: str, asked: AskedMetric) -> str:
    best, worst = (choose(rows, key=lambda row: row["factor"]) for choose in (max, min))
    return (
        f"{_season(best)} is the best{asked.named(best)}: {decimal(best['factor'])} times the {what} of the year "
        f"around it, by {counted(best['n'], 'year')}; {_season(worst)} the weakest{asked.named(worst)}: "
        f"{decimal(worst['factor'])} times, by {counted(worst['n'], 'year')}."
    )


def _season(row: dict[str, Any]) -> str:
    return f"Quarter {row['quarter']}" if "quarter" in row else _MONTHS[row["month"] - 1]
