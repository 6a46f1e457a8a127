"""Bitrix24: the export of the list of deals, and the answer of crm.deal.list."""

from __future__ import annotations

from dataclasses import replace

from exports.deals import LOST, OPEN, WON, Deal
from exports.dirt import Record
from exports.files import Form
from exports.shape import Column, Shape, Stages
from exports.style import Money, Style

# apidocs.bitrix24.com, "Deal fields" and "Stages of deals"
LABELS = Stages(
    ("New", "Prepare document", "Prepayment invoice", "In progress", "Final invoice"),
    "Deal won",
    "Deal lost",
)
CODES = ("NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE")


def _page(style: Style) -> list[Column]:
    return [
        Column("ID", lambda d: d.id, "id"),
        Column("Pipeline", lambda d: "General"),
        Column("Stage", lambda d: LABELS.of(d, style), "outcome"),
        Column("Deal Name", lambda d: d.name, "name"),
        Column("Company", lambda d: d.company, "company"),
        Column(style.one_of("Responsible person", "Responsible"), lambda d: d.owner, "owner"),
        Column(style.one_of("Total", "Amount"), lambda d: Money(d.amount, d.currency), "amount"),
        Column("Currency", lambda d: d.currency, "currency"),
        Column("Created on", lambda d: d.at(d.created), "created"),
        Column(style.one_of("Expected close date", "End date"), lambda d: d.last_day, "close"),
        Column("Deal closed", lambda d: "No" if d.kind == OPEN else "Yes"),
        Column("Source", lambda d: d.source),
    ]


def _api(style: Style) -> list[Column]:
    prefix = style.one_of("", "C1:")

    def stage(deal: Deal) -> str:
        return prefix + {OPEN: CODES[deal.phase], WON: "WON", LOST: "LOSE"}[deal.kind]

    return [
        Column("ID", lambda d: d.id, "id"),
        Column("TITLE", lambda d: d.name, "name"),
        Column("STAGE_ID", stage, "outcome"),
        Column("STAGE_SEMANTIC_ID", lambda d: {OPEN: "P", WON: "S", LOST: "F"}[d.kind]),
        Column("PROBABILITY", lambda d: None),
        Column("CURRENCY_ID", lambda d: d.currency, "currency"),
        Column("OPPORTUNITY", lambda d: Money(d.amount, d.currency), "amount"),
        Column("COMPANY_ID", lambda d: str(d.company_id), "company"),
        Column("BEGINDATE", lambda d: d.at(d.created)),
        Column("CLOSEDATE", lambda d: d.at(d.last_day), "close"),
        Column("ASSIGNED_BY_ID", lambda d: str(d.owner_id), "owner"),
        Column("DATE_CREATE", lambda d: d.at(d.created), "created"),
        Column("CLOSED", lambda d: "N" if d.kind == OPEN else "Y"),
        Column("SOURCE_ID", lambda d: d.source),
    ]


def _answer(records: list[Record]) -> Record:
    return {"result": records, "total": len(records), "time": {"start": 1.5, "finish": 1.7}}


def _numbered(deal: Deal) -> Deal:
    return replace(deal, owner=str(deal.owner_id), company=str(deal.company_id))


SHAPES = (
    Shape(
        name="Bitrix24 page",
        columns=_page,
        containers=("csv", "csv", "xlsx"),
        locales=("de", "us", "uk"),
        dirt=("padded ids", "blank lines"),
    ),
    Shape(
        name="Bitrix24 API",
        columns=_api,
        containers=("envelope", "envelope", "json", "jsonl", "csv"),
        form=Form(envelope=_answer, moments="colon", texts=True),
        seen=_numbered,
    ),
)
