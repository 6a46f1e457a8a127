"""What HubSpot keeps of each property of a deal: its interfaces, what Fivetran and Airbyte copy, and exports."""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from dealdb.loader.columns.aliases import key_of
from dealdb.loader.history.changes import (
    AUTOMATIC,
    CLOSE_DATE,
    LATE,
    Changes,
    Style,
    fields_of,
    melted,
    shaped,
)
from dealdb.loader.history.rows.history_table import ROW, HistoryTable
from dealdb.loader.history.rows.moments import moments
from dealdb.loader.history.rows.unfolding import HUBSPOT, HUBSPOT_OLD

CRM = "hubspot"
IDS = ("dealid", "recordid", "hsobjectid", "id")
_CORE: Mapping[str, str | None] = {
    "dealname": "name",
    "dealstage": "stage",
    "amount": "amount",
    "closedate": CLOSE_DATE,
    "hubspot_owner_id": "owner",
    "createdate": "created",
    "hs_deal_stage_probability": "probability",
    "deal_currency_code": "currency",
    "closed_lost_reason": "loss_reason",
    "hs_analytics_source": "source",
    # says nothing that the moments don't
    "hs_lastmodifieddate": None,
}
# ids of the deals that were merged into this one, with semicolons between them
_MERGED = "hs_merged_object_ids"
_CALCULATED = "CALCULATED"
_USER = r"(?i)userid:\s*([0-9]+)"
_ENTERED = re.compile(r'^(?:date entered\s+"?(.+?)"?|hs_(?:v2_)?date_entered_(.+?))\s*$', re.I)
_EXITED = re.compile(r'^(?:date exited\s+"?(.+?)"?|hs_(?:v2_)?date_exited_(.+?))\s*$', re.I)
_PIPELINE = re.compile(r"\s+\([^()]*\)$")


def of_api(table: HistoryTable, mapping: Mapping[str, str | None]) -> Changes:
    """``propertiesWithHistory`` of the present interface."""
    return _properties(table, mapping, key_of(HUBSPOT))


def of_old_api(table: HistoryTable, mapping: Mapping[str, str | None]) -> Changes:
    """``versions`` of the interface before it."""
    return _properties(table, mapping, key_of(HUBSPOT_OLD))


def of_copy(table: HistoryTable, mapping: Mapping[str, str | None]) -> Changes:
    """``deal_property_history`` of Fivetran, ``deals_property_history`` of Airbyte."""
    return _properties(table, mapping, "")


def _properties(table: HistoryTable, mapping: Mapping[str, str | None], before: str) -> Changes:
    def cells(*names: str) -> pl.Expr:
        return table.cells(*(before + name for name in names))

    frame = table.frame.select(
        ROW,
        table.ids(*(before + name for name in IDS)),
        cells("timestamp").alias("at"),
        cells("property", "name").alias("name"),
        cells("value").alias("value"),
        cells("op").alias("op"),
        cells("sourcetype", "source").alias("source"),
        pl.coalesce(cells("who", "updatedbyuserid"), cells("sourceid").str.extract(_USER)).alias(
            "who"
        ),
    )
    empty = frame["name"].is_null() & frame["op"].is_null() & frame["at"].is_null()
    frame = frame.filter(~empty)
    merged = frame.filter(pl.col("name") == _MERGED).with_columns(
        pl.col("value").str.split(";").alias("id"), pl.col("id").alias("value")
    )
    merges = merged.explode("id").with_columns(
        pl.col("id").str.strip_chars(),
        pl.lit(None, dtype=pl.String).alias("name"),
        pl.lit("merge").alias("op"),
        pl.lit(CRM).alias("source"),
    )
    merges = merges.filter((pl.col("id") != "") & (pl.col("id") != pl.col("value")))
    rest = frame.filter(pl.col("name").ne_missing(_MERGED)).with_columns(_said().alias("source"))
    names = rest["name"].drop_nulls().unique(maintain_order=True).to_list()
    return Changes(
        frame=shaped(pl.concat([rest, merges], how="diagonal")),
        crm=CRM,
        style=Style.VALUES,
        fields=fields_of(names, _CORE, mapping),
        stage_ids=True,
        n_stubs=int(empty.sum()) if before else 0,
        n_ignored=0 if before else int(empty.sum()),
    )


