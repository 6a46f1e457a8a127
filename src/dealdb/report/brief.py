"""The first sentences of a report: what happened, and what to look at."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from dealdb.answers.asked import counted, day, days_between, listing, money, percent
from dealdb.formats.controls import visible
from dealdb.report.evidence import Evidence
from dealdb.report.ranked import Ranked
from dealdb.report.span import ReportSpan

# how metrics say that there is no rate
_NO_RATE = re.compile(
    r"deals (in .+|without a currency) that have no rate to (\S+), in no sum of money: (\S+)"
)
# of a name in a sentence
_LONGEST = 60


def named(row: Mapping[str, Any]) -> str:
    """
    A deal in a sentence.

    Examples
    --------
    >>> named({"id": "D7", "name": "Alder renewal", "owner": "Ann"})
    'Alder renewal (D7, Ann)'
    """
    also = [short(row[key]) for key in ("id", "owner") if row.get(key) is not None]
    what = row.get("name") or row.get("company") or f"deal {also.pop(0)}"
    return f"{short(what)} ({', '.join(also)})" if also else short(what)


def short(value: object) -> str:
    """
    A name in a sentence, cut where it is long.

    Examples
    --------
    >>> short("x" * 70) == "x" * 59 + chr(8230)
    True
    """
    text = visible(" ".join(str(value).split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def pipeline_sentence(waterfall: Evidence, summary: Evidence, span: ReportSpan) -> str:
    """How much is open, and how much more or less than before."""
    told = []
    for row in summary.rows:
        currency = summary.money_in(row)
        if not row["open"] and len(summary.rows) > 1:
            continue
        ends = {
            each["bucket"]: each
            for each in waterfall.rows
            if each["bucket"] in ("start", "end") and waterfall.money_in(each) == currency
        }
        start = ends["start"]["value"] if "start" in ends else None
        unpriced = ends["end"].get("unpriced", 0) if "end" in ends else 0
        told.append(opened(row, currency, unpriced) + _change(row, start, currency, span.since))
    text = f"{'; '.join(told)}." if told else "No deal is open."
    return text[:1].upper() + text[1:]


def opened(row: Mapping[str, Any], currency: str | None, unpriced: int = 0) -> str:
    """How many deals are open, and what they are worth."""
    n, blank = row["open"], row["blank"]
    if not n:
        return "no deal is open"
    opened = counted(n, "deal is", "deals are") + " open"
    if blank == n:
        return f"{opened}, {'which has' if n == 1 else 'none of which has'} {'no' if n == 1 else 'an'} amount"
    lacking = [
        f"{counted(number, 'has', 'have')} no {what}"
        for number, what in ((blank, "amount"), (unpriced, f"rate to {currency}"))
        if number
    ]
    counts = "counts" if blank + unpriced == 1 else "count"
    without = f" ({listing(lacking)} and {counts} as 0)" if lacking else ""
    return f"{opened}, worth {money(row['pipeline_value'], currency)}{without}"


def _change(
    row: Mapping[str, Any], start: Decimal | None, currency: str | None, since: date
) -> str:
    # where no open deal has an amount, that there was more before says how amounts are kept, not how business goes
    if start is None or (row["open"] and row["blank"] == row["open"]):
        return ""
    return f", {_against(row['pipeline_value'] - start, currency, since)}"


def _against(change: Decimal, currency: str | None, since: date) -> str:
    then = f"at the start of {day(since)}"
    if not change:
        return f"as much as {then}"
    return f"{money(abs(change), currency)} {'more' if change > 0 else 'less'} than {then}"


def closed_sentence(now: Evidence, before: Evidence, span: ReportSpan) -> str:
    """What was won and lost, and what was won before."""
    won, lost = sum(row["won"] for row in now.rows), sum(row["lost"] for row in now.rows)
    when = days_between(span.since, span.until)
    if not won and not lost:
        first = f"No deal was won or lost {when}"
    else:
        first = (
            f"{_some(won, 'deal was', 'deals were')} won {when}{_worth(now, 'won')}, and "
            f"{_some(lost, 'was', 'were')} lost{_worth(now, 'lost')}"
        )
    earlier = sum(row["won"] for row in before.rows)
    then = days_between(span.before.since, span.before.until)
    second = f"{then}, {_some(earlier, 'was', 'were')} won{_worth(before, 'won')}"
    return f"{first[:1].upper()}{first[1:]}; {second}."


def _some(number: int, one: str, many: str) -> str:
    if number:
        return counted(number, one, many)
    return f"no {one}" if one.startswith("deal") else f"none {one}"


def _worth(evidence: Evidence, what: str) -> str:
    # deals without an amount, or without a rate, are not worth nothing
    sums = [
        money(row[f"{what}_value"], evidence.money_in(row))
        for row in evidence.rows
        # deals without amounts are worth nothing that one knows of
        if row[what] and row[f"{what}_value"]
    ]
    return f" (worth {listing(sums)})" if sums else ""


def largest_win(won: Ranked) -> str | None:
    """The largest of the deals that were won."""
    tops = largest(won)
    if not tops:
        return None
    are = "wins are" if len(tops) > 1 else "win is" if len(won.order) > 1 else "win was"
    return f"The largest {are} {listing(tops)}."


def largest(deals: Ranked) -> list[str]:
    """The largest deal of each currency, and with how many others it shares its amount."""
    return [
        f"{named(first)} with {money(first['value'], currency)}"
        if not others
        else f"{named(first)} and {counted(len(others), 'other')} with {money(first['value'], currency)} each"
        for currency, (first, *others) in deals.tops.items()
    ]


def outlook_sentence(
    label: str,
    forecast: Evidence,
    simulated: Evidence,
    attainment: Evidence | None,
    *,
    is_over: bool = False,
) -> str | None:
    """What the quarter is likely to close at, and how much of the quota that is."""
    ranges, stands = [], []
    for row in _firsts(simulated):
        currency = simulated.money_in(row)
        if row["won"]:
            stands.append(money(row["won"], currency))
        if row["p90"] > row["p10"]:
            ranges.append(
                f"between {money(row['p10'], currency)} and {money(row['p90'], currency)}"
            )
    if simulated.why or forecast.why:
        return None
    quota = "" if attainment is None else _quota(attainment)
    so_far = (
        # deals without an amount may have been
        f"{listing(stands)} {_is(stands)} won so far{quota}" if stands else "no money is won yet"
    )
    if is_over:
        return (
            f"{label} closed at {listing(stands)}{quota}."
            if stands
            else f"No money was won in {label}."
        )
    if ranges:
        return f"{label} is likely to close {listing(ranges)} (8 of 10 outcomes); {so_far}."
    return f"In {label}, {so_far}, and no open deal with an amount and a chance is due in it."


def _is(things: Sequence[str]) -> str:
    return "is" if len(things) == 1 else "are"


def _firsts(simulated: Evidence) -> list[dict[str, Any]]:
    """The first row of each currency, that of independent deals."""
    found: dict[str | None, dict[str, Any]] = {}
    for row in simulated.rows:
        found.setdefault(simulated.money_in(row), row)
    return list(found.values())


def _quota(attainment: Evidence) -> str:
    teams = [row for row in attainment.rows if row["key"] == "team" and row["attainment"]]
    return (
        f" ({listing([percent(row['attainment']) for row in teams])} of the quota)" if teams else ""
    )


def without_rate(summary: Evidence) -> str | None:
    """Whose money could not be converted, so that it is in no sum."""
    found = [told for each in summary.warnings if (told := _NO_RATE.fullmatch(each))]
    if not found:
        return None
    missing = listing(
        [
            f"{n} deal{'' if n == '1' else 's'} {which}"
            for which, _, n in map(re.Match.groups, found)
        ]
    )
    them = "it" if [each[3] for each in found] == ["1"] else "them"
    return f"In no sum of money: {missing}, as no rate to {found[0][2]} is kept for {them}."


def look_at(overdue: Ranked, n_overdue: int, rotting: Evidence, n_notes: int) -> str:
    """What deserves a look first."""
    told = []
    if n_overdue:
        tops = largest(overdue)
        first = f", the largest of them {listing(tops)}" if tops else ""
        told.append(
            f"{counted(n_overdue, 'open deal that is', 'open deals that are')} overdue{first}"
        )
    if rotten := sum(row["rotting"] for row in rotting.rows):
        told.append(f"{counted(rotten, 'deal')} that nobody has changed for too long")
    if n_notes:
        told.append(f"{counted(n_notes, 'note')} at the end on data that would mislead")
    return (
        f"To look at: {'; '.join(told)}."
        if told
        else "Nothing is overdue, and the data has no faults that rules find."
    )


def joined(parts: Sequence[str | None]) -> list[str]:
    """The sentences that there are."""
    return [part for part in parts if part]
