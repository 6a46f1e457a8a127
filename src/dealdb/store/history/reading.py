"""The past: what happened to a deal, and the collection as it was at a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from hashlib import sha1

import polars as pl

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.archive.segments import ChunkLost, SealedRows, Segment, read_segment, unseal
from dealdb.store.checkpoint.write import read_checkpoint
from dealdb.store.history.last_commit import end_of, last_until
from dealdb.store.keys import Keys
from dealdb.store.log.entry import DEAL_KINDS, Entry, Position
from dealdb.store.log.reader import HistoryReset, has_position, read_from
from dealdb.store.replica.replica import Replica

HISTORY_SCHEMA: dict[str, pl.DataType] = {
    "seq": pl.Int64(),
    "when": pl.Datetime("ms", "UTC"),
    "who": pl.String(),
    "change": pl.String(),
    "field": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
}
CHANGES_SCHEMA: dict[str, pl.DataType] = {
    **{name: HISTORY_SCHEMA[name] for name in ("seq", "when", "who")},
    "id": pl.String(),
    **{name: HISTORY_SCHEMA[name] for name in ("change", "field", "before", "after")},
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# entries folded at a time: bounds the memory of a long history
_FOLD_ENTRIES = 500
# each try without a single commit means that a checkpoint moved or merged what is sealed, or that a part is gone
_MAX_TRIES = 3


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
    A read of the whole history: one round trip a segment and for each of the columns that hold its bulk loads, and one
    for every MiB of the log.
    """
    rows: list[tuple[object, ...]] = []
    fields: dict[str, str] | None = None
    present: int | None = None
    for entry in read_history(link, keys, only=deal_id):
        if entry.kind not in DEAL_KINDS or not entry.may_concern(deal_id):
            continue
        ids, names, columns = entry.change
        about = (entry.position.seq, moment_of(entry), entry.actor)
        for place, row in [(p, r) for p, r in enumerate(entry.rows) if ids[p] == deal_id]:
            if entry.kind == "delete":
                # another row is a left-over, of a hash that another program replaced
                if row == present:
                    rows.append((*about, "deleted", None, None, None))
                    present = None
                continue
            if row != present:
                fields = None
            given = {name: column[place] for name, column in zip(names, columns, strict=True)}
            change = "inserted" if fields is None else "updated"
            changed = _changes(fields or {}, given)
            rows += [(*about, change, *values) for values in changed]
            if fields is None and not changed:
                rows.append((*about, change, None, None, None))
            present = row
            fields = {n: t for n, t in {**(fields or {}), **given}.items() if t is not None}
    return pl.DataFrame(rows, schema=HISTORY_SCHEMA, orient="row")


def changes_of(link: Link, keys: Keys, until: int) -> pl.DataFrame:
    """
    Every change of every deal up to a commit, oldest first: the rows of ``history_of`` with the deal's ``id``.

    Raises
    ------
    StoreDamaged
        If a part of the history is missing.

    Cost
    ----
    A read of the whole history, some 5 seconds for each million changed fields, and memory for all deals.
    """
    columns: dict[str, list[object]] = {name: [] for name in CHANGES_SCHEMA}
    deals: dict[str, tuple[int, dict[str, str]]] = {}
    for entry in read_history(link, keys):
        if entry.position.seq > until:
            break
        if entry.kind not in DEAL_KINDS:
            continue
        about = (entry.position.seq, moment_of(entry), entry.actor)
        for row in _changes_in(entry, deals):
            for column, value in zip(columns.values(), (*about, *row), strict=True):
                column.append(value)
    return pl.DataFrame(columns, schema=CHANGES_SCHEMA)


def _changes_in(
    entry: Entry, deals: dict[str, tuple[int, dict[str, str]]]
) -> Iterator[tuple[str | None, ...]]:
    """Id, change, field, before and after of one commit, which is applied to ``deals`` on the way."""
    ids, names, texts = entry.change
    for place, (deal_id, row) in enumerate(zip(ids, entry.rows, strict=True)):
        known = deals.get(deal_id)
        before = known[1] if known and known[0] == row else None
        if entry.kind == "delete":
            # another row is a left-over, of a hash that another program replaced
            if before is not None:
                yield (deal_id, "deleted", None, None, None)
                del deals[deal_id]
            continue
        given = {name: column[place] for name, column in zip(names, texts, strict=True)}
        change = "inserted" if before is None else "updated"
        changed = _changes(before or {}, given)
        for values in changed:
            yield (deal_id, change, *values)
        if before is None and not changed:
            yield (deal_id, change, None, None, None)
        after = {n: t for n, t in {**(before or {}), **given}.items() if t is not None}
        deals[deal_id] = (row, after)


