"""Plain tables: a row a change, or a row a state of a deal at a time."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dealdb.loader.cells.lists import list_texts
from dealdb.loader.columns.aliases import key_of
from dealdb.loader.columns.headers import map_headers
from dealdb.loader.history.changes import NO_SOURCE, Changes, Style, fields_of, melted, shaped
from dealdb.loader.history.rows.history_table import ROW, SHAPE, HistoryTable
from dealdb.model.schema import STANDARD_NAMES, FieldType, Schema

_BESIDE = ("id", "at", "who", "key", "op")
_TEXTS = {name for name, field in Schema.standard().items() if field.type is FieldType.TEXT}
_BY_KEY = {key_of(name): name for name in STANDARD_NAMES}


def long_rows(table: HistoryTable, mapping: Mapping[str, str | None]) -> Changes:
    """``id,at,field,value`` and what may stand beside them: a row a change, named as the fields are."""
    if not table.headers:
        return Changes(frame=shaped(table.frame), crm=NO_SOURCE, style=Style.VALUES)
    frame = table.frame.select(
        ROW,
        table.ids("id"),
        table.cells("at").alias("at"),
        table.cells("field").alias("name"),
        table.texts("value") if table.find("value") else pl.lit(None, pl.String).alias("value"),
        *(table.cells(name).alias(name) for name in ("op", "who", "source", "key")),
    )
    names = frame["name"].drop_nulls().unique().to_list()
    # a field of one's own keeps its name: "value" is no amount here
    core = {name: _BY_KEY.get(key_of(name), name) for name in names}
    fields = fields_of(names, core, mapping)
    return Changes(
        frame=shaped(frame),
        crm=NO_SOURCE,
        style=Style.VALUES,
        fields=fields,
        types={} if table.is_loose else _lists(frame),
    )


def _lists(rows: pl.DataFrame) -> dict[str, FieldType]:
    """Names whose values are all arrays of texts, of a source that has lists."""
    is_list = list_texts(rows["value"]).is_not_null() & rows["value"].str.starts_with("[")
    said = rows.with_columns(is_list.alias("is_list")).drop_nulls(["name", "value"])
    found = said.group_by("name").agg(pl.col("is_list").all()).filter("is_list")
    return dict.fromkeys(found["name"].to_list(), FieldType.LIST)


def wide_rows(table: HistoryTable, mapping: Mapping[str, str | None]) -> Changes:
    """``id,at`` and a column a field: states, of which the differences count; columns are named as in loads."""
    beside = {key_of(name) for name in _BESIDE}
    headers = [header for header in table.headers if key_of(header) not in beside]
    chosen = {name: field for name, field in mapping.items() if name in headers}
    mapped = map_headers(["id", *headers], chosen, Schema.standard())
    # "updated" says nothing that the moment doesn't
    fields = {name: None if mapped[name] == "updated" else mapped[name] for name in headers}
    frame = table.frame.select(
        ROW,
        SHAPE,
        table.ids("id").alias("\0id"),
        *(table.cells(name).alias(f"\0{name}") for name in _BESIDE[1:]),
        *(table.texts(header, is_name=fields[header] in _TEXTS) for header in headers),
    )
    kept = [ROW, SHAPE, *(f"\0{name}" for name in _BESIDE)]
    plain = {f"\0{name}": name for name in _BESIDE}
    is_state = pl.col("\0op").str.to_lowercase().fill_null("set") == "set"
    ends = frame.filter(~is_state).select(kept).rename(plain)
    states = frame.filter(is_state)
    given = pl.DataFrame(
        [(n, name) for n, shape in enumerate(table.shapes) for name in shape],
        schema={SHAPE: pl.Int32, "name": pl.String},
        orient="row",
    )
    # a row that lacks a name leaves the field as it is
    cells = melted(states, headers, kept).rename(plain).join(given, on=[SHAPE, "name"], how="semi")
    cells = cells.with_columns((pl.col("key") + ":" + pl.col("name")).alias("key"))
    return Changes(
        frame=shaped(pl.concat([cells, ends], how="diagonal")),
        crm=NO_SOURCE,
        style=Style.SNAPSHOTS,
        fields=fields,
        types={name: kind for name in headers if (kind := table.type_of(name)) is not None},
    )
