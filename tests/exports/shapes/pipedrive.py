"""Pipedrive: the export of the list of deals, and the answer of its API."""

from __future__ import annotations

from exports.deals import LOST, OPEN, WON, Deal
from exports.dirt import Record
from exports.files import Form
from exports.shape import Column, Shape, Stages
from exports.style import Chance, Money, Style

STAGES = Stages(
    ("Qualified", "Contact Made", "Demo Scheduled", "Proposal Made", "Negotiations Started"), "", ""
)


def _page(style: Style) -> list[Column]:
    # support.pipedrive.com, "Exporting data": headers are "Deal - " and the label of the field
    head = style.one_of("Deal - ", "")
    columns = [
        Column(f"{head}ID", lambda d: d.id, "id"),
        Column(f"{head}Title", lambda d: d.name, "name"),
        Column(f"{head}Organization", lambda d: d.company, "company"),
        Column(f"{head}Owner", lambda d: d.owner, "owner"),
        Column(f"{head}Value", lambda d: Money(d.amount, d.currency), "amount"),
        Column(f"{head}Currency of Value", lambda d: d.currency, "currency"),
        Column(f"{head}Stage", lambda d: STAGES.before(d, style), "outcome"),
        Column(f"{head}Status", lambda d: d.kind.title(), "outcome"),
        Column(f"{head}Probability", lambda d: Chance(d.probability if d.kind == OPEN else None)),
        Column(f"{head}Deal created", lambda d: d.at(d.created), "created"),
        Column(f"{head}Expected close date", lambda d: d.expected_close, "expected_close"),
        Column(f"{head}Lost reason", lambda d: d.loss_reason),
        Column(f"{head}Contact person", lambda d: "Kim Example"),
        Column(f"{head}Weighted value", lambda d: Money(d.weighted, d.currency)),
        Column(f"{head}Update time", lambda d: d.at(d.created)),
    ]
    if style.one_of("one", "two") == "one":
        return [*columns, Column(f"{head}Deal closed on", lambda d: d.at(d.closed), "closed")]
    return [
        *columns,
        Column(f"{head}Won time", lambda d: d.at(d.closed) if d.kind == WON else None, "closed"),
        Column(f"{head}Lost time", lambda d: d.at(d.closed) if d.kind == LOST else None, "closed"),
    ]


def _api(style: Style) -> list[Column]:
    # developers.pipedrive.com/docs/api/v1/Deals; github.com/pipedrive/client-php docs/Model
    return [
        Column("id", lambda d: int(d.id), "id"),
        Column("creator_user_id", _user),
        Column("user_id", _user, "owner"),
        Column("org_id", _organization, "company"),
        Column("stage_id", lambda d: d.phase + 1, "outcome"),
        Column("title", lambda d: d.name, "name"),
        Column("value", lambda d: Money(d.amount, d.currency), "amount"),
        Column("currency", lambda d: d.currency, "currency"),
        Column("add_time", lambda d: d.at(d.created), "created"),
        Column("update_time", lambda d: d.at(d.created)),
        Column("status", lambda d: d.kind, "outcome"),
        Column("probability", lambda d: Chance(d.probability if d.kind == OPEN else None)),
        Column("lost_reason", lambda d: d.loss_reason),
        Column("close_time", lambda d: d.at(d.closed), "closed"),
        Column("won_time", lambda d: d.at(d.closed) if d.kind == WON else None),
        Column("lost_time", lambda d: d.at(d.closed) if d.kind == LOST else None),
        Column("pipeline_id", lambda d: 1),
        Column("expected_close_date", lambda d: d.expected_close, "expected_close"),
        Column("org_name", lambda d: d.company),
        Column("owner_name", lambda d: d.owner),
    ]


def _user(deal: Deal) -> Record:
    return {
        "id": deal.owner_id,
        "name": deal.owner,
        "email": "a@b.example",
        "active_flag": True,
        "value": deal.owner_id,
    }


def _organization(deal: Deal) -> Record:
    return {
        "name": deal.company,
        "people_count": 2,
        "owner_id": deal.owner_id,
        "value": deal.company_id,
    }


SHAPES = (
    Shape(
        name="Pipedrive page",
        columns=_page,
        containers=("csv", "csv", "xlsx"),
        locales=("plain", "plain", "us", "de", "nl"),
        monies=("column",),
        dirt=("blanks", "padded ids", "zero dates"),
    ),
    Shape(
        name="Pipedrive API",
        columns=_api,
        containers=("envelope", "envelope", "json", "jsonl", "pages"),
        form=Form(
            envelope=lambda records: {
                "success": True,
                "data": records,
                "additional_data": {
                    "pagination": {"start": 0, "limit": 100, "more_items_in_collection": False}
                },
            },
            more={
                "additional_data": {
                    "pagination": {
                        "start": 0,
                        "limit": 100,
                        "more_items_in_collection": True,
                        "next_start": 100,
                    }
                }
            },
            moments="space",
        ),
        deleted=("status", ..., "deleted"),
    ),
)
