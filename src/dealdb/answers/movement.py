"""Answers about what changed and what is to come: ``waterfall``, ``slippage``, ``coverage``, ``forecast``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from dealdb.answers.asked import (
    AskedMetric,
    blanks,
    counted,
    days,
    days_between,
    deals,
    listing,
    money,
    percent,
    sentences,
    total,
)

# what a bucket does to the open value, in the order in which it is told
_SIGNS = {
    "created": ("+", "created"),
    "pulled_in": ("+", "pulled in"),
    "reopened": ("+", "reopened"),
    "up": ("+", "from higher amounts"),
    "transferred_in": ("+", "taken over"),
    "won": ("-", "won"),
    "lost": ("-", "lost"),
    "pushed_out": ("-", "pushed out"),
    "down": ("-", "from lower amounts"),
    "deleted": ("-", "deleted"),
    "transferred_out": ("-", "handed over"),
    "fx": ("+", "by exchange rates"),
}
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
        return f"Nothing was in the open pipeline {asked.span}, and nothing came or went."
    told = [_change(which, rows, currency, asked) for currency, rows in asked.parts]
    others = [
        f"{number:,} {_OTHERS[name]}"
        for name, number in asked.result.totals.items()
        if number and name in _OTHERS
    ]
    rest = f"Of the deals that stayed open, {listing(others)}." if others else None
    ends = [row for row in asked.rows if row["bucket"] == "end"]
    return sentences(*told, rest, blanks(total(ends, "blank"), "open deal"))


def _change(
    which: str, rows: Sequence[dict[str, Any]], currency: str | None, asked: AskedMetric
) -> str:
    buckets = {name: [row for row in rows if row["bucket"] == name] for name in _SIGNS}
    start, end = ([row for row in rows if row["bucket"] == name] for name in ("start", "end"))
    before, after = total(start, "value"), total(end, "value")
    went = "fell" if after < before else "grew" if after > before else None
    from_to = (
        f"from {money(before, currency)} ({deals(total(start, 'n'))}) to {money(after, currency)} "
        f"({deals(total(end, 'n'))})"
    )
    moved = f"{which} {went} by {money(abs(after - before), currency)} {asked.span}, {from_to}"
    parts = [
        f"{_signed(sign, total(buckets[name], 'value'))} {words}"
        for name, (sign, words) in _SIGNS.items()
        if any(row["value"] for row in buckets[name]) and not name.startswith("transferred")
    ]
    # what has no amount moves without moving money
    unpaid = [
        f"{deals(total(buckets[name], 'n'))} {words} without an amount"
        for name, (_, words) in _SIGNS.items()
        if any(row["n"] for row in buckets[name]) and not name.startswith("transferred")
    ]
    kept = f"{which} is worth as much as before, {money(before, currency)} ({asked.span})"
    return f"{moved if went else kept}: {', '.join(parts or unpaid) or 'nothing moved'}."


def _signed(sign: str, value: Decimal) -> str:
    shown = value if sign == "+" else -value
    return f"{shown:+,.2f}"


def slippage(asked: AskedMetric) -> str:
    """What became of the deals that were due."""
    n = total(asked.rows, "n")
    if not n:
        return f"No open deal was due {asked.span}."
    told = []
    for currency, rows in asked.parts:
        due, slipped = total(rows, "n"), total(rows, "slipped")
        value, left = total(rows, "value"), total(rows, "slipped_value")
        share = f", {percent(float(left / value))} of the value" if value > 0 else ""
        was, slip = ("was", "slipped") if due == 1 else ("were", "slipped")
        told.append(
            f"Of {deals(due)} ({money(value, currency)}) that {was} due {asked.span}, {slipped:,} {slip} "
            f"({percent(slipped / due)}{share})."
        )
    rows = asked.rows
    won, lost, gone = (total(rows, name) for name in ("won", "lost", "deleted"))
    moved, overdue = total(rows, "moved"), total(rows, "overdue")
    fate = [f"{won:,} won", f"{lost:,} lost", *([f"{gone:,} deleted"] if gone else [])]
    slips = (
        f"Of those that slipped, {moved:,} moved out of the period and {overdue:,} "
        f"{'is' if overdue == 1 else 'are'} overdue in it."
    )
    pushed = [row for row in rows if row["pushes"]]
    push = (
        f"Dates were pushed {counted(total(rows, 'pushes'), 'time')}, by {days(_mean_push(pushed))} on average."
        if pushed
        else None
    )
    return sentences(
        *told,
        f"The others: {listing(fate)}.",
        slips if moved + overdue else None,
        push,
        blanks(total(rows, "blank")),
    )


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
    if row["met"]:
        over = money(row["surplus"], currency)
        return f"T{target[1:]} is met: {money(row['won'], currency)} won {asked.span}, {over} more than needed."
    first = (
        f"Of {target}, {money(row['won'], currency)} is won and {left} is left; open deals of {value} due "
        f"{asked.span} "
        f"cover that {row['coverage']:,.2f} times."
    )
    return sentences(first, _needed(row, currency, asked), blanks(row["blank"]))


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
    needs = f"At {which}, it takes {row['required']:,.2f} times"
    if row["gap"] > 0:
        return f"{needs}: {money(row['gap'], currency)} of open deals are missing."
    return f"{needs}: that is enough, with {money(-row['gap'], currency)} to spare."


def _coverages(rows: Sequence[dict[str, Any]], asked: AskedMetric) -> str:
    met = sum(bool(row["met"]) for row in rows)
    short = [row for row in rows if row["gap"] is not None and row["gap"] > 0]
    first = f"{met:,} of {counted(len(rows), 'target')} {'is' if met == 1 else 'are'} met."
    if not short:
        return sentences(
            first, "Open deals are enough for the others." if met < len(rows) else None
        )
    worst = max(short, key=lambda row: row["gap"])
    currency = worst.get("currency") or asked.result.basis.currency
    return sentences(
        first,
        f"{counted(len(short), 'is', 'are')} short of open deals, most of all {asked.group(worst)}: "
        f"{money(worst['gap'], currency)} missing.",
    )


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
        if overdue
        else None,
        f"{counted(undated, 'open deal')} without an expected date {'is' if undated == 1 else 'are'} not in it."
        if undated
        else None,
        blanks(total(rows, "blank"), "open deal"),
    )


def _period(asked: AskedMetric) -> str:
    basis = asked.result.basis
    last = basis.until - timedelta(days=1) if basis.until else None
    return f"The period from {basis.since} to {last}"
