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
from dealdb.store.bounds.room import check_rows
from dealdb.store.bounds.wall import Reading, number_in, time_in
from dealdb.store.hashes import scan_hashes
from dealdb.store.keys import Keys
from dealdb.store.log.reader import position_in
from dealdb.store.replica.replica import Replica

# of a row
_MOST_DIGITS = 18


def replica_from_hashes(link: Link, keys: Keys) -> Replica:
    """
    Replica from a scan, at the position that the collection had before the scan began.

    Commits of the meantime are to be applied once more: they set what they set, so that does no harm.
    """
    meta = link.call(
        "HMGET", keys.meta, "seq", "hash", "schema", "pipeline", "rows", "time", retry=True
    )
    seq, chain, schema_text, pipeline_text, rows, time_ms = meta
    with Reading(f"the schema or pipeline in {keys.meta!r}"):
        schema = Schema.from_json(schema_text)
        pipeline = Pipeline.from_json(pipeline_text) if pipeline_text else None
    height = number_in(f"rows in {keys.meta!r}", rows)
    check_rows(link, keys, height, len(schema), f"rows in {keys.meta!r}")
    deals: dict[int, tuple[str, dict[bytes, bytes]]] = {}
    for found in scan_hashes(link, keys):
        placed = {deal_id: _row_of(fields, height) for deal_id, fields in found.items()}
        deals.update({r: (deal, found[deal]) for deal, r in placed.items() if r is not None})
    return Replica(
        position=position_in(keys.meta, seq, chain),
        time_ms=time_in(f"time in {keys.meta!r}", time_ms),
        schema=schema,
        pipeline=pipeline,
        frame=_frame(deals, schema, height),
    )


def _row_of(fields: dict[bytes, bytes], height: int) -> int | None:
    """Row of a hash; None where another program wrote it, which ``check`` finds, or a commit of the meantime did."""
    try:
        row = int(fields.get(b"_row", b"-1")[:_MOST_DIGITS])
    except ValueError:
        return None
    return row if 0 <= row < height else None


def _frame(
    deals: dict[int, tuple[str, dict[bytes, bytes]]], schema: Schema, height: int
) -> pl.DataFrame:
    # only of rows that have a deal: the others may be far more
    columns: dict[str, list[str | None]] = {name: [None] * len(deals) for name in schema}
    for place, (deal_id, fields) in enumerate(deals.values()):
        for name, text in fields.items():
            column = columns.get(name.decode(errors="replace"))
            if column is not None:
                column[place] = text.decode(errors="replace")
        columns["id"][place] = deal_id
    frame = decode_frame(columns, schema.fields)
    if list(deals) == list(range(height)):
        return frame
    places = pl.Series([None], dtype=pl.UInt32).new_from_index(0, height)
    places.scatter(list(deals), pl.Series(range(len(deals)), dtype=pl.UInt32))
    return frame.select(pl.all().gather(places))
