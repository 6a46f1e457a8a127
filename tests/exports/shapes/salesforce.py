"""Salesforce: reports, the Data Loader and the REST API."""

from __future__ import annotations

from exports.deals import LOST, WON
from exports.dirt import Record
from exports.files import Form
from exports.shape import Column, Shape, Stages
from exports.style import Chance, Money, Style

# developer.salesforce.com, Object Reference, Opportunity: names of fields, and the stages of a new organization
STAGES = Stages(
    ("Prospecting", "Qualification", "Needs Analysis", "Proposal/Price Quote", "Negotiation/Review"),
    "Closed Won",
    "Closed Lost",
)  # fmt: skip
# a company's own: the flags IsWon and IsClosed say what they mean
OWN = Stages(("Discover", "Scope", "Shape", "Offer", "Papers"), "Signed", "Gone", custom=True)


def _report(style: Style) -> list[Column]:
    # labels of the standard report "Opportunities": help.salesforce.com, "Standard Report Types"
    columns = [
        Column("Opportunity ID", lambda d: d.id, "id"),
        Column("Opportunity Owner", lambda d: d.owner, "owner"),
        Column("Account Name", lambda d: d.company, "company"),
        Column("Opportunity Name", lambda d: d.name, "name"),
        Column("Stage", lambda d: STAGES.of(d, style), "outcome"),
        Column(
            "Fiscal Period",
            lambda d: f"Q{(d.last_day.month + 2) // 3}-{d.last_day.year}" if d.last_day else "",
        ),
        Column("Amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Probability (%)", lambda d: Chance(d.probability), "probability"),
        Column("Expected Revenue", lambda d: Money(d.weighted, d.currency)),
        Column("Age", lambda d: 17),
        Column("Close Date", lambda d: d.last_day, "close"),
        Column("Created Date", lambda d: d.created, "created"),
        Column("Lead Source", lambda d: d.source),
        Column("Type", lambda d: "New Customer"),
    ]
    if style.money == "column":
        columns.insert(6, Column("Amount Currency", lambda d: d.currency, "currency"))
    return columns


def _fields(style: Style) -> list[Column]:
    stages = OWN if style.one_of("standard", "own") == "own" else STAGES
    columns = [
        Column("Id", lambda d: d.id, "id"),
        Column("Name", lambda d: d.name, "name"),
        Column("StageName", lambda d: stages.of(d, style), "outcome"),
        Column("Amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Probability", lambda d: Chance(d.probability), "probability"),
        Column("CloseDate", lambda d: d.last_day, "close"),
        Column("CreatedDate", lambda d: d.at(d.created), "created"),
        Column("IsClosed", lambda d: d.kind in (WON, LOST)),
        Column("IsWon", lambda d: d.kind == WON),
        Column("ExpectedRevenue", lambda d: Money(d.weighted, d.currency)),
        Column("LastModifiedDate", lambda d: d.at(d.created)),
        Column("LeadSource", lambda d: d.source),
    ]
    if style.money == "column":
        columns.append(Column("CurrencyIsoCode", lambda d: d.currency, "currency"))
    return columns


def _loader(style: Style) -> list[Column]:
    # developer.salesforce.com, Data Loader Guide: relationships are columns with a point
    return [
        *_fields(style),
        Column("Owner.Name", lambda d: d.owner, "owner"),
        Column("Account.Name", lambda d: d.company, "company"),
    ]


def _rest(style: Style) -> list[Column]:
    return [
        *_fields(style),
        Column("Owner", lambda d: _related("User", d.owner), "owner"),
        Column("Account", lambda d: _related("Account", d.company), "company"),
    ]


def _related(kind: str, name: str | None) -> Record | None:
    if name is None:
        return None
    return {
        "attributes": {"type": kind, "url": f"/services/data/v60.0/sobjects/{kind}/005"},
        "Name": name,
    }


def _record(record: Record) -> Record:
    url = f"/services/data/v60.0/sobjects/Opportunity/{record['Id']}"
    return {"attributes": {"type": "Opportunity", "url": url}, **record}


def id_of(number: int) -> str:
    """An id of 18 characters, as Salesforce has them."""
    return f"006Hs{number:010}IAX"


SHAPES = (
    Shape(
        name="Salesforce report",
        columns=_report,
        containers=("csv", "csv", "xlsx"),
        locales=("us", "us", "uk", "de", "fr", "plain"),
        chances=("percent", "percent", "text"),
        monies=("column", "bare", "code", "sign before"),
        id_of=id_of,
        dirt=("report footer", "total", "blanks"),
    ),
    Shape(
        name="Salesforce Data Loader",
        columns=_loader,
        containers=("csv", "csv", "parquet"),
        monies=("column", "bare"),
        id_of=id_of,
        deleted=("IsDeleted", False, True),
    ),
    Shape(
        name="Salesforce REST",
        columns=_rest,
        containers=("json", "envelope", "envelope", "jsonl", "pages"),
        monies=("column", "bare"),
        id_of=id_of,
        form=Form(
            nest=_record,
            # api_rest guide, "Query"
            envelope=lambda records: {"totalSize": len(records), "done": True, "records": records},
            more={
                "totalSize": 4000,
                "done": False,
                "nextRecordsUrl": "/services/data/v60.0/query/01g-2000",
            },
            moments="offset",
        ),
        deleted=("IsDeleted", False, True),
    ),
    Shape(
        name="Salesforce CLI",
        columns=_rest,
        containers=("envelope",),
        monies=("column", "bare"),
        id_of=id_of,
        # github.com/forcedotcom/cli, "sf data query --json"
        form=Form(
            nest=_record,
            envelope=lambda records: {
                "status": 0,
                "result": {"records": records, "totalSize": len(records), "done": True},
                "warnings": [],
            },
            moments="offset",
        ),
    ),
)
