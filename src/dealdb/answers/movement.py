"""Answers about what changed and what is to come: ``waterfall``, ``slippage``, ``coverage``, ``forecast``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dealdb.answers.asked import (
    AskedMetric,
    Row,
    blanks,
    counted,
    day,
    days,
    days_between,
    deals,
    decimal,
    listing,
    money,
    percent,
    sentences,
    signed,
    total,
    whole,
)

# what a bucket does to the open value, in the order in which it is told
_SIGNS = {
    "created": ("+", "created"),
    "pulled_in": ("+", "pulled in"),
    "reopened": ("+", "reopened"),
    "up": ("+", "from higher amounts"),
    "won": ("-", "won"),
    "lost": ("-", "lost"),
    "pushed_out": ("-", "pushed out"),
    "down": ("-", "from lower amounts"),
    "deleted": ("-", "deleted"),
    "fx": ("+", "by exchange rates"),
}
# of groups they cancel each other; what is left has come from another currency, or gone to one
_TRANSFERS = ("transferred_in", "transferred_out")
_OTHERS = {
    "owner": "got another owner",
    "stage_forward": "moved to a later stage",
    "stage_back": "moved back a stage",
    "date_only": "got another expected date",
}


def waterfall(asked: AskedMetric) -> str:
    """From which value to which the open pipeline went, and by what."""
    basis = asked.result.basis
    due = asked.options.get("due")
    which = f"The open pipeline due {days_between(*due)}" if due else "The open pipeline"
    if not basis.n:
        return f"Nothing was in the open pipeline {_so_far(asked)}, and nothing came or went."
    # of currencies in which nothing is open there is nothing to tell
    parts = [part for part in asked.parts if any(row["value"] for row in part[1])]
    told = [
        _change(which, _together(rows), currency, asked)
        for currency, rows in parts or asked.parts[:1]
    ]
    others = [
        f"{whole(number)} {_OTHERS[name]}"
        for name, number in asked.result.totals.items()
        if number and name in _OTHERS
    ]
    rest = f"Of the deals that stayed open, {listing(others)}." if others else None
    ends = [row for row in asked.rows if row["bucket"] == "end"]
    return sentences(*told, rest, blanks(total(ends, "blank"), "open deal"))


def _together(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A row for each bucket of all groups together, in cents that balance."""
    # sentences are known before any result is
    import polars as pl

    from dealdb.analytics.history.money import balanced
    from dealdb.analytics.history.movement.buckets import ADDS

    if len({row["bucket"] for row in rows}) == len(rows) and not _has_parts_of_cents(rows):
        return [dict(row) for row in rows]
    summed = {
        name: {key: total(own, key) for key in ("n", "value", "blank", "unpriced") if key in own[0]}
        for name in dict.fromkeys(row["bucket"] for row in rows)
        if (own := [row for row in rows if row["bucket"] == name])
    }
    if gone := summed.pop(_TRANSFERS[1], None):
        # what one group of the same currency took over, another has handed over
        summed[_TRANSFERS[0]]["value"] -= gone["value"]
    found = pl.DataFrame([{"bucket": name, **sums} for name, sums in summed.items()])
    return balanced(found, [], ADDS).to_dicts()


def _has_parts_of_cents(rows: Sequence[Row]) -> bool:
    return any(row["value"].as_tuple().exponent < -2 for row in rows)


def _change(
    which: str, rows: Sequence[dict[str, Any]], currency: str | None, asked: AskedMetric
) -> str:
    buckets = {
        name: [row for row in rows if row["bucket"] == name]
        for name in ("start", "end", *_SIGNS, *_TRANSFERS)
    }
    start, end = buckets["start"], buckets["end"]
    before, after = total(start, "value"), total(end, "value")
    went = "fell" if after < before else "grew" if after > before else None
    from_to = (
        f"from {money(before, currency)} ({deals(total(start, 'n'))}) to {money(after, currency)} "
        f"({deals(total(end, 'n'))})"
    )
    moved = f"{which} {went} by {money(abs(after - before), currency)} {_so_far(asked)}, {from_to}"
    kept = f"{which} is worth as much as before, {money(before, currency)} ({_so_far(asked)})"
    return f"{moved if went else kept}: {', '.join(_parts(buckets)) or 'nothing moved'}."


