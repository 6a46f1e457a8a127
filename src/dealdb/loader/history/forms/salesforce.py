"""What Salesforce keeps of opportunities: states after each save, tracked fields, and the rows that Fivetran keeps."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dealdb.loader.cells.truth_words import is_true
from dealdb.loader.columns.headers import find_header
from dealdb.loader.history.changes import (
    CLOSE_DATE,
    CREATION,
    GONE,
    LATE,
    Changes,
    Style,
    fields_of,
    melted,
    shaped,
)
from dealdb.loader.history.rows.history_table import ROW, HistoryTable

CRM = "salesforce"
_CORE: Mapping[str, str | None] = {
    "StageName": "stage",
    "Amount": "amount",
    "CloseDate": CLOSE_DATE,
    "Probability": "probability",
    "CurrencyIsoCode": "currency",
}
# of rows that have all columns of an opportunity
_WHOLE: Mapping[str, str | None] = {
    **_CORE,
    "Name": "name",
    "OwnerId": "owner",
    "AccountId": "company",
    "LeadSource": "source",
    "CreatedDate": "created",
}
_TRACKED: Mapping[str, str | None] = {
    **_CORE,
    "Name": "name",
    "Owner": "owner",
    "Account": "company",
    "LeadSource": "source",
    "created": CREATION,
    "opportunityCreatedFromLead": CREATION,
}
_FLAGS = {"isclosed": "is_closed", "iswon": "is_won"}
# 15 characters, or 18 with a check
_ID = r"^[0-9A-Za-z]{5}0[0-9A-Za-z]{9}(?:[A-Z0-5]{3})?$"


def of_states(table: HistoryTable, mapping: Mapping[str, str | None]) -> Changes:
    """
    ``OpportunityHistory``: a row for each save that touches stage, amount, probability or close date.

    ``PrevAmount`` and ``PrevCloseDate`` are empty in most rows, so only the row before counts.
    """
    fields = _columns(table, _CORE, mapping)
    frame = table.frame.select(
        ROW,
        table.ids("opportunityid"),
        table.cells("createddate").alias("at"),
        table.cells("createdbyid").alias("who"),
        table.cells("id").alias("\0key"),
        *(table.texts(header, is_name=_is_name(fields[header])) for header in fields),
    )
    cells = melted(frame, list(fields), [ROW, "id", "at", "who", "\0key"]).with_columns(
        (pl.col("\0key") + ":" + pl.col("name")).alias("key"), pl.lit(CRM).alias("source")
    )
    return Changes(
        frame=shaped(cells),
        crm=CRM,
        style=Style.SNAPSHOTS,
        fields=fields,
        percent=True,
        creates=True,
    )


def of_copied_rows(table: HistoryTable, mapping: Mapping[str, str | None]) -> Changes:
    """
    ``opportunity_history`` of Fivetran: whole rows, each from the moment at which the copy first had it.

    The first row of a deal is as old as the deal; what the others say happened at their start at the latest.
    """
    fields = _columns(table, _WHOLE, mapping)
    frame = table.frame.select(
        ROW,
        table.ids("id").alias("\0id"),
        table.cells("fivetranstart").alias("at"),
        table.cells("createddate").alias("begin"),
        is_true(table.cells("isdeleted")).alias("gone"),
        *(table.texts(header, is_name=_is_name(fields[header])) for header in fields),
    )
    beside = [ROW, "\0id", "at", "begin", "gone"]
    cells = melted(frame, list(fields), beside).rename({"\0id": "id"})
    cells = cells.with_columns(
        pl.when("gone").then(pl.lit(GONE)).alias("op"), pl.lit(f"{CRM}:{LATE}").alias("source")
    )
    flags = (table.cells(name).alias(alias) for name, alias in _FLAGS.items())
    flagged = table.frame.select(ROW, *flags)
    return Changes(
        frame=shaped(cells),
        crm=CRM,
        style=Style.SNAPSHOTS,
        fields=fields,
        percent=True,
        flagged=flagged if table.find("isclosed") else None,
    )


def _columns(
    table: HistoryTable, core: Mapping[str, str | None], mapping: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Field by header: of the columns that the program means, and of those that the caller names."""
    found = {find_header(name, table.headers): field for name, field in core.items()}
    chosen = {(find_header(name, table.headers) or name): field for name, field in mapping.items()}
    wanted = [header for header in table.headers if header in found or header in chosen]
    known = {header: field for header, field in found.items() if header}
    return fields_of(wanted, known, mapping)


def _is_name(field: str | None) -> bool:
    return field in ("name", "owner", "company", "stage", "source", "loss_reason", "currency")


def of_fields(table: HistoryTable, mapping: Mapping[str, str | None]) -> Changes:
    """``OpportunityFieldHistory``: a row a change of a tracked field, with the value before."""
    frame = table.frame.select(
        ROW,
        table.ids("opportunityid"),
        table.cells("createddate").alias("at"),
        table.cells("field").alias("name"),
        table.texts("oldvalue").alias("old"),
        table.texts("newvalue").alias("value"),
        table.cells("createdbyid").alias("who"),
        table.cells("id").alias("key") if _has_own_id(table) else _nothing("key"),
        pl.lit(CRM).alias("source"),
    )
    name = pl.col("name")
    creation = name.is_in([each for each, field in _TRACKED.items() if field == CREATION])
    # names of fields begin with a capital letter; locked, feedEvent and others are no fields
    event = name.str.contains("^[a-z]") & ~creation & ~name.is_in(list(mapping))
    n_events = int(frame.select(event.fill_null(value=False).sum()).item())
    frame = frame.filter(~event.fill_null(value=False))
    # a long text changes without its values
    silent = pl.col("old").is_null() & pl.col("value").is_null() & ~creation
    frame = frame.with_columns(pl.when(silent).then(pl.lit("unknown")).alias("op"))
    names = frame["name"].drop_nulls().unique(maintain_order=True).to_list()
    return Changes(
        frame=shaped(frame),
        crm=CRM,
        style=Style.CHANGES,
        fields=fields_of(names, _TRACKED, mapping),
        percent=True,
        n_ignored=n_events,
    )


def _has_own_id(table: HistoryTable) -> bool:
    return table.find("id") is not None


def _nothing(name: str) -> pl.Expr:
    return pl.lit(None, dtype=pl.String).alias(name)


def without_twins(frame: pl.DataFrame, wanted: Mapping[str, str]) -> pl.DataFrame:
    """
    Changes of lookups once each: Salesforce writes one row with names and one with ids.

    Parameters
    ----------
    frame
        Changes with their fields.
    wanted
        ``"id"`` by field, where the ids are to stay and not the names.

    Examples
    --------
    >>> frame = pl.DataFrame(
    ...     {
    ...         "id": ["006"] * 2,
    ...         "at": [0, 0],
    ...         "field": ["owner"] * 2,
    ...         "old": ["Ann", "005000000000001"],
    ...         "value": ["Bob", "005000000000002"],
    ...     }
    ... )
    >>> (
    ...     without_twins(frame, {})["value"].to_list(),
    ...     without_twins(frame, {"owner": "id"})["value"].to_list(),
    ... )
    (['Bob'], ['005000000000002'])
    """
    is_id = pl.coalesce("value", "old").str.contains(_ID).fill_null(value=False)
    one = ["id", "at", "field"]
    both = is_id.any().over(one) & ~is_id.all().over(one)
    kind = pl.col("field").replace_strict(wanted, default="name", return_dtype=pl.String) == "id"
    return frame.filter(~both | (is_id == kind))
