"""Close, Copper, Freshsales, Affinity and Crunchbase."""

from __future__ import annotations

from dataclasses import replace

from exports.deals import LOST, OPEN, WON, Deal
from exports.dirt import Record
from exports.files import Form
from exports.shape import Column, Shape, Stages
from exports.style import Chance, Money, Style

# of their own, so that only the type of the status says what became of a deal
CLOSE = Stages(("Active", "Demo booked", "Evaluating", "Offer out", "Verbal yes"), "Won", "Lost")
CLOSE_OWN = Stages(
    ("Active", "Demo booked", "Evaluating", "Offer out", "Verbal yes"), "Signed", "Gone"
)
PLAIN = Stages(("Lead", "Qualified", "Demo", "Proposal", "Negotiation"), "Won", "Lost")


def _close(style: Style) -> list[Column]:
    # developer.close.com/api/resources/opportunities; hex.pm/packages/closex has answers: values are in cents
    stages = CLOSE_OWN if style.one_of("usual", "own") == "own" else CLOSE
    return [
        Column("id", lambda d: d.id, "id"),
        Column("lead_id", lambda d: f"lead_{d.company_id}"),
        Column("lead_name", lambda d: d.company, "company"),
        Column("status_id", lambda d: f"stat_{d.kind}{d.phase}"),
        Column("status_label", lambda d: stages.of(d, style), "outcome"),
        Column("status_type", lambda d: "active" if d.kind == OPEN else d.kind, "outcome"),
        Column("confidence", lambda d: Chance(d.probability), "probability"),
        Column("value", lambda d: None if d.amount is None else int(d.amount * 100), "amount"),
        Column("value_period", lambda d: "one_time"),
        Column("value_formatted", lambda d: "" if d.amount is None else f"${d.amount:,.2f}"),
        Column("value_currency", lambda d: d.currency, "currency"),
        Column("user_id", lambda d: f"user_{d.owner_id}"),
        Column("user_name", lambda d: d.owner, "owner"),
        Column("date_created", lambda d: d.at(d.created), "created"),
        Column("date_won", lambda d: d.closed if d.kind == WON else None, "closed"),
        Column("date_lost", lambda d: d.closed if d.kind == LOST else None, "closed"),
        Column("note", lambda d: d.name),
    ]


