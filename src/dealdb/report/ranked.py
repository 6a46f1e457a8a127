"""``Ranked``: deals in the order of what they are worth, by the lines of a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dealdb.analytics.options import NONE
from dealdb.answers.asked import money
from dealdb.report.evidence import Evidence, Inquiry
from dealdb.report.parts import ReportTable, table_of
from dealdb.report.quality import quoted

# lists are to be read; the command gives all
MOST_DEALS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """
    Deals, the one that is worth most first; what has no amount, or no rate, comes last.

    Attributes
    ----------
    evidence
        Their lines.
    order
        The numbers of its rows.
    tops
        The largest of each currency, and others that are worth the same.
    """

    evidence: Evidence
    order: list[int]
    tops: Mapping[str | None, Sequence[Mapping[str, Any]]]


def ranked(inquiry: Inquiry, lines: Evidence) -> Ranked:
    """The lines of deals by their value, which is in one currency where one was asked for."""
    rows = lines.rows
    known = [number for number, row in enumerate(rows) if row["value"] is not None]
    blank = [number for number, row in enumerate(rows) if row["value"] is None]
    order = sorted(known, key=lambda number: -rows[number]["value"])
    found: dict[str | None, list[dict[str, Any]]] = {}
    for number in order:
        row = rows[number]
        own = found.setdefault(lines.money_in(row), [])
        if not own or own[0]["value"] == row["value"]:
            own.append(row)
    told = beside(inquiry, [own[0]["id"] for own in found.values()])
    for own in found.values():
        names = {name: known_as.get(own[0]["id"]) for name, known_as in told.items()}
        # whose it was when it was closed counts, where the lines say so
        owner = own[0].get("owner", names.get("owner"))
        own[0] = {**own[0], **names, "owner": None if owner == NONE else owner}
    return Ranked(evidence=lines, order=[*order, *blank], tops=found)


def overdue_table(inquiry: Inquiry, overdue: Ranked) -> list[ReportTable]:
    """The largest deals that are overdue, with their own amounts where these were converted."""
    frame = overdue.evidence.frame
    if frame is None:
        return []
    ids = frame["id"].gather(overdue.order[:MOST_DEALS]).to_list()
    known = values_of(inquiry, ids, ("stage", "amount", "currency", "expected_close"))
    own = {"amount": _own_amounts(known)} if inquiry.to and "amount" in known else {}
    told = {"stage": "stage", "expected_close": "expected to close"}
    return table_of(
        overdue.evidence,
        ("id", "value", "currency"),
        title="The largest that are overdue",
        sheet="Overdue deals",
        most=MOST_DEALS,
        rows=overdue.order,
        labels={"value": "worth"},
        beside={
            **beside(inquiry, ids),
            **{label: known[name] for name, label in told.items() if name in known},
            **own,
        },
    )


def _own_amounts(known: Mapping[str, Mapping[Any, Any]]) -> dict[Any, str]:
    """Amounts in the currencies of the deals."""
    currencies = known.get("currency", {})
    return {
        deal: money(Decimal(amount), currencies.get(deal) or NONE)
        for deal, amount in known["amount"].items()
        if amount is not None
    }


def beside(inquiry: Inquiry, ids: Sequence[str]) -> dict[str, Mapping[Any, Any]]:
    """Names and owners of deals, by their ids; those of deleted ones are gone."""
    found = values_of(inquiry, ids, ("name", "company", "owner"))
    told = {
        name: known
        for name, known in found.items()
        if any(value is not None for value in known.values())
    }
    # deals without names go by their company
    return {name: known for name, known in told.items() if name != "company" or "name" not in told}


def values_of(
    inquiry: Inquiry, ids: Sequence[str], names: Sequence[str]
) -> dict[str, Mapping[Any, Any]]:
    """Columns of some deals, by their ids."""
    kept = [name for name in names if name in inquiry.view.schema]
    if not ids or not kept:
        return {}
    rows = inquiry.view.query.find(
        f"id IN {quoted(list(dict.fromkeys(ids)))}", columns=["id", *kept]
    )
    return {name: dict(zip(rows["id"], rows[name], strict=True)) for name in kept}