def _parts(buckets: Mapping[str, Sequence[Row]]) -> list[str]:
    """What led to a change, in words whose sums add up to it."""
    came, gone = (total(buckets[name], "value") for name in _TRANSFERS)
    moved = came - gone
    how = "taken over from" if moved > 0 else "handed over to"
    return [
        *(
            _moved(buckets[name], sign, words)
            for name, (sign, words) in _SIGNS.items()
            if total(buckets[name], "n")
        ),
        *([f"{signed('+', moved)} {how} another currency"] if moved else []),
    ]


def _so_far(asked: AskedMetric) -> str:
    """The days of the window up to the last one of which something is known."""
    basis = asked.result.basis
    if basis.until is None or basis.as_of is None:
        return asked.span
    return days_between(basis.since, min(basis.until, basis.as_of + timedelta(days=1)))


def _moved(rows: Sequence[Row], sign: str, words: str) -> str:
    if value := total(rows, "value"):
        return f"{signed(sign, value)} {words}"
    # what is worth nothing moves without moving money
    n, blank = total(rows, "n"), total(rows, "blank")
    unpriced = sum(row.get("unpriced", 0) for row in rows)
    if blank + unpriced < n:
        without = f", {whole(unpriced)} without a rate" if unpriced else ""
        return f"{deals(n)} {words} with amounts that add up to 0.00{without}"
    lacking = [what for what, number in (("an amount", blank), ("a rate", unpriced)) if number]
    return f"{deals(n)} {words} without {' or '.join(lacking)}"


def slippage(asked: AskedMetric) -> str:
    """What became of the deals that were due."""
    n = total(asked.rows, "n")
    if not n:
        return f"No open deal was due {asked.span}."
    if asked.result.totals.get("not_due"):
        return _running(asked, n)
    told = []
    for currency, rows in asked.parts:
        due, slipped = total(rows, "n"), total(rows, "slipped")
        value, left = total(rows, "value"), total(rows, "slipped_value")
        share = f", {percent(float(left / value))} of the value" if value > 0 else ""
        was, slip = ("was", "slipped") if due == 1 else ("were", "slipped")
        told.append(
            f"Of {deals(due)} ({money(value, currency)}) that {was} due {asked.span}, {whole(slipped)} {slip} "
            f"({percent(slipped / due)}{share})."
        )
    rows = asked.rows
    won, lost, gone = (total(rows, name) for name in ("won", "lost", "deleted"))
    moved, overdue = total(rows, "moved"), total(rows, "overdue")
    fate = [
        f"{whole(won)} won",
        f"{whole(lost)} lost",
        *([f"{whole(gone)} deleted"] if gone else []),
    ]
    slips = (
        f"Of those that slipped, {whole(moved)} moved out of the period and {whole(overdue)} "
        f"{'is' if overdue == 1 else 'are'} overdue in it."
    )
    return sentences(
        *told,
        f"The others: {listing(fate)}." if won + lost + gone else None,
        slips if moved + overdue else None,
        _pushes(rows),
        blanks(total(rows, "blank")),
    )


def _running(asked: AskedMetric, n: int) -> str:
    """The same of a period that is not over, in which some deals are not due yet."""
    rows, waits = asked.rows, asked.result.totals["not_due"]
    worth = listing([money(total(part, "value"), currency) for currency, part in asked.parts])
    slipped, won, lost, gone = (total(rows, name) for name in ("slipped", "won", "lost", "deleted"))
    fate = [f"{whole(slipped - waits)} slipped", f"{whole(won)} won", f"{whole(lost)} lost"]
    return sentences(
        f"Of {deals(n)} ({worth}) that {'was' if n == 1 else 'were'} due {asked.span}, {whole(waits)} "
        f"{'is' if waits == 1 else 'are'} not due yet, as the period is not over; they count as slipped in the table.",
        f"The others: {listing([*fate, *([f'{whole(gone)} deleted'] if gone else [])])}."
        if n > waits
        else None,
        _pushes(rows),
        blanks(total(rows, "blank")),
    )


