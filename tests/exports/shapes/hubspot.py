"""HubSpot: the export of the web page, and the answers of both APIs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from exports.deals import LOST, WON, Deal
from exports.dirt import Record
from exports.files import Form
from exports.shape import Column, Shape, Stages
from exports.style import Chance, Money, Style

# knowledge.hubspot.com, "Export records"; default pipeline: developers.hubspot.com/docs, CRM API, Pipelines
LABELS = Stages(
    ("Appointment Scheduled", "Qualified To Buy", "Presentation Scheduled", "Decision Maker Bought-In",
     "Contract Sent"),
    "Closed Won",
    "Closed Lost",
)  # fmt: skip
NAMES = Stages(
    ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent"),
    "closedwon",
    "closedlost",
)  # fmt: skip
# of a pipeline that a user made: stages have numbers for names
NUMBERS = Stages(("98101", "98102", "98103", "98104", "98105"), "98106", "98107", custom=True)


def _converted(deal: Deal) -> Decimal | None:
    return None if deal.amount is None else round(deal.amount * Decimal("1.17"), 2)


def _page(style: Style) -> list[Column]:
    columns = [
        Column("Record ID", lambda d: d.id, "id"),
        Column("Deal Name", lambda d: d.name, "name"),
        Column("Amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Deal Stage", lambda d: LABELS.of(d, style), "outcome"),
        Column("Deal owner", lambda d: d.owner, "owner"),
        Column("Create Date", lambda d: d.at(d.created), "created"),
        Column("Close Date", lambda d: d.at(d.last_day), "close"),
        Column("Deal probability", lambda d: Chance(d.probability), "probability"),
        Column("Associated Company", lambda d: d.company, "company"),
        Column("Pipeline", lambda d: "Sales Pipeline"),
        Column("Amount in company currency", lambda d: Money(_converted(d), "EUR")),
        Column("Weighted amount", lambda d: Money(d.weighted, d.currency)),
        Column("Last Modified Date", lambda d: d.at(d.created)),
        Column("Closed Lost Reason", lambda d: d.loss_reason),
        Column("Original Traffic Source", lambda d: d.source),
    ]
    if style.money == "column":
        columns.append(Column("Currency", lambda d: d.currency, "currency"))
    return columns


def _properties(style: Style) -> list[Column]:
    # developers.hubspot.com/docs/api-reference, CRM, Deals: the names of the properties
    stages = NUMBERS if style.one_of("default", "own") == "own" else NAMES
    return [
        Column("id", lambda d: d.id, "id"),
        Column("amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("closedate", lambda d: d.at(d.last_day), "close"),
        Column("createdate", lambda d: d.at(d.created), "created"),
        Column("deal_currency_code", lambda d: d.currency, "currency"),
        Column("dealname", lambda d: d.name, "name"),
        Column("dealstage", lambda d: stages.of(d, style), "outcome"),
        Column("hs_deal_stage_probability", lambda d: Chance(d.probability), "probability"),
        Column("hs_is_closed", lambda d: str(d.kind in (WON, LOST)).lower()),
        Column("hs_is_closed_won", lambda d: str(d.kind == WON).lower()),
        Column("hubspot_owner_id", lambda d: str(d.owner_id), "owner"),
        Column("pipeline", lambda d: "default"),
    ]


def _warehouse(style: Style) -> list[Column]:
    # github.com/fivetran/dbt_hubspot_source: the table DEAL as Fivetran copies it to a warehouse
    stages = NUMBERS if style.one_of("default", "own") == "own" else NAMES
    return [
        Column("deal_id", lambda d: int(d.id), "id"),
        Column("property_dealname", lambda d: d.name, "name"),
        Column("property_amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("property_deal_currency_code", lambda d: d.currency, "currency"),
        Column("deal_pipeline_id", lambda d: "default"),
        Column("deal_pipeline_stage_id", lambda d: stages.of(d, style), "outcome"),
        Column("property_hs_is_closed", lambda d: d.kind in (WON, LOST)),
        Column("property_hs_is_closed_won", lambda d: d.kind == WON),
        Column(
            "property_hs_deal_stage_probability", lambda d: Chance(d.probability), "probability"
        ),
        Column("property_createdate", lambda d: d.at(d.created), "created"),
        Column("property_closedate", lambda d: d.at(d.last_day), "close"),
        Column("owner_id", lambda d: d.owner_id, "owner"),
        Column("_fivetran_synced", lambda d: d.at(d.created)),
    ]


def _v3(record: Record) -> Record:
    own = {key: value for key, value in record.items() if key not in ("id", "archived")}
    return {
        "id": record["id"],
        "properties": own,
        "createdAt": record["createdate"],
        "updatedAt": record["createdate"],
        "archived": record["archived"],
    }


def _v1(record: Record) -> Record:
    # legacydocs.hubspot.com, Deals v1, "Get all deals"
    own = {
        key: {
            "value": value,
            "timestamp": 1700000000000,
            "source": "CRM_UI",
            "sourceId": "a@b.example",
        }
        for key, value in record.items()
        if key not in ("id", "isDeleted") and value is not None
    }
    return {
        "portalId": 62515,
        "dealId": int(record["id"]),
        "isDeleted": record["isDeleted"],
        "associations": {
            "associatedVids": [],
            "associatedCompanyIds": [5001],
            "associatedDealIds": [],
        },
        "properties": own,
    }


def _numbered(deal: Deal) -> Deal:
    return replace(deal, owner=str(deal.owner_id))


SHAPES = (
    Shape(
        name="HubSpot page",
        columns=_page,
        containers=("csv", "csv", "xlsx"),
        locales=("plain", "plain", "us", "de", "uk", "fr"),
        chances=("fraction", "percent"),
        monies=("column", "column", "bare"),
        spellings=("plain", "plain", "pipeline"),
        dirt=("blanks", "padded ids", "total"),
    ),
    Shape(
        name="HubSpot v3",
        columns=_properties,
        containers=("json", "envelope", "envelope", "jsonl", "pages"),
        chances=("fraction",),
        form=Form(
            nest=_v3,
            envelope=lambda records: {"total": len(records), "results": records},
            more={"paging": {"next": {"after": "100", "link": "https://x.example/?after=100"}}},
            moments="z",
            texts=True,
        ),
        deleted=("archived", False, True),
        seen=_numbered,
    ),
    Shape(
        name="HubSpot v1",
        columns=_properties,
        containers=("json", "envelope", "jsonl"),
        chances=("fraction",),
        form=Form(
            nest=_v1,
            envelope=lambda records: {"deals": records, "hasMore": False, "offset": 0},
            more={"hasMore": True, "offset": 27136},
            moments="ms",
            texts=True,
        ),
        deleted=("isDeleted", False, True),
        seen=_numbered,
    ),
    Shape(
        name="HubSpot warehouse",
        columns=_warehouse,
        containers=("parquet", "parquet", "csv", "jsonl"),
        chances=("fraction",),
        deleted=("_fivetran_deleted", False, True),
        seen=_numbered,
    ),
)
