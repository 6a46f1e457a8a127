"""Dynamics 365 Sales: the export to a worksheet, and OData."""

from __future__ import annotations

from uuid import UUID

from exports.deals import KINDS, LOST, OPEN, WON
from exports.dirt import Record
from exports.files import Form
from exports.shape import Column, Shape, Stages
from exports.style import Chance, Money, Style

# learn.microsoft.com/dynamics365/sales/developer/entities/opportunity: display names, and the phases of the
# business process; the state is a column of its own
STAGES = Stages(("1-Qualify", "2-Develop", "3-Propose", "4-Close", "4-Close"), "", "")
REASONS = {OPEN: "In Progress", WON: "Won", LOST: "Canceled"}
SHOWN = "@OData.Community.Display.V1.FormattedValue"


def id_of(number: int) -> str:
    """A GUID."""
    return str(UUID(int=0xA5D1_0000_4000_8000_0000_0000_0000_0000 + number))


def _sheet(style: Style) -> list[Column]:
    # learn.microsoft.com/power-apps, "Export data to Excel": the first three columns are hidden ones for the import
    stage = style.one_of("Sales Stage", "Pipeline Phase")
    return [
        Column("(Do Not Modify) Opportunity", lambda d: d.id, "id"),
        Column("(Do Not Modify) Row Checksum", lambda d: f"q7/{d.number}=="),
        Column("(Do Not Modify) Modified On", lambda d: d.at(d.created)),
        Column("Topic", lambda d: d.name, "name"),
        Column(style.one_of("Account", "Potential Customer"), lambda d: d.company, "company"),
        Column("Est. Close Date", lambda d: d.expected_close, "expected_close"),
        Column("Est. Revenue", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Revenue", lambda d: ("User Provided", "System Calculated")[d.number % 2]),
        Column("Actual Revenue", lambda d: Money(d.amount if d.kind == WON else None, d.currency)),
        Column("Actual Close Date", lambda d: d.closed, "closed"),
        Column("Probability", lambda d: Chance(d.probability), "probability"),
        Column("Rating", lambda d: "Warm"),
        Column(stage, lambda d: STAGES.before(d, style), "outcome"),
        Column("Status", lambda d: d.kind.title(), "outcome"),
        Column("Status Reason", lambda d: REASONS[d.kind]),
        Column("Owner", lambda d: d.owner, "owner"),
        Column("Created On", lambda d: d.at(d.created), "created"),
    ]


def _odata(style: Style) -> list[Column]:
    # learn.microsoft.com/power-apps/developer/data-platform/webapi, "Query data": formatted values by annotation
    return [
        Column("@odata.etag", lambda d: f'W/"{d.number}"'),
        Column("opportunityid", lambda d: d.id, "id"),
        Column("name", lambda d: d.name, "name"),
        Column("estimatedvalue", lambda d: Money(d.amount, d.currency), "amount"),
        Column(f"estimatedvalue{SHOWN}", lambda d: "" if d.amount is None else f"€{d.amount:,.2f}"),
        Column("estimatedclosedate", lambda d: d.expected_close, "expected_close"),
        Column("actualclosedate", lambda d: d.closed, "closed"),
        Column("closeprobability", lambda d: Chance(d.probability), "probability"),
        Column("statecode", lambda d: KINDS.index(d.kind), "outcome"),
        Column(f"statecode{SHOWN}", lambda d: d.kind.title(), "outcome"),
        Column("statuscode", lambda d: {OPEN: 1, WON: 3, LOST: 4}[d.kind]),
        Column(f"statuscode{SHOWN}", lambda d: REASONS[d.kind]),
        Column("stepname", lambda d: STAGES.before(d, style)),
        Column("createdon", lambda d: d.at(d.created), "created"),
        Column("_ownerid_value", lambda d: id_of(d.owner_id)),
        Column(f"_ownerid_value{SHOWN}", lambda d: d.owner, "owner"),
        Column("_parentaccountid_value", lambda d: id_of(d.company_id)),
        Column(f"_parentaccountid_value{SHOWN}", lambda d: d.company, "company"),
    ]


def _answer(records: list[Record]) -> Record:
    return {
        "@odata.context": "https://x.example/api/data/v9.2/$metadata#opportunities",
        "value": records,
    }


SHAPES = (
    Shape(
        name="Dynamics sheet",
        columns=_sheet,
        containers=("csv", "xlsx"),
        locales=("us", "uk", "de", "plain"),
        monies=("bare", "sign before"),
        id_of=id_of,
    ),
    Shape(
        name="Dynamics OData",
        columns=_odata,
        containers=("envelope", "envelope", "json"),
        monies=("bare",),
        id_of=id_of,
        form=Form(
            envelope=_answer,
            more={"@odata.nextLink": "https://x.example/api/data/v9.2/opportunities?$skiptoken=2"},
            moments="seconds",
        ),
    ),
)
