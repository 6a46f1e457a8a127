"""
The last resort of a reader: the hashes themselves.

Used where neither a checkpoint nor the whole log can be read. It costs a read of every hash of the collection.
"""

from __future__ import annotations

import polars as pl

from dealdb.connection import Link
from dealdb.model.columns import decode_frame
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.hashes import scan_hashes
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Position
from dealdb.store.replica.replica import Replica


def replica_from_hashes(link: Link, keys: Keys) -> Replica:
    """
    Replica from a scan, at the position that the collection had before the scan began.

    Commits of the meantime are to be applied once more: they set what they set, so that does no harm.
    """
    meta = link.call(
        "HMGET", keys.meta, "seq", "hash", "schema", "pipeline", "rows", "time", retry=True
    )
    seq, chain, schema_text, pipeline_text, rows, time_ms = meta
    schema = Schema.from_json(schema_text)
    deals: dict[int, tuple[str, dict[bytes, bytes]]] = {}
    for found in scan_hashes(link, keys):
        placed = {deal_id: _row_of(fields, int(rows)) for deal_id, fields in found.items()}
        deals.update({r: (deal, found[deal]) for deal, r in placed.items() if r is not None})
    return Replica(
        position=Position(int(seq), chain),
        time_ms=int(time_ms),
        schema=schema,
        pipeline=Pipeline.from_json(pipeline_text) if pipeline_text else None,
        frame=_frame(deals, schema, int(rows)),
    )


def _row_of(fields: dict[bytes, bytes], height: int) -> int | None:
    """Row of a hash; None where another program wrote it, which ``check`` finds, or a commit of the meantime did."""
    try:
        row = int(fields.get(b"_row", b"-1"))
    except ValueError:
        return None
    return row if 0 <= row < height else None


def _frame(
    deals: dict[int, tuple[str, dict[bytes, bytes]]], schema: Schema, height: int
) -> pl.DataFrame:
    columns: dict[str, list[str | None]] = {name: [None] * height for name in schema}
    for row, (deal_id, fields) in deals.items():
        for name, text in fields.items():
            column = columns.get(name.decode(errors="replace"))
            if column is not None:
                column[row] = text.decode(errors="replace")
        columns["id"][row] = deal_id
    return decode_frame(columns, schema.fields)
