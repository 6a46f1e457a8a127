"""Odoo, ERPNext, Frappe CRM, SuiteCRM, EspoCRM, Twenty and Krayin."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from exports.deals import LOST, OPEN, WON, Deal
from exports.dirt import Record
from exports.files import Form
from exports.shape import Column, Shape, Stages
from exports.style import Chance, Money, Style

ODOO = Stages(("New", "Qualified", "Proposition", "Negotiation", "Agreed"), "Won", "")
SUITE = Stages(
    ("Prospecting", "Qualification", "Needs Analysis", "Proposal/Price Quote", "Negotiation/Review"),
    "Closed Won",
    "Closed Lost",
)  # fmt: skip
ESPO = Stages(
    ("Prospecting", "Qualification", "Needs Analysis", "Proposal", "Negotiation"),
    "Closed Won",
    "Closed Lost",
)
FRAPPE = Stages(
    ("Qualification", "Demo/Making", "Proposal/Quotation", "Negotiation", "Ready to Close"),
    "Won",
    "Lost",
)
KRAYIN = Stages(("New", "Follow Up", "Prospect", "Negotiation", "Negotiation"), "Won", "Lost")
TWENTY = Stages(("NEW", "SCREENING", "MEETING", "PROPOSAL", "PROPOSAL"), "CUSTOMER", "LOST")
# states of an ERPNext opportunity; "Quotation" and "Replied" are open ones
ERPNEXT = {OPEN: ("Open", "Quotation", "Replied"), WON: ("Converted",), LOST: ("Lost",)}


def _guid(number: int) -> str:
    return str(UUID(int=0x9F31_0000_4000_8000_0000_0000_0000_0000 + number))


def _odoo_stage(deal: Deal, style: Style) -> str:
    # github.com/odoo/odoo, addons/crm: a lost lead is archived in the stage that it was in
    return "Won" if deal.kind == WON else ODOO.before(deal, style)


def _odoo(style: Style) -> list[Column]:
    # labels of addons/crm/models/crm_lead.py
    return [
        Column(style.one_of("ID", "External ID"), lambda d: d.id, "id"),
        Column("Opportunity", lambda d: d.name, "name"),
        Column("Customer", lambda d: d.company, "company"),
        Column("Salesperson", lambda d: d.owner, "owner"),
        Column("Stage", lambda d: _odoo_stage(d, style), "outcome"),
        Column("Expected Revenue", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Currency", lambda d: d.currency, "currency"),
        Column("Probability", lambda d: Chance(d.probability), "probability"),
        Column("Created on", lambda d: d.at(d.created), "created"),
        Column("Expected Closing", lambda d: d.expected_close, "expected_close"),
        Column("Closed Date", lambda d: d.at(d.closed), "closed"),
        Column("Active", lambda d: d.kind != LOST, "outcome"),
        Column("Lost Reason", lambda d: d.loss_reason),
    ]


def _odoo_api(style: Style) -> list[Column]:
    # odoo.com/documentation, External API: related records are lists of id and name, nothing is false
    return [
        Column("id", lambda d: int(d.id), "id"),
        Column("name", lambda d: d.name, "name"),
        Column("partner_id", lambda d: [d.company_id, d.company], "company"),
        Column("user_id", lambda d: [d.owner_id, d.owner], "owner"),
        Column("stage_id", lambda d: [d.phase + 1, _odoo_stage(d, style)], "outcome"),
        Column("expected_revenue", lambda d: Money(d.amount, d.currency), "amount"),
        Column("probability", lambda d: Chance(d.probability), "probability"),
        Column("create_date", lambda d: d.at(d.created), "created"),
        Column("date_deadline", lambda d: d.expected_close or False, "expected_close"),
        Column("date_closed", lambda d: d.at(d.closed) or False, "closed"),
        Column("active", lambda d: d.kind != LOST, "outcome"),
        Column("lost_reason_id", lambda d: [1, d.loss_reason] if d.loss_reason else False),
    ]


def _erp_status(deal: Deal) -> str:
    words = ERPNEXT[deal.kind]
    return words[deal.number % len(words)]


def _erpnext(style: Style) -> list[Column]:
    # github.com/frappe/erpnext, crm/doctype/opportunity/opportunity.json: labels of the fields
    return [
        Column("ID", lambda d: d.id, "id"),
        Column("Title", lambda d: d.name, "name"),
        Column("Customer Name", lambda d: d.company, "company"),
        Column("Opportunity Owner", lambda d: d.owner, "owner"),
        Column("Sales Stage", lambda d: SUITE.before(d, style), "outcome"),
        Column("Status", _erp_status, "outcome"),
        Column("Opportunity Amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Currency", lambda d: d.currency, "currency"),
        Column("Probability (%)", lambda d: Chance(d.probability), "probability"),
        Column("Opportunity Date", lambda d: d.created, "created"),
        Column("Expected Closing Date", lambda d: d.expected_close, "expected_close"),
    ]


def _erpnext_api(style: Style) -> list[Column]:
    # docs.frappe.io, REST API: the name of a document is its id
    return [
        Column("name", lambda d: d.id, "id"),
        Column("title", lambda d: d.name, "name"),
        Column("customer_name", lambda d: d.company, "company"),
        Column("opportunity_owner", lambda d: d.owner, "owner"),
        Column("sales_stage", lambda d: SUITE.before(d, style), "outcome"),
        Column("status", _erp_status, "outcome"),
        Column("opportunity_amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("currency", lambda d: d.currency, "currency"),
        Column("probability", lambda d: Chance(d.probability), "probability"),
        Column("transaction_date", lambda d: d.created, "created"),
        Column("expected_closing", lambda d: d.expected_close, "expected_close"),
        Column("docstatus", lambda d: 0),
    ]


def _frappe(style: Style) -> list[Column]:
    # github.com/frappe/crm, fcrm/doctype/crm_deal/crm_deal.json
    return [
        Column("ID", lambda d: d.id, "id"),
        Column("Organization", lambda d: d.company, "company"),
        Column("Deal Owner", lambda d: d.owner, "owner"),
        Column("Status", lambda d: FRAPPE.of(d, style), "outcome"),
        Column("Expected Deal Value", lambda d: Money(d.weighted, d.currency)),
        Column("Deal Value", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Annual Revenue", lambda d: Money(Decimal(5_000_000), d.currency)),
        Column("Currency", lambda d: d.currency, "currency"),
        Column("Probability", lambda d: Chance(d.probability), "probability"),
        Column("Created On", lambda d: d.at(d.created), "created"),
        Column("Expected Closure Date", lambda d: d.expected_close, "expected_close"),
        Column("Closed Date", lambda d: d.closed, "closed"),
        Column("Lost Reason", lambda d: d.loss_reason),
    ]


def _suite(style: Style) -> list[Column]:
    # github.com/salesagility/SuiteCRM, modules/Opportunities/vardefs.php and language file
    if style.one_of("labels", "names") == "names":
        return [
            Column("id", lambda d: d.id, "id"),
            Column("name", lambda d: d.name, "name"),
            Column("account_name", lambda d: d.company, "company"),
            Column("amount", lambda d: Money(d.amount, d.currency), "amount"),
            Column("currency_id", lambda d: -99),
            Column("date_closed", lambda d: d.last_day, "close"),
            Column("sales_stage", lambda d: SUITE.of(d, style), "outcome"),
            Column("probability", lambda d: Chance(d.probability), "probability"),
            Column("assigned_user_name", lambda d: d.owner, "owner"),
            Column("date_entered", lambda d: d.at(d.created), "created"),
            Column("lead_source", lambda d: d.source),
        ]
    return [
        Column("ID", lambda d: d.id, "id"),
        Column("Opportunity Name", lambda d: d.name, "name"),
        Column("Account Name", lambda d: d.company, "company"),
        Column("Opportunity Amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Expected Close Date", lambda d: d.expected_close, "expected_close"),
        Column("Sales Stage", lambda d: SUITE.of(d, style), "outcome"),
        Column("Probability (%)", lambda d: Chance(d.probability), "probability"),
        Column("Assigned to", lambda d: d.owner, "owner"),
        Column("Date Created", lambda d: d.at(d.created), "created"),
        Column("Lead Source", lambda d: d.source),
    ]


def _espo(style: Style) -> list[Column]:
    # github.com/espocrm/espocrm, Crm/Resources/metadata/entityDefs/Opportunity.json
    return [
        Column("id", lambda d: d.id, "id"),
        Column("name", lambda d: d.name, "name"),
        Column("accountName", lambda d: d.company, "company"),
        Column("stage", lambda d: ESPO.of(d, style), "outcome"),
        Column("amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("amountCurrency", lambda d: d.currency, "currency"),
        Column("probability", lambda d: Chance(d.probability), "probability"),
        Column("closeDate", lambda d: d.last_day, "close"),
        Column("assignedUserId", lambda d: f"u{d.owner_id}"),
        Column("assignedUserName", lambda d: d.owner, "owner"),
        Column("createdAt", lambda d: d.at(d.created), "created"),
        Column("leadSource", lambda d: d.source),
    ]


def _twenty(style: Style) -> list[Column]:
    # github.com/twentyhq/twenty, export of a view: parts of composite fields are "label / part"
    return [
        Column("Id", lambda d: d.id, "id"),
        Column("Name", lambda d: d.name, "name"),
        Column("Amount / Amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Amount / Currency", lambda d: d.currency, "currency"),
        Column("Stage", lambda d: TWENTY.of(d, style), "outcome"),
        Column("Close date", lambda d: d.last_day, "close"),
        Column("Company / Name", lambda d: d.company, "company"),
        Column("Owner / Name", lambda d: d.owner, "owner"),
        Column("Creation date", lambda d: d.at(d.created), "created"),
    ]


def _twenty_api(style: Style) -> list[Column]:
    # docs.twenty.com, REST: amounts in millionths
    def amount(deal: Deal) -> Record:
        micros = None if deal.amount is None else int(deal.amount * 1_000_000)
        return {"amountMicros": micros, "currencyCode": deal.currency}

    def owner(deal: Deal) -> Record:
        first, _, last = str(deal.owner).partition(" ")
        return {"id": _guid(deal.owner_id), "name": {"firstName": first, "lastName": last}}

    return [
        Column("id", lambda d: d.id, "id"),
        Column("name", lambda d: d.name, "name"),
        Column("amount", amount, "amount"),
        Column("stage", lambda d: TWENTY.of(d, style), "outcome"),
        Column("closeDate", lambda d: d.at(d.last_day), "close"),
        Column("createdAt", lambda d: d.at(d.created), "created"),
        Column("company", lambda d: {"id": _guid(d.company_id), "name": d.company}, "company"),
        Column("owner", owner, "owner"),
    ]


def _twenty_answer(records: list[Record]) -> Record:
    return {
        "data": {"opportunities": records},
        "totalCount": len(records),
        "pageInfo": {"hasNextPage": False},
    }


def _krayin(style: Style) -> list[Column]:
    # github.com/krayin/laravel-crm, packages/Webkul/Admin/src/DataGrids/Lead/LeadDataGrid.php
    return [
        Column("ID", lambda d: d.id, "id"),
        Column("Subject", lambda d: d.name, "name"),
        Column("Source", lambda d: d.source),
        Column("Lead Value", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Sales Person", lambda d: d.owner, "owner"),
        Column("Contact Person", lambda d: "Kim Example"),
        Column("Stage", lambda d: KRAYIN.of(d, style), "outcome"),
        Column(
            style.one_of("Expected Close Date", "Date To"),
            lambda d: d.expected_close,
            "expected_close",
        ),
        Column("Created At", lambda d: d.at(d.created), "created"),
    ]


SHAPES = (
    Shape(
        name="Odoo page",
        columns=_odoo,
        containers=("csv", "xlsx"),
        locales=("plain",),
        id_of=lambda number: f"__export__.crm_lead_{number}_5c2f01ab",
    ),
    Shape(
        name="Odoo API",
        columns=_odoo_api,
        containers=("json", "jsonl"),
        monies=("bare",),
        form=Form(moments="space"),
    ),
    Shape(
        name="ERPNext page",
        columns=_erpnext,
        containers=("csv", "xlsx"),
        locales=("plain", "dashed"),
        id_of=lambda number: f"CRM-OPP-2026-{number:05}",
        dirt=("blanks", "total"),
    ),
    Shape(
        name="ERPNext API",
        columns=_erpnext_api,
        containers=("envelope", "json"),
        id_of=lambda number: f"CRM-OPP-2026-{number:05}",
        form=Form(envelope=lambda records: {"data": records}, moments="space"),
    ),
    Shape(
        name="Frappe CRM",
        columns=_frappe,
        containers=("csv", "xlsx"),
        locales=("plain", "dashed"),
        id_of=lambda number: f"CRM-DEAL-2026-{number:05}",
        dirt=("blanks",),
    ),
    Shape(
        name="SuiteCRM",
        columns=_suite,
        locales=("plain", "us", "uk"),
        monies=("bare",),
        id_of=_guid,
        deleted=("deleted", 0, 1),
        dirt=("zero dates", "blanks"),
    ),
    Shape(
        name="EspoCRM",
        columns=_espo,
        containers=("csv", "csv", "envelope"),
        locales=("plain", "de"),
        id_of=lambda number: f"63f1c{number:012}",
        form=Form(
            envelope=lambda records: {"total": len(records), "list": records}, moments="space"
        ),
        deleted=("deleted", False, True),
    ),
    Shape(name="Twenty page", columns=_twenty, locales=("plain",), id_of=_guid),
    Shape(
        name="Twenty API",
        columns=_twenty_api,
        containers=("envelope",),
        id_of=_guid,
        form=Form(envelope=_twenty_answer),
    ),
    Shape(
        name="Krayin",
        columns=_krayin,
        containers=("csv", "xlsx"),
        locales=("plain", "named", "named"),
        monies=("bare", "sign before"),
    ),
)
