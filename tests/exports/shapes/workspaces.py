"""monday.com, Airtable and Notion: tables whose columns their users name, mostly as the templates have them."""

from __future__ import annotations

from exports.dirt import Record
from exports.files import Form
from exports.shape import Column, Shape, Stages
from exports.style import Chance, Money, Style

MONDAY = Stages(("New", "Discovery", "Proposal", "Negotiation", "Legal"), "Won", "Lost")
# the template "Sales CRM" of Airtable, with its long dashes
AIRTABLE = Stages(
    ("Qualification", "Proposal", "Evaluation", "Negotiation", "Negotiation"),
    "Closed\N{EM DASH}won",
    "Closed\N{EM DASH}lost",
)
NOTION = Stages(("Lead", "Qualified", "Proposal", "Negotiation", "Negotiation"), "Won", "Lost")


def _monday(style: Style) -> list[Column]:
    # support.monday.com, "Export to Excel"; the id is "Item ID (auto generated)"
    return [
        Column("Name", lambda d: d.name, "name"),
        Column("Subitems", lambda d: None),
        Column("Stage", lambda d: MONDAY.of(d, style), "outcome"),
        Column("Owner", lambda d: d.owner, "owner"),
        Column("Deal Value", lambda d: Money(d.amount, d.currency), "amount"),
        Column(style.one_of("Account", "Accounts"), lambda d: d.company, "company"),
        Column("Close Probability", lambda d: Chance(d.probability), "probability"),
        Column("Expected Close Date", lambda d: d.expected_close, "expected_close"),
        Column("Actual Close Date", lambda d: d.closed, "closed"),
        Column("Deal creation date", lambda d: d.created, "created"),
        Column("Item ID (auto generated)", lambda d: d.id, "id"),
    ]


def _airtable(style: Style) -> list[Column]:
    # airtable.com/templates, "Sales CRM", table Opportunities
    return [
        Column("Opportunity name", lambda d: d.name, "name"),
        Column("Owner", lambda d: d.owner, "owner"),
        Column("Status", lambda d: AIRTABLE.of(d, style), "outcome"),
        Column("Priority", lambda d: "High"),
        Column("Estimated value", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Account", lambda d: d.company, "company"),
        Column("Expected close date", lambda d: d.expected_close, "expected_close"),
        Column("Close date", lambda d: d.closed, "closed"),
        Column("Created", lambda d: d.created, "created"),
        Column("Record ID", lambda d: d.id, "id"),
    ]


def _airtable_record(record: Record) -> Record:
    # airtable.com/developers/web/api, "List records"
    fields = {
        key: value
        for key, value in record.items()
        if key not in ("Record ID", "Created") and value not in (None, "")
    }
    return {"id": record["Record ID"], "createdTime": record["Created"], "fields": fields}


def _notion(style: Style) -> list[Column]:
    # notion.com/help/export-your-content, and templates of sales pipelines
    columns = [
        Column(style.one_of("Deal", "Deal Name", "Name"), lambda d: d.name, "name"),
        Column("Company", lambda d: d.company, "company"),
        Column(style.one_of("Owner", "Account Owner"), lambda d: d.owner, "owner"),
        Column(style.one_of("Stage", "Status"), lambda d: NOTION.of(d, style), "outcome"),
        Column(style.one_of("Deal Value", "Estimated Value", "Value"), lambda d: Money(d.amount, d.currency),
               "amount"),
        Column("Expected Close", lambda d: d.expected_close, "expected_close"),
        Column("Closed", lambda d: d.closed, "closed"),
        Column("Created time", lambda d: d.at(d.created), "created"),
    ]  # fmt: skip
    if style.one_of("id", "none", "id") == "id":
        columns.append(Column("ID", lambda d: d.id, "id"))
    return columns


SHAPES = (
    Shape(
        name="monday",
        columns=_monday,
        containers=("csv", "xlsx", "xlsx"),
        locales=("plain",),
        chances=("percent", "fraction"),
        monies=("bare",),
        id_of=lambda number: str(6_213_000_000 + number),
        dirt=("board titles", "blanks"),
    ),
    Shape(
        name="Airtable page",
        columns=_airtable,
        locales=("us", "plain", "uk"),
        monies=("sign before", "bare"),
        id_of=lambda number: f"rec{number:014}",
        dirt=("blanks",),
    ),
    Shape(
        name="Airtable API",
        columns=_airtable,
        containers=("envelope", "envelope", "json"),
        monies=("bare",),
        id_of=lambda number: f"rec{number:014}",
        form=Form(nest=_airtable_record, envelope=lambda records: {"records": records}),
    ),
    Shape(
        name="Notion",
        columns=_notion,
        locales=("us long",),
        monies=("sign before", "bare"),
        id_of=lambda number: f"DEAL-{number}",
        dirt=("blanks",),
    ),
)
