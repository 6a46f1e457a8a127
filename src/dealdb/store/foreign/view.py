"""
The hashes of another program as deals, as long as nobody has adopted them.

They are read into memory, typed as an adoption would type them. Nothing is written, and no log says what has changed:
so they are read again after a while, and never for more than a tenth of the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from dealdb.connection import Link
from dealdb.connection.fork import renew_in_child
from dealdb.model.columns import decode_column, dtype_of
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.bounds.wall import Reading, number_in
from dealdb.store.deal import Deal
from dealdb.store.foreign.frames import all_hashes, frame_of
from dealdb.store.foreign.freshness import pause_after
from dealdb.store.foreign.reading import NOT_FIELDS, Derived, Given, HashReading, ReadHashes
from dealdb.store.hashes import Hash
from dealdb.store.keys import Keys, check_format
from dealdb.store.replica.snapshot import Snapshot


def given_by(link: Link, keys: Keys) -> tuple[Given, int]:
    """What a collection says of hashes before they are read, and its last commit. One round trip."""
    names = ("schema", "pipeline", "mapping", "seq", "format")
    schema, pipeline, mapping, seq, form = link.call("HMGET", keys.meta, *names, retry=True)
    check_format(keys, form)
    with Reading(f"the schema, pipeline or mapping in {keys.meta!r}"):
        given = Given.of(
            Schema.from_json(schema) if schema else Schema.standard(),
            Pipeline.from_json(pipeline) if pipeline else Pipeline(),
            mapping,
        )
    return given, number_in(f"seq in {keys.meta!r}", seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """All hashes as they were at a moment, and until when they are shown."""

    snapshot: Snapshot
    reading: HashReading
    n_strays: int
    n_unreadable: int
    until: float


class ForeignDeals:
    """
    Deals of hashes that nobody has adopted.

    Parameters
    ----------
    link, keys
        The collection.
    read
        Knows what the hashes say.
    """

    def __init__(self, link: Link, keys: Keys, read: ReadHashes) -> None:
        self._link = link
        self._keys = keys
        self._read = read
        self._lock = threading.Lock()
        self._seen: _Seen | None = None
        renew_in_child(self)

    def renew(self) -> None:
        """Begin with a new lock in a forked child."""
        self._lock = threading.Lock()

    @property
    def is_fresh(self) -> bool:
        """Whether the hashes were read so lately that they are not read again."""
        return self._seen is not None and time.monotonic() < self._seen.until

    def snapshot(self) -> Snapshot | None:
        """
        All deals as they were when the hashes were read last; None where all hashes are in the log by now.

        Cost
        ----
        None while they are fresh; else a read of all hashes.
        """
        seen = self._look()
        return seen.snapshot if seen.n_strays else None

    @property
    def n_strays(self) -> int:
        """Number of hashes that nobody has adopted. Costs as ``snapshot`` does."""
        return self._look().n_strays

    def _look(self) -> _Seen:
        with self._lock:
            if self._seen is None or not self.is_fresh:
                self._seen = self._all()
            return self._seen

    def _all(self) -> _Seen:
        began = time.monotonic()
        given, seq = given_by(self._link, self._keys)
        raw = all_hashes(self._link, self._keys)
        reading = self._read(raw, given)
        schema = given.schema.with_fields(reading.fields)
        derived = reading.derived(raw)
        frame = typed(raw, derived, schema)
        stages = frame["stage"].cast(pl.String).drop_nulls().unique().sort()
        ended = time.monotonic()
        return _Seen(
            snapshot=Snapshot(
                frame=frame,
                schema=schema,
                pipeline=given.pipeline.covering(stages),
                seq=seq,
            ),
            reading=reading,
            n_strays=raw["_row"].null_count(),
            n_unreadable=len(derived.unreadable) + _misfits(raw, derived, frame),
            until=ended + pause_after(ended - began),
        )

    def deals(self, hashes: Mapping[str, Hash]) -> list[Deal]:
        """Deals of these hashes, as they are now. Costs as ``snapshot`` does."""
        seen = self._look()
        raw = frame_of(hashes)
        known = {*seen.snapshot.schema, *NOT_FIELDS}
        new = [Field(name, FieldType.TEXT) for name in raw.columns if name not in known]
        schema = seen.snapshot.schema.with_fields(new)
        rows = typed(raw, seen.reading.derived(raw), schema).to_dicts()
        return [Deal({n: v for n, v in row.items() if v is not None}, rev=0) for row in rows]

    def notice(self) -> str | None:
        """What to say of the deals that are shown; None where there are none. Costs as ``snapshot`` does."""
        seen = self._look()
        if not seen.n_strays:
            return None
        bad, n = seen.n_unreadable, seen.n_strays
        lost = f"; texts in them that can't be read, and are left out: {bad:,}" if bad else ""
        hashes, each = ("1 hash", "it") if n == 1 else (f"{n:,} hashes", "each")
        is_are = "is" if n == 1 else "are"
        return (
            f"{hashes} of another program {is_are} shown and not adopted, and nothing was written; "
            f"dealdb repair --adopt adopts {'it' if n == 1 else 'them'} (it adds _row and _rev to {each}){lost}"
        )


def typed(raw: pl.DataFrame, derived: Derived, schema: Schema) -> pl.DataFrame:
    """Columns of these fields, from the hashes' own texts and from what is made of others."""
    return pl.DataFrame([_column(raw, derived, field) for field in schema.fields])


def _column(raw: pl.DataFrame, derived: Derived, field: Field) -> pl.Series:
    nothing = pl.Series(field.name, [None], dtype=dtype_of(field)).new_from_index(0, raw.height)
    own = decode_column(raw[field.name], field) if field.name in raw.columns else nothing
    if field.name not in derived.texts:
        return own.alias(field.name)
    made = decode_column(derived.texts[field.name], field)
    # what has a row has the field already, as dealdb knows it
    is_new = raw["_row"].is_null() & made.is_not_null()
    return made.zip_with(is_new, own).alias(field.name)


def _misfits(raw: pl.DataFrame, derived: Derived, frame: pl.DataFrame) -> int:
    """Texts of the hashes' own fields that their types don't have."""
    own = [name for name in frame.columns if name in raw.columns and name not in derived.texts]
    return sum(frame[name].null_count() - raw[name].null_count() for name in own)
