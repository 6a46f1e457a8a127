"""What Pipedrive answers on the changes of a deal: its flow, and its changelog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from dealdb.loader.columns.aliases import key_of
from dealdb.loader.history.changes import CREATION, STATUS, Changes, Style, fields_of, shaped
from dealdb.loader.history.rows.history_table import ROW, HistoryTable
from dealdb.loader.history.rows.unfolding import PIPEDRIVE

CRM = "pipedrive"
# pages of the changelog were seen to end there
SUSPECT_ROWS = 500
_CORE: Mapping[str, str | None] = {
    "title": "name",
    "value": "amount",
    "currency": "currency",
    "stage_id": "stage",
    "status": STATUS,
    "user_id": "owner",
    "org_id": "company",
    "probability": "probability",
    "expected_close_date": "expected_close",
    "lost_reason": "loss_reason",
    "add_time": CREATION,
    # what the changes of status say already
    **dict.fromkeys(("won_time", "lost_time", "close_time", "first_won_time"), None),
    **dict.fromkeys(("update_time", "stage_change_time", "weighted_value", "active"), None),
}
_NAMED = ("stage_id", "user_id", "org_id", "person_id")


def of_flow(table: HistoryTable, mapping: Mapping[str, str | None]) -> Changes:
    """``/v1/deals/{id}/flow``: the items that are changes of the deal."""
    before = key_of(PIPEDRIVE)
    is_change = table.frame.select(
        (table.cells(f"{before}object") == PIPEDRIVE).fill_null(value=False)
    ).to_series()
    changes = _changes(table, before, mapping, "time", "who")
    frame = changes.frame.filter(pl.col(ROW).is_in(table.frame.filter(is_change)[ROW].implode()))
    return replace(changes, frame=frame, n_ignored=int((~is_change).sum()))


def of_changelog(table: HistoryTable, mapping: Mapping[str, str | None]) -> Changes:
    """``/v1/deals/{id}/changelog`` with the deal's id beside each row, which the answer itself lacks."""
    changes = _changes(table, "", mapping, "time", "actoruserid")
    n_rows = changes.frame.group_by("id").len()
    n_suspect = int((n_rows["len"] == SUSPECT_ROWS).sum())
    have = "1 deal has" if n_suspect == 1 else f"{n_suspect} deals have"
    note = f"{have} exactly {SUSPECT_ROWS} changes: pages may be missing"
    return replace(changes, n_suspect=n_suspect, notes=(note,) if n_suspect else ())


def _changes(
    table: HistoryTable, before: str, mapping: Mapping[str, str | None], at: str, who: str
) -> Changes:
    name = table.cells(f"{before}fieldkey")
    is_named = name.is_in(_NAMED)
    frame = table.frame.select(
        ROW,
        table.ids(*(before + each for each in ("dealid", "itemid", "id"))),
        table.cells(before + at, f"{before}logtime").alias("at"),
        name.alias("name"),
        table.texts(f"{before}oldvalue").alias("old"),
        table.texts(f"{before}newvalue").alias("value"),
        pl.when(is_named).then(table.cells(f"{before}newformatted")).alias("label"),
        pl.when(is_named).then(table.cells(f"{before}oldformatted")).alias("old_label"),
        table.cells(before + who, f"{before}userid").alias("who"),
        (table.cells(f"{before}key") if before else pl.lit(None, dtype=pl.String)).alias("key"),
        (pl.lit(f"{CRM}:") + table.cells(f"{before}changesource")).fill_null(CRM).alias("source"),
    )
    names = frame["name"].drop_nulls().unique(maintain_order=True).to_list()
    return Changes(
        frame=shaped(frame),
        crm=CRM,
        style=Style.CHANGES,
        fields=fields_of(names, _CORE, mapping),
        stage_ids=True,
        percent=True,
    )
