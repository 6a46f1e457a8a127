"""The past: what happened to a deal, and the collection as it was at a moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from dealdb.connection import Link
from dealdb.store.checkpoint import read_checkpoint
from dealdb.store.history import read_history
from dealdb.store.keys import Keys
from dealdb.store.log import Entry
from dealdb.store.manifest import read_manifest
from dealdb.store.replica import Replica

HISTORY_SCHEMA: dict[str, pl.DataType] = {
    "seq": pl.Int64(),
    "when": pl.Datetime("ms", "UTC"),
    "who": pl.String(),
    "change": pl.String(),
    "field": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# entries folded at a time: bounds the memory of a long history
_FOLD_ENTRIES = 500


def history_of(link: Link, keys: Keys, deal_id: str) -> pl.DataFrame:
    """
    Every change of one deal, oldest first.

    Returns
    -------
    polars.DataFrame
        A row for each field that a commit changed: ``seq`` and ``when`` of the commit, ``who``, ``change``
        (``inserted``, ``updated``, ``deleted``), ``field``, and its text ``before`` and ``after``. A deal that is
        inserted without fields, or deleted, has one row without a field.

    Raises
    ------
    StoreDamaged
        If a part of the history is missing.

    Cost
    ----
    A read of the whole history: one round trip a segment, and one for every 500 commits in the log.
    """
    needle = deal_id.encode()
    rows: list[tuple[object, ...]] = []
    fields: dict[str, str] | None = None
    for entry in _entries(link, keys):
        if needle not in entry.data or entry.kind not in ("set", "mend", "delete"):
            continue
        ids, names, columns = entry.change
        if deal_id not in ids:
            continue
        place = ids.index(deal_id)
        given = {name: column[place] for name, column in zip(names, columns, strict=True)}
        about = (entry.position.seq, _moment(entry), entry.actor)
        if entry.kind == "delete":
            rows.append((*about, "deleted", None, None, None))
            fields = None
        else:
            change = "inserted" if fields is None else "updated"
            changed = _changes(fields or {}, given)
            rows += [(*about, change, *row) for row in changed]
            if fields is None and not changed:
                rows.append((*about, change, None, None, None))
            fields = {n: t for n, t in {**(fields or {}), **given}.items() if t is not None}
    return pl.DataFrame(rows, schema=HISTORY_SCHEMA, orient="row")


def _changes(
    before: dict[str, str], given: dict[str, str | None]
) -> list[tuple[str, str | None, str | None]]:
    return [
        (name, before.get(name), text) for name, text in given.items() if before.get(name) != text
    ]


def replica_as_of(link: Link, keys: Keys, when: datetime | date) -> Replica:
    """
    Replica of the collection as it was at a moment; commits of that very moment are in it.

    Parameters
    ----------
    when
        A datetime (without a zone: UTC), or a date, which means the end of that day, UTC.

    Raises
    ------
    StoreDamaged
        If the moment can't be reached because a part of the history is missing.

    Cost
    ----
    A checkpoint where one is old enough, and a read of the history since then, or of all of it.
    """
    until = _last_ms(when)
    manifest = read_manifest(link, keys)
    segments = manifest.history if manifest else ()
    for generation in manifest.generations if manifest else ():
        if generation.time_ms <= until:
            replica = read_checkpoint(link, generation)
            if replica is not None:
                _fold(
                    replica,
                    read_history(link, keys, segments, since=generation.position.seq),
                    until,
                )
                return replica
    replica = Replica()
    _fold(replica, read_history(link, keys, segments), until)
    return replica


def _fold(replica: Replica, entries: Iterator[Entry], until: int) -> None:
    page: list[Entry] = []
    for entry in entries:
        if entry.time_ms > until:
            break
        page.append(entry)
        if len(page) == _FOLD_ENTRIES:
            replica.apply(page)
            page = []
    replica.apply(page)


def _entries(link: Link, keys: Keys) -> Iterator[Entry]:
    manifest = read_manifest(link, keys)
    return read_history(link, keys, manifest.history if manifest else ())


def _moment(entry: Entry) -> datetime:
    return _EPOCH + timedelta(milliseconds=entry.time_ms)


def _last_ms(when: datetime | date) -> int:
    if not isinstance(when, datetime):
        when = datetime.combine(when, time.max, UTC)
    moment = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)
