"""Zoho CRM: the export of the module Deals, and the API."""

from __future__ import annotations

from exports.dirt import Record
from exports.files import Form
from exports.shape import Column, Shape, Stages
from exports.style import Chance, Money, Style

# zoho.com/crm/developer/docs/api, "Get records", and help.zoho.com, "Standard fields of deals"
STAGES = Stages(
    ("Qualification", "Needs Analysis", "Value Proposition", "Proposal/Price Quote", "Negotiation/Review"),
    "Closed Won",
    "Closed Lost",
)  # fmt: skip


def _page(style: Style) -> list[Column]:
    return [
        Column("Record Id", lambda d: d.id, "id"),
        Column("Deal Owner.id", lambda d: f"zcrm_{4876876000000000000 + d.owner_id}"),
        Column("Deal Owner", lambda d: d.owner, "owner"),
        Column("Amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Deal Name", lambda d: d.name, "name"),
        Column("Closing Date", lambda d: d.last_day, "close"),
        Column("Account Name.id", lambda d: f"zcrm_{4876876000000000000 + d.company_id}"),
        Column("Account Name", lambda d: d.company, "company"),
        Column("Stage", lambda d: STAGES.of(d, style), "outcome"),
        Column("Probability (%)", lambda d: Chance(d.probability), "probability"),
        Column("Expected Revenue", lambda d: Money(d.weighted, d.currency)),
        Column("Lead Source", lambda d: d.source),
        Column("Created Time", lambda d: d.at(d.created), "created"),
        Column("Created By", lambda d: "Admin User"),
        Column("Modified By", lambda d: "Admin User"),
        Column("Modified Time", lambda d: d.at(d.created)),
        Column("Contact Name", lambda d: "Kim Example"),
        Column("Currency", lambda d: d.currency, "currency"),
        Column("Reason For Loss", lambda d: d.loss_reason),
    ]


def _api(style: Style) -> list[Column]:
    return [
        Column(
            "Owner",
            lambda d: {"name": d.owner, "id": str(d.owner_id), "email": "a@b.example"},
            "owner",
        ),
        Column("$currency_symbol", lambda d: "€"),
        Column("Closing_Date", lambda d: d.last_day, "close"),
        Column("$process_flow", lambda d: False),
        Column("Deal_Name", lambda d: d.name, "name"),
        Column("Expected_Revenue", lambda d: Money(d.weighted, d.currency)),
        Column("Stage", lambda d: STAGES.of(d, style), "outcome"),
        Column("Account_Name", lambda d: {"name": d.company, "id": str(d.company_id)}, "company"),
        Column("id", lambda d: d.id, "id"),
        Column("Amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Currency", lambda d: d.currency, "currency"),
        Column("Probability", lambda d: Chance(d.probability), "probability"),
        Column("Created_Time", lambda d: d.at(d.created), "created"),
        Column("Lead_Source", lambda d: d.source),
        Column("Tag", lambda d: []),
    ]


def _answer(records: list[Record]) -> Record:
    return {
        "data": records,
        "info": {"per_page": 200, "count": len(records), "page": 1, "more_records": False},
    }


SHAPES = (
    Shape(
        name="Zoho page",
        columns=_page,
        containers=("csv", "csv", "xlsx"),
        locales=("plain", "plain", "us", "uk", "de"),
        id_of=lambda number: f"zcrm_{4876876000000000000 + number}",
        dirt=("blanks", "padded ids"),
    ),
    Shape(
        name="Zoho API",
        columns=_api,
        containers=("envelope", "envelope", "json", "jsonl", "pages"),
        id_of=lambda number: str(4876876000000000000 + number),
        form=Form(
            envelope=_answer,
            more={"info": {"per_page": 200, "count": 200, "page": 1, "more_records": True}},
            moments="colon",
        ),
    ),
)