def _changes(
    before: dict[str, str], given: dict[str, str | None]
) -> list[tuple[str, str | None, str | None]]:
    return [
        (name, before.get(name), text) for name, text in given.items() if before.get(name) != text
    ]


def replica_as_of(link: Link, keys: Keys, when: datetime | date) -> Replica:
    """
    Replica of the collection as it was after the last commit that was made until a moment, that moment included.

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
    That of ``last_until``; then a checkpoint where one is old enough, and a read of the history since then, or of all
    of it.
    """
    until = last_until(link, keys, end_of(when))
    manifest = read_manifest(link, keys) if until else None
    for generation in manifest.generations if manifest else ():
        if generation.position.seq <= until:
            replica = read_checkpoint(link, keys, generation)
            if replica is not None:
                _fold(replica, read_history(link, keys, since=generation.position), until)
                return replica
    replica = Replica()
    if until:
        _fold(replica, read_history(link, keys), until)
    return replica


def _fold(replica: Replica, entries: Iterator[Entry], until: int) -> None:
    page: list[Entry] = []
    for entry in entries:
        if entry.position.seq > until:
            break
        page.append(entry)
        if len(page) == _FOLD_ENTRIES:
            replica.apply(page)
            page = []
    replica.apply(page)


def read_history(
    link: Link, keys: Keys, *, since: Position | None = None, only: str | None = None
) -> Iterator[Entry]:
    """
    Every commit after ``since`` in order: the sealed ones, then those in the log.

    With ``only``, the id of a deal, bulk commits may come without the other deals.

    Each must follow the one before by number and by chain hash.

    Raises
    ------
    StoreDamaged
        If a stretch of the history is missing or not what was sealed.

    Cost
    ----
    One round trip and one for each segment, and one for every MiB of the log.
    """
    last = since or Position()
    n_tries = 0
    while n_tries < _MAX_TRIES:
        n_tries += 1
        try:
            for entry in _stretch(link, keys, last.seq, only):
                if not follows(last, entry):
                    # a checkpoint of the meantime trimmed the log? Then what was there is sealed by now
                    break
                last, n_tries = entry.position, 0
                yield entry
            else:
                return
        except HistoryReset:
            # the same between two pages of the log, as long as it is still this history
            if not is_known(link, keys, last):
                raise
    msg = (
        f"{link.settings.where}: the history of {keys.collection!r} is incomplete after commit {last.seq}: "
        "its log or a sealed segment was removed; present deals are not affected"
    )
    raise StoreDamaged(msg)


def is_known(link: Link, keys: Keys, position: Position) -> bool:
    """
    Whether a position is one of the history that the server has now, in the log or sealed.

    Cost
    ----
    One round trip; two more where it is not in the log.
    """
    if not position.seq or has_position(link, keys.log, position):
        return True
    manifest = read_manifest(link, keys)
    for segment in manifest.history if manifest else ():
        if segment.first <= position.seq <= segment.last:
            return any(e.position == position for e in _unsealed(link, segment, None))
    return False


def _unsealed(
    link: Link, segment: Segment, held: SealedRows | None, only: str | None = None
) -> Iterator[Entry]:
    """Entries of a segment; none where it is missing or not what was sealed."""
    frame = read_segment(link, segment)
    if frame is not None:
        yield from unseal(frame, held, only)


def _stretch(link: Link, keys: Keys, seq: int, only: str | None) -> Iterator[Entry]:
    """Commits after ``seq`` as far as they are found, from the manifest in force."""
    manifest = read_manifest(link, keys)
    for segment in manifest.history if manifest else ():
        if segment.last <= seq:
            continue
        held = SealedRows(link, keys, segment.columns) if segment.columns else None
        with suppress(ChunkLost):
            for entry in _unsealed(link, segment, held, only):
                if entry.position.seq > seq:
                    seq = entry.position.seq
                    yield entry
    for page in read_from(link, keys.log, seq + 1):
        yield from page


def follows(last: Position, entry: Entry) -> bool:
    """Whether a commit is the next one after a position, by number and by chain hash."""
    seq, chain = entry.position.seq, entry.position.hash
    # the first entry follows the genesis, which is the name of its writer
    before = last.hash.decode() if last.seq else entry.writer
    text = f"{before} {seq} {entry.writer} {entry.counter} {entry.time_ms}"
    digest = sha1(text.encode(), usedforsecurity=False).hexdigest()[:16]
    return seq == last.seq + 1 and digest.encode() == chain


def moment_of(entry: Entry) -> datetime:
    """When a commit was made, UTC."""
    return _EPOCH + timedelta(milliseconds=entry.time_ms)