def _copper(style: Style) -> list[Column]:
    # support.copper.com, "Export data" and the template for opportunities
    return [
        Column("Copper ID", lambda d: d.id, "id"),
        Column("Name", lambda d: d.name, "name"),
        Column("Company", lambda d: d.company, "company"),
        Column("Owned By", lambda d: d.owner, "owner"),
        Column("Pipeline", lambda d: "Sales"),
        Column("Stage", lambda d: PLAIN.before(d, style), "outcome"),
        Column("Status", lambda d: _copper_status(d), "outcome"),
        Column("Value", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Currency", lambda d: d.currency, "currency"),
        Column("Win Probability", lambda d: Chance(d.probability), "probability"),
        Column("Close Date", lambda d: d.last_day, "close"),
        Column("Created At", lambda d: d.at(d.created), "created"),
        Column("Loss Reason", lambda d: d.loss_reason),
    ]


def _copper_status(deal: Deal) -> str:
    return "Abandoned" if deal.kind == LOST and deal.number % 3 == 0 else deal.kind.title()


def _copper_api(style: Style) -> list[Column]:
    # developer.copper.com, Opportunities: close_date is month first, date_created in seconds
    return [
        Column("id", lambda d: int(d.id), "id"),
        Column("name", lambda d: d.name, "name"),
        Column("assignee_id", lambda d: d.owner_id, "owner"),
        Column("close_date", lambda d: f"{d.last_day:%m/%d/%Y}" if d.last_day else None, "close"),
        Column("company_id", lambda d: d.company_id),
        Column("company_name", lambda d: d.company, "company"),
        Column("pipeline_stage_id", lambda d: 9000 + d.phase),
        Column("status", _copper_status, "outcome"),
        Column("monetary_value", lambda d: Money(d.amount, d.currency), "amount"),
        Column("win_probability", lambda d: Chance(d.probability), "probability"),
        Column("date_created", lambda d: d.at(d.created), "created"),
        Column("tags", lambda d: []),
    ]


def _freshsales(style: Style) -> list[Column]:
    # support.freshsales.io, "Fields of deals"
    return [
        Column("ID", lambda d: d.id, "id"),
        Column(style.one_of("Deal name", "Name"), lambda d: d.name, "name"),
        Column(style.one_of("Account", "Account name"), lambda d: d.company, "company"),
        Column("Sales owner", lambda d: d.owner, "owner"),
        Column("Deal stage", lambda d: PLAIN.of(d, style), "outcome"),
        Column("Deal value", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Currency", lambda d: d.currency, "currency"),
        Column("Probability (%)", lambda d: Chance(d.probability), "probability"),
        Column("Expected close date", lambda d: d.expected_close, "expected_close"),
        Column("Closed date", lambda d: d.closed, "closed"),
        Column("Created at", lambda d: d.at(d.created), "created"),
        Column("Lost reason", lambda d: d.loss_reason),
    ]


def _freshsales_api(style: Style) -> list[Column]:
    # developers.freshworks.com/crm/api, Deals: stages are numbers, so that the answer alone tells no outcome
    return [
        Column("id", lambda d: int(d.id), "id"),
        Column("name", lambda d: d.name, "name"),
        Column("amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("expected_close", lambda d: d.expected_close, "expected_close"),
        Column("closed_date", lambda d: d.closed, "closed"),
        Column("probability", lambda d: Chance(d.probability), "probability"),
        Column("created_at", lambda d: d.at(d.created), "created"),
        Column("deal_stage_id", lambda d: 70_000 + d.phase),
        Column("owner_id", lambda d: d.owner_id, "owner"),
        Column("sales_account_id", lambda d: d.company_id),
    ]


def _affinity(style: Style) -> list[Column]:
    # support.affinity.co, "Export a list": an opportunity has an id of its own beside that of its line
    return [
        Column("List Entry Id", lambda d: 7_000_000 + d.number),
        Column("Opportunity Id", lambda d: d.id, "id"),
        Column("Name", lambda d: d.name, "name"),
        Column("Organizations", lambda d: d.company, "company"),
        Column("Owners", lambda d: d.owner, "owner"),
        Column("Status", lambda d: PLAIN.of(d, style), "outcome"),
        Column(
            style.one_of("Amount", "Deal Size"), lambda d: Money(d.amount, d.currency), "amount"
        ),
        Column("Close Date", lambda d: d.last_day, "close"),
        Column("Date Added", lambda d: d.created, "created"),
    ]


def _crunchbase(style: Style) -> list[Column]:
    # support.crunchbase.com, "Export of funding rounds": no stage in a pipeline, no owner, no id
    return [
        Column("Transaction Name", lambda d: d.name, "name"),
        Column("Transaction Name URL", lambda d: f"https://x.example/funding_round/{d.number}"),
        Column("Organization Name", lambda d: d.company, "company"),
        Column("Funding Type", lambda d: "Series A"),
        Column("Money Raised", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Money Raised Currency", lambda d: d.currency, "currency"),
        Column("Announced Date", lambda d: d.closed),
    ]


def _by_number(deal: Deal) -> Deal:
    return replace(deal, owner=str(deal.owner_id))


def _page_of(member: str) -> Form:
    def envelope(records: list[Record]) -> Record:
        return {"has_more": False, member: records, "total_results": len(records)}

    return Form(envelope=envelope, more={"has_more": True}, moments="micro")


SHAPES = (
    Shape(
        name="Close API",
        columns=_close,
        containers=("envelope", "envelope", "json", "jsonl"),
        id_of=lambda number: f"oppo_8eB77gAdf8FMy6Gs{number}",
        form=_page_of("data"),
    ),
    Shape(
        name="Copper page",
        columns=_copper,
        containers=("csv", "csv", "xlsx"),
        locales=("us", "us", "plain", "uk"),
        dirt=("blanks",),
    ),
    Shape(
        name="Copper API",
        columns=_copper_api,
        containers=("json", "jsonl"),
        monies=("bare",),
        form=Form(moments="s"),
        seen=_by_number,
    ),
    Shape(
        name="Freshsales page",
        columns=_freshsales,
        containers=("csv", "csv", "xlsx"),
        locales=("plain", "us", "uk", "de"),
        dirt=("padded ids", "total"),
    ),
    Shape(
        name="Freshsales API",
        columns=_freshsales_api,
        containers=("envelope", "jsonl"),
        monies=("bare",),
        form=Form(
            envelope=lambda records: {
                "deals": records,
                "meta": {"total_pages": 1, "total": len(records)},
            },
            moments="colon",
            texts=False,
        ),
        seen=_by_number,
    ),
    Shape(
        name="Affinity",
        columns=_affinity,
        locales=("plain", "us"),
        monies=("bare", "sign before"),
        dirt=("blanks",),
    ),
    Shape(name="Crunchbase", columns=_crunchbase, locales=("plain",)),
)
