"""
The commits of a collection as docs/protocol.md describes them: read from the log and from the sealed history.

Nothing here comes from dealdb: what it writes is judged by a second reading of the page that says what it should write.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import polars as pl
import redis

COLLECTION = "deal"
_CHUNK_ROWS = 65_536


class Damaged(Exception):
    """What the server has is not what the protocol says."""


class Entry(NamedTuple):
    """One commit; of ``add``, ``data`` is an Arrow stream, or None where ``deals`` was put together from chunks."""

    seq: int
    hash: bytes
    time: int
    writer: str
    counter: int
    actor: str
    kind: str
    height: int
    rows: bytes
    data: bytes | None
    deals: pl.DataFrame | None = None

    @property
    def added(self) -> pl.DataFrame:
        """Of an ``add``: the deals as texts, ``id`` first."""
        if self.deals is not None:
            return self.deals
        return pl.read_ipc_stream(io.BytesIO(self.data or b""))

    def follows(self, before: bytes) -> bool:
        """Whether its chain hash is the one behind ``before``; the first commit's is the genesis."""
        parts = f" {self.seq} {self.writer} {self.counter} {self.time}".encode()
        return hashlib.sha1(before + parts).hexdigest()[:16].encode() == self.hash


def entry_of(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """An entry of the log as XRANGE gives it."""
    return Entry(
        int(entry_id.partition(b"-")[0]),
        fields[b"hash"],
        int(fields[b"time"]),
        fields[b"writer"].decode(),
        int(fields[b"counter"]),
        fields[b"actor"].decode(),
        fields[b"kind"].decode(),
        int(fields[b"height"]),
        fields[b"rows"],
        fields[b"data"],
    )


def read_log(client: redis.Redis, after: int, count: int = 1000) -> list[Entry]:
    """Entries from the one with the number ``after`` on, itself included; from the first there is for 0."""
    start = f"{after}-0" if after else "-"
    found: Any = client.xrange(f"{COLLECTION}s:log", start, "+", count=count)
    return [entry_of(*item) for item in found]


# the sealed history ----------------------------------------------------------------------------------------------


def read_sealed(client: redis.Redis, first: int = 1) -> Iterator[Entry]:
    """
    Sealed entries from a number on, in order.

    Raises
    ------
    Damaged
        If a segment or chunk is missing or is not what the manifest says.
    """
    text: Any = client.get(f"{COLLECTION}s:checkpoint")
    if text is None:
        return
    manifest = json.loads(text)
    if manifest["format"] != 2:
        raise Damaged(f"the manifest has format {manifest['format']}, of which this knows nothing")
    for key, digest, begin, last, columns, *_extent in manifest["history"]:
        if last < first:
            continue
        blob = _verified(client, key, digest)
        entries = list(_unsealed(client, blob, columns))
        numbers = [entry.seq for entry in entries]
        if numbers != list(range(begin, last + 1)):
            raise Damaged(f"{key} has {len(numbers)} commits, {numbers[:1]} to {numbers[-1:]}")
        yield from (entry for entry in entries if entry.seq >= first)


def _verified(client: redis.Redis, key: str, digest: str) -> bytes:
    blob: Any = client.get(key)
    if blob is None:
        raise Damaged(f"{key} is missing")
    if not hashlib.sha256(blob).hexdigest().startswith(digest):
        raise Damaged(f"{key} is not what the manifest says")
    return bytes(blob)


def _unsealed(client: redis.Redis, blob: bytes, columns: Any) -> Iterator[Entry]:
    chunks = _Chunks(client, columns) if columns else None
    for row in pl.read_ipc(io.BytesIO(blob)).iter_rows(named=True):
        deals = None
        if row["n"] is not None:
            if chunks is None:
                raise Damaged(f"commit {row['seq']} has its deals in no chunks")
            deals = chunks.texts(["id", *row["fields"]], row["height"], row["n"])
        yield Entry(
            row["seq"], row["hash"], row["time_ms"], row["writer"], row["counter"], row["actor"],
            row["kind"], row["height"], row["rows"], row["data"], deals,
        )  # fmt: skip


class _Chunks:
    """Columns of a checkpoint, of which sealed entries have their deals."""

    def __init__(self, client: redis.Redis, columns: Mapping[str, Any]) -> None:
        self._client = client
        self._first: int = columns["first"]
        self._chunks: Mapping[str, Sequence[str]] = columns["chunks"]
        self._types = schema_of(columns["schema"])
        self._read: dict[str, pl.Series] = {}

    def texts(self, fields: Iterable[str], row: int, n: int) -> pl.DataFrame:
        return pl.DataFrame({f: self._column(f).slice(row - self._first, n) for f in fields})

    def _column(self, field: str) -> pl.Series:
        if field not in self._read:
            parts = [self._chunk(digest) for digest in self._chunks[field]]
            self._read[field] = texts_of(pl.concat(parts), self._types[field])
        return self._read[field]

    def _chunk(self, digest: str) -> pl.Series:
        blob = _verified(self._client, f"{COLLECTION}s:chunk:{digest}", digest)
        return pl.read_parquet(io.BytesIO(blob))["values"]


# values ----------------------------------------------------------------------------------------------------------


def schema_of(text: str | bytes) -> dict[str, str]:
    """Type by field, ``id`` first."""
    return {name: kind for name, kind, _ in json.loads(text)["fields"]}


def texts_of(values: pl.Series, kind: str) -> pl.Series:
    """A typed column as the texts that the protocol gives its values."""
    if kind == "decimal":
        text = values.cast(pl.String)
        return text.str.replace(r"(\.\d*?)0+$", "$1").str.replace(r"\.$", "")
    if kind == "datetime":
        text = values.dt.replace_time_zone(None).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
        return text.str.replace(r"0+$", "").str.replace(r"\.$", "") + "Z"
    if kind in ("list", "float"):
        raise NotImplementedError(f"the runs have no fields of type {kind}")
    return values.cast(pl.String)


# what was collected while it was written -------------------------------------------------------------------------


def write_entries(entries: Iterable[Entry]) -> bytes:
    """Entries as bytes of a file that ``read_entries`` reads; ``deals`` in the form of ``data``."""
    return b"".join(msgpack.packb(tuple(_plain(entry))[:-1]) for entry in entries)


def _plain(entry: Entry) -> Entry:
    if entry.deals is None:
        return entry
    stream = io.BytesIO()
    entry.deals.write_ipc_stream(stream)
    return entry._replace(data=stream.getvalue(), deals=None)


def read_entries(path: Path) -> Iterator[Entry]:
    with path.open("rb") as file:
        for fields in msgpack.Unpacker(file, max_buffer_size=2**31 - 1):
            yield Entry(*fields)