def _said() -> pl.Expr:
    """Source of a fact: what HubSpot says of it, and a mark for what it has set by itself."""
    closing = pl.col("name") == "closedate"
    by_itself = closing & (pl.col("source").str.to_uppercase() == _CALCULATED)
    told = pl.lit(f"{CRM}:") + pl.col("source")
    marked = pl.when(by_itself.fill_null(value=False)).then(pl.lit(f"{CRM}:{AUTOMATIC}"))
    return marked.otherwise(told.fill_null(CRM))


def of_stages(table: HistoryTable, _mapping: Mapping[str, str | None]) -> Changes:
    """``deal_stage`` of Fivetran: the stages that a deal has entered."""
    frame = table.frame.select(
        ROW,
        table.ids("dealid"),
        pl.coalesce(table.cells("dateentered"), table.cells("fivetranstart")).alias("at"),
        pl.lit("dealstage").alias("name"),
        table.cells("value").alias("value"),
        table.cells("source").alias("source"),
        table.cells("sourceid").str.extract(_USER).alias("who"),
    ).with_columns(_said().alias("source"))
    fields: dict[str, str | None] = {"dealstage": "stage"}
    return Changes(frame=shaped(frame), crm=CRM, style=Style.VALUES, fields=fields, stage_ids=True)


def of_merges(table: HistoryTable, _mapping: Mapping[str, str | None]) -> Changes:
    """``merged_deal`` of Fivetran, which has the moment of its copy alone: the merge was then at the latest."""
    frame = table.frame.select(
        ROW,
        table.ids("mergeddealid"),
        table.ids("dealid").alias("value"),
        table.cells("fivetransynced").alias("at"),
        pl.lit("merge").alias("op"),
        pl.lit(f"{CRM}:{LATE}").alias("source"),
    )
    return Changes(frame=shaped(frame), crm=CRM, style=Style.VALUES)


def has_entries(headers: list[str]) -> bool:
    """
    Whether an export has columns of the moments at which deals entered stages.

    Examples
    --------
    >>> has_entries(["Record ID", 'Date entered "Demo (Sales Pipeline)"'])
    True
    """
    return any(_ENTERED.match(header) for header in headers)


def of_entries(table: HistoryTable, _mapping: Mapping[str, str | None]) -> Changes:
    """``Date entered "..."`` of exports: only the last visit of each stage; ``Date exited`` is a check."""
    entered = {name: found for name in table.headers if (found := _ENTERED.match(name))}
    exited = {_stage(found): name for name in table.headers if (found := _EXITED.match(name))}
    frame = table.frame.select(
        ROW, table.ids(*_id_first()), *(table.texts(header) for header in entered)
    )
    cells = melted(frame, list(entered), [ROW, "id"]).rename({"value": "at", "name": "header"})
    stages = {header: _stage(found) for header, found in entered.items()}
    cells = cells.filter(pl.col("at").is_not_null()).with_columns(
        pl.lit("dealstage").alias("name"),
        pl.col("header").replace_strict(stages, return_dtype=pl.String).alias("value"),
        pl.lit(CRM).alias("source"),
    )
    odd: set[int] = set()
    for header, stage in stages.items():
        if stage in exited:
            begin = moments(table.texts(header), "UTC")["at"]
            end = moments(table.texts(exited[stage]), "UTC")["at"]
            odd |= set((end < begin).fill_null(value=False).arg_true().to_list())
    fields: dict[str, str | None] = {"dealstage": "stage"}
    return Changes(
        frame=shaped(cells),
        crm=CRM,
        style=Style.VALUES,
        fields=fields,
        stage_ids=any(found[2] for found in entered.values()),
        n_suspect=len(odd),
        notes=("of each stage only the last visit is known",),
    )


def _id_first() -> tuple[str, ...]:
    return ("recordid", "hsobjectid", "dealid", "id")


def _stage(found: re.Match[str]) -> str:
    """Name of the stage, without that of the pipeline behind it; or its id."""
    return found[2] or _PIPELINE.sub("", found[1])
