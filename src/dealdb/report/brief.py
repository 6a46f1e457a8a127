"""The first sentences of a report: what happened, and what to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from dealdb.answers.asked import counted, days_between, listing, money, percent
from dealdb.formats.controls import visible
from dealdb.report.evidence import Evidence
from dealdb.report.span import Span

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
    what = row.get("name") or row.get("company")
    if what is None:
        return ", ".join(also)
    return f"{short(what)} ({', '.join(also)})"


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


def pipeline_sentence(waterfall: Evidence, summary: Evidence, span: Span) -> str:
    """How much is open, and how much more or less than before."""
    told = []
    for row in summary.rows:
        currency = summary.money_in(row)
        value = row["pipeline_value"]
        if not row["open"] and len(summary.rows) > 1:
            continue
        start = next(
            (
                each["value"]
                for each in waterfall.rows
                if each["bucket"] == "start" and waterfall.money_in(each) == currency
            ),
            None,
        )
        told.append(
            f"{counted(row['open'], 'deal is', 'deals are')} open, worth {money(value, currency)}"
            + ("" if start is None else f", {_against(value - start, currency)}")
        )
    since = days_between(span.since, None)
    if not told:
        return "No deal is open."
    has_start = any(", " in each.partition("worth ")[2] for each in told)
    return f"{'; '.join(told)}{f' {since}' if has_start else ''}."


def _against(change: Decimal, currency: str | None) -> str:
    if not change:
        return "as much as before"
    return f"{money(abs(change), currency)} {'more' if change > 0 else 'less'} than before"


def closed_sentence(now: Evidence, before: Evidence, span: Span) -> str:
    """What was won and lost, and what was won before."""
    won, lost = sum(row["won"] for row in now.rows), sum(row["lost"] for row in now.rows)
    when = days_between(span.since, span.until)
    if not won and not lost:
        first = f"No deal was won or lost {when}"
    else:
        first = (
            f"{counted(won, 'deal was', 'deals were')} won {when}{_worth(now, 'won')} and "
            f"{counted(lost, 'was', 'were')} lost{_worth(now, 'lost')}"
        )
    earlier = sum(row["won"] for row in before.rows)
    then = days_between(span.before.since, span.before.until)
    was = counted(earlier, "was", "were") if earlier else "none was"
    return f"{first}; {then}, {was} won{_worth(before, 'won')}."


def _worth(evidence: Evidence, what: str) -> str:
    sums = [
        money(row[f"{what}_value"], evidence.money_in(row)) for row in evidence.rows if row[what]
    ]
    return f" (worth {listing(sums)})" if sums else ""


def largest_win(won: Evidence) -> str | None:
    """The largest of the deals that were won."""
    row = next((row for row in won.rows if row.get("amount") is not None), None)
    if row is None:
        return None
    only = "win is" if len(won.rows) > 1 else "win was"
    return f"The largest {only} {named(row)} with {money(row['amount'], row.get('currency'))}."


def outlook_sentence(
    label: str, forecast: Evidence, simulated: Evidence, attainment: Evidence | None
) -> str | None:
    """What the quarter is likely to close at, and how much of the quota that is."""
    told = []
    for row in _firsts(simulated):
        currency = simulated.money_in(row)
        if not row["p90"]:
            continue
        told.append(
            f"{label} is likely to close between {money(row['p10'], currency)} and "
            f"{money(row['p90'], currency)} (8 of 10 outcomes); {money(row['won'], currency)} is won so far"
        )
    if not told:
        sums = [(forecast.money_in(row), row["won"]) for row in forecast.rows if row["won"]]
        if not sums:
            return f"Nothing is won in {label} yet, and no open deal with an amount and a chance is due in it."
        return None
    team = next((row for row in (attainment.rows if attainment else []) if row["quota"]), None)
    share = "" if team is None or attainment is None else _quota(attainment)
    return f"{'; '.join(told)}{share}."


def _firsts(simulated: Evidence) -> list[dict[str, Any]]:
    """The first row of each currency, that of independent deals."""
    found: dict[str | None, dict[str, Any]] = {}
    for row in simulated.rows:
        found.setdefault(simulated.money_in(row), row)
    return list(found.values())


def _quota(attainment: Evidence) -> str:
    teams = [row for row in attainment.rows if row["key"] == "team" and row["attainment"]]
    return (
        f", {listing([percent(row['attainment']) for row in teams])} of the quota" if teams else ""
    )


def look_at(overdue: Evidence, n_overdue: int, rotting: Evidence, n_notes: int) -> str:
    """What deserves a look first."""
    told = []
    if n_overdue:
        largest = next((row for row in overdue.rows if row.get("amount") is not None), None)
        first = f", the largest of them {named(largest)}" if largest else ""
        told.append(
            f"{counted(n_overdue, 'open deal that is', 'open deals that are')} overdue{first}"
        )
    if rotten := sum(row["rotting"] for row in rotting.rows):
        told.append(f"{counted(rotten, 'deal')} that nobody has changed for too long")
    if n_notes:
        told.append(f"{counted(n_notes, 'note')} at the end on data that would mislead")
    return (
        f"Look at {listing(told)}."
        if told
        else "Nothing is overdue, and the data has no faults that rules find."
    )


def joined(parts: Sequence[str | None]) -> list[str]:
    """The sentences that there are."""
    return [part for part in parts if part]
