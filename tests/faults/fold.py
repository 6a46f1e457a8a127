"""What the commits of a history make, by docs/protocol.md: a second opinion on every view that dealdb gives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgpack
import polars as pl

from faults.history import Entry, schema_of

# instead of a row's earlier values
_GONE = "\0gone"


class Fold:
    """
    The deals after the commits so far, as texts.

    Deals of bulk loads stay in the columns that they came in, and rows that anything else touched are kept one by one.

    Attributes
    ----------
    seq
        Number of the last commit.
    schema
        Type by field.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.schema: dict[str, str] = {}
        self._frames: list[pl.DataFrame] = []
        self._rows: dict[int, dict[str, Any]] = {}
        # a column that was removed and comes back is another one: without the old values
        self._epochs: dict[str, int] = {}

    def apply(self, entry: Entry) -> None:
        self.seq = entry.seq
        match entry.kind:
            case "schema":
                self._declare(schema_of(entry.data or b""))
            case "add":
                self._add(entry)
            case "set" | "mend":
                self._set(entry)
            case "delete":
                for row in msgpack.unpackb(entry.rows):
                    self._rows[row] = {_GONE: True}

    def _declare(self, schema: dict[str, str]) -> None:
        for field in self.schema.keys() - schema.keys():
            self._epochs[field] = self._epochs.get(field, 0) + 1
        self.schema = schema

    def _key(self, field: str) -> str:
        epoch = self._epochs.get(field)
        return f"{field}\0{epoch}" if epoch else field

    def _add(self, entry: Entry) -> None:
        deals = entry.added
        rows = pl.int_range(entry.height, entry.height + deals.height, eager=True)
        revision = pl.lit(str(entry.seq)).alias("_rev")
        deals = deals.rename({name: self._key(name) for name in deals.columns})
        self._frames.append(deals.with_columns(rows.alias("_row"), revision))

    def _set(self, entry: Entry) -> None:
        ids, fields, columns = msgpack.unpackb(entry.data or b"")
        keys = [self._key(field) for field in fields]
        stamp = None
        if entry.kind == "set" and "updated" not in fields:
            moment = datetime.fromtimestamp(entry.time // 1000, UTC)
            stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        for place, row in enumerate(msgpack.unpackb(entry.rows)):
            deal = self._rows.setdefault(row, {})
            deal["id"], deal["_rev"] = ids[place], str(entry.seq)
            for key, column in zip(keys, columns, strict=True):
                # nil or false clears
                deal[key] = column[place] if isinstance(column[place], str) else None
            if stamp and row < entry.height:
                deal["updated"] = stamp

    def table(self) -> pl.DataFrame:
        """All deals, sorted by id: ``id``, ``_row``, ``_rev`` and the fields that have a value anywhere."""
        loaded = pl.concat(self._frames, how="diagonal") if self._frames else None
        singles = self._singles(loaded)
        if loaded is not None:
            touched = pl.Series("_row", list(self._rows), dtype=pl.Int64)
            untouched = loaded.join(touched.to_frame(), on="_row", how="anti")
            singles = pl.concat([untouched, singles], how="diagonal_relaxed")
        names = {self._key(field): field for field in self.schema}
        kept = [name for name in ("_row", "_rev", *names) if name in singles.columns]
        return tidy(singles.select(kept).rename(names, strict=False).cast({"_row": pl.String}))

    def _singles(self, loaded: pl.DataFrame | None) -> pl.DataFrame:
        rows = dict(self._rows)
        if loaded is not None:
            mine = pl.Series("_row", list(rows), dtype=pl.Int64).to_frame()
            for deal in loaded.join(mine, on="_row").iter_rows(named=True):
                over = rows[deal["_row"]]
                rows[deal["_row"]] = over if _GONE in over else {**deal, **over}
        keys = ["id", "_rev", *(self._key(field) for field in self.schema if field != "id")]
        deals = [(row, deal) for row, deal in rows.items() if deal.get("id") is not None]
        columns: dict[str, Sequence[Any]] = {key: [d.get(key) for _, d in deals] for key in keys}
        schema = {"_row": pl.Int64(), **{key: pl.String() for key in keys}}
        return pl.DataFrame({"_row": [row for row, _ in deals], **columns}, schema=schema)


def tidy(table: pl.DataFrame) -> pl.DataFrame:
    """Deals sorted by id, without rows that are no deal and columns that have no value."""
    table = table.filter(pl.col("id").is_not_null()).sort("id")
    return table.select(c for c in sorted(table.columns) if table[c].null_count() < table.height)


def difference(one: pl.DataFrame, other: pl.DataFrame, *, besides: Sequence[str] = ()) -> list[str]:
    """What distinguishes two tables, a few examples of it; columns ``besides`` do not count."""
    one, other = (t.drop(besides, strict=False) for t in (one, other))
    if one.equals(other):
        return []
    found = []
    if one.columns != other.columns:
        found.append(f"columns {sorted(set(one.columns) ^ set(other.columns))}")
    for name, these, those in (("first", one, other), ("second", other, one)):
        missing = these.join(those, on="id", how="anti")["id"].to_list()
        if missing:
            found.append(f"{len(missing)} deals only in the {name}, such as {missing[:5]}")
    for column in sorted(set(one.columns) & set(other.columns) - {"id"}):
        both = one.select("id", column).join(
            other.select("id", column), on="id", suffix=" of other"
        )
        unlike = both.filter(pl.col(column).ne_missing(pl.col(f"{column} of other")))
        if unlike.height:
            found.append(f"{unlike.height} deals differ in {column}, such as {unlike.rows()[:3]}")
    return found or ["the order of rows or the number of equal ids"]
