"""Hashes as columns of texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import polars as pl

from dealdb.connection import Link
from dealdb.errors import SchemaError
from dealdb.model.schema import check_field_name
from dealdb.store.foreign.reading import NOT_FIELDS
from dealdb.store.hashes import Hash, scan_hashes
from dealdb.store.keys import Keys

# Python's texts are made into columns so many hashes at a time: columns take a fraction of their memory
_AT_ONCE = 10_000


def all_hashes(link: Link, keys: Keys) -> pl.DataFrame:
    """
    Every hash of the collection as ``frame_of`` has it, those with a row first, in its order, then by id.

    Cost
    ----
    Two round trips for every 1,000 keys of the database, and memory for all texts.
    """
    return frame_of_pages(scan_hashes(link, keys))


def frame_of_pages(pages: Iterable[Mapping[str, Hash]]) -> pl.DataFrame:
    """Hashes that come some at a time, one maybe twice, as ``all_hashes`` has them."""
    frames = [frame_of({})]
    some: dict[str, Hash] = {}
    for page in pages:
        some |= page
        if len(some) >= _AT_ONCE:
            frames.append(frame_of(some))
            some = {}
    frames.append(frame_of(some))
    # one that changed during the scan may have come twice
    found = pl.concat(frames, how="diagonal").unique("id", keep="last", maintain_order=True)
    number = pl.col("id").str.extract(r"^(\d{1,18})$").cast(pl.Int64)
    return found.sort(pl.col("_row").cast(pl.Int64, strict=False), number, "id", nulls_last=True)


def frame_of(hashes: Mapping[str, Hash]) -> pl.DataFrame:
    """
    Columns of texts, null where a hash has nothing: ``id``, ``_row``, ``_rev``, and each field that can be a column.

    Examples
    --------
    >>> frame_of({"7": {b"stage": b"won", b"_ttl": b"5"}}).to_dicts()
    [{'id': '7', '_row': None, '_rev': None, 'stage': 'won'}]
    """
    columns: dict[bytes, list[str | None]] = {
        b"_row": [None] * len(hashes),
        b"_rev": [None] * len(hashes),
    }
    for place, fields in enumerate(hashes.values()):
        for name, text in fields.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = [None] * len(hashes)
            column[place] = text.decode(errors="replace")
    named = {"id": pl.Series("id", list(hashes), dtype=pl.String)}
    for name, texts in columns.items():
        shown = name.decode(errors="replace")
        if shown in NOT_FIELDS - {"id"} or is_column(shown):
            named[shown] = pl.Series(shown, texts, dtype=pl.String)
    return pl.DataFrame(list(named.values()))


@lru_cache(maxsize=4096)
def is_column(name: str) -> bool:
    """Whether a hash's field is a column: ``id`` is in the key, and some names can't be one."""
    try:
        check_field_name(name)
    except SchemaError:
        return False
    # what is not UTF-8 can't be asked for by its name
    return name != "id" and "\ufffd" not in name