def _pushes(rows: Sequence[dict[str, Any]]) -> str | None:
    pushed = [row for row in rows if row["pushes"]]
    if not pushed:
        return None
    times = counted(total(rows, "pushes"), "time")
    return f"Dates were pushed {times}, by {days(_mean_push(pushed))} on average."


def _mean_push(rows: Sequence[dict[str, Any]]) -> float:
    sums = sum(row["mean_days_pushed"] * row["pushes"] for row in rows)
    return float(sums / total(rows, "pushes"))


def coverage(asked: AskedMetric) -> str:
    """Whether the open deals are enough for what is left of the target."""
    rows = [row for row in asked.rows if row["target"] is not None]
    if not rows:
        return "None of these groups has a target."
    if len(rows) > 1:
        return _coverages(rows, asked)
    [row], currency = rows, asked.result.basis.currency
    currency = row.get("currency") or currency
    left, value = money(row["remaining"], currency), money(row["open"], currency)
    target = f"the target of {money(row['target'], currency)}"
    won, later = money(row["won"], currency), _won_later(asked)
    if row["met"]:
        over = money(row["surplus"], currency)
        first = f"T{target[1:]} is met: {won} won {asked.span}, {over} more than needed."
        return sentences(first, later)
    first = (
        f"Of {target}, {won} is won and {left} is left; open deals of {value} due {asked.span} cover that "
        f"{decimal(row['coverage'])} times."
    )
    undated = (
        f"Open deals of {money(row['undated_value'], currency)} have no expected date, and are not in it."
        if row["undated_value"]
        else None
    )
    return sentences(first, later, _needed(row, currency, asked), undated, blanks(row["blank"]))


def _won_later(asked: AskedMetric) -> str | None:
    basis = asked.result.basis
    # on its last day a period has no later days
    if basis.until is None or basis.as_of is None or basis.as_of < basis.until:
        return None
    last = basis.until - timedelta(days=1)
    return f"What was won after it, up to {day(basis.as_of)}, is in this: --as-of {last} looks at its end."


def _needed(row: dict[str, Any], currency: str | None, asked: AskedMetric) -> str:
    if row["required"] is None:
        return (
            "How much is needed is not known, as no deal was won in the last 365 days: --win-rate SHARE says "
            "what to expect."
        )
    rate = percent(1 / row["required"])
    which = (
        f"a win rate of {rate}"
        if asked.options.get("win_rate")
        else f"the win rate of the last 365 days, {rate}"
    )
    needs = f"At {which}, it takes {decimal(row['required'])} times"
    if row["gap"] > 0:
        return f"{needs}: {money(row['gap'], currency)} of open deals are missing."
    return f"{needs}: that is enough, with {money(-row['gap'], currency)} to spare."


def _coverages(rows: Sequence[dict[str, Any]], asked: AskedMetric) -> str:
    met = sum(bool(row["met"]) for row in rows)
    known = [row for row in rows if row["gap"] is not None]
    short = [row for row in known if row["gap"] > 0]
    enough, unknown = len(known) - len(short), len(rows) - met - len(known)
    worst = []
    for currency, part in asked.parts:
        own = [row for row in part if row in short]
        if own:
            row = max(own, key=lambda each: each["gap"])
            missing = money(row["gap"], currency)
            worst.append(f"{asked.group(row)} ({missing} missing)" if asked.groups else missing)
    return sentences(
        f"{whole(met)} of {counted(len(rows), 'target')} {'is' if met == 1 else 'are'} met.",
        _short(len(short), worst, asked),
        f"For {counted(enough, 'other')} open deals are enough." if enough else None,
        f"How many open deals {counted(unknown, 'needs', 'need')} is not known, as none of their deals was won in the "
        "last 365 days."
        if unknown
        else None,
        "The target counts for each currency by itself; --to CURRENCY takes all together."
        if len(asked.parts) > 1
        else None,
    )


def _short(number: int, worst: Sequence[str], asked: AskedMetric) -> str | None:
    if not number:
        return None
    what = f"most of all {listing(worst)}" if asked.groups else f"{listing(worst)} missing"
    return f"{counted(number, 'is', 'are')} short of open deals, {what}."


def forecast(asked: AskedMetric) -> str:
    """What the window is likely to close at, and between which bounds."""
    if not asked.result.basis.n:
        return f"Nothing was won {asked.span}, and no open deal is due then."
    told = []
    for currency, rows in asked.parts:
        inside = [row for row in rows if row["label"] != "undated"]
        won, weighted = total(inside, "won"), total(inside, "weighted")
        opened = sum(total(inside, name) for name in ("commit", "best", "pipeline", "omitted"))
        low, high = won + total(inside, "commit"), won + opened
        if _is_over(asked):
            told.append(_closed(asked, inside, currency))
            continue
        if len(asked.parts) == 1 and not won and not total(inside, "n"):
            told.append(
                f"Nothing is won in {_lower(_period(asked))} so far, and no open deal is due in it."
            )
            continue
        told.append(
            f"{_period(asked)} is likely to close at {money(won + weighted, currency)}: {money(won, currency)} "
            f"won so "
            f"far and {money(weighted, currency)} expected of {counted(total(inside, 'n'), 'open deal')}, each by "
            f"its chance. "
            f"At least {money(low, currency)}, which is won or committed; at most {money(high, currency)}, if "
            f"every open deal "
            "is won."
        )
    rows = asked.rows
    overdue = total([row for row in rows if row["label"] == "overdue"], "n")
    undated = total([row for row in rows if row["label"] == "undated"], "n")
    late = "is" if overdue == 1 else "are"
    return sentences(
        *told,
        f"{counted(overdue, 'of these deals', 'of these deals')} {late} overdue."
        if overdue and not _is_over(asked)
        else None,
        _without_chance(total([row for row in rows if row["label"] != "undated"], "unweighted")),
        f"{counted(undated, 'open deal')} without an expected date {'is' if undated == 1 else 'are'} not in it."
        if undated
        else None,
        # those without a date are in no sum of it
        blanks(total([row for row in rows if row["label"] != "undated"], "blank"), "open deal"),
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _is_over(asked: AskedMetric) -> bool:
    basis = asked.result.basis
    # at the end of its last day it is over, too
    return (
        basis.until is not None
        and basis.as_of is not None
        and basis.as_of >= basis.until - timedelta(days=1)
    )


def _closed(asked: AskedMetric, rows: Sequence[dict[str, Any]], currency: str | None) -> str:
    """What a period that is over has closed at."""
    won, left = total(rows, "won"), total(rows, "n")
    opened = sum(total(rows, name) for name in ("commit", "best", "pipeline", "omitted"))
    rest = (
        f"{counted(left, 'deal')} that {'was' if left == 1 else 'were'} due in it, worth {money(opened, currency)}, "
        f"{'is' if left == 1 else 'are'} still open."
        if left
        else None
    )
    return sentences(f"{_period(asked)} is over and closed at {money(won, currency)}.", rest)


def _without_chance(number: int) -> str | None:
    if not number:
        return None
    has, counts = ("has", "counts") if number == 1 else ("have", "count")
    return f"{counted(number, 'open deal')} {has} no chance and {counts} only where every open deal is won."


def _period(asked: AskedMetric) -> str:
    basis = asked.result.basis
    last = basis.until - timedelta(days=1) if basis.until else None
    return f"The period from {day(basis.since)} to {day(last)}"
