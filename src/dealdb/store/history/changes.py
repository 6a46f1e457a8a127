"""What happened to one deal, or to every deal: the changes of each commit, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from dealdb.connection import Link
from dealdb.model.schema import Schema
from dealdb.model.values import encode
from dealdb.store.history.index.one_deal import DealHistories
from dealdb.store.history.reading import moment_of, read_history
from dealdb.store.history.told import Retold
from dealdb.store.keys import Keys
from dealdb.store.log.entry import DEAL_KINDS, Entry

_UPDATED = Schema.standard()["updated"]
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


def history_of(
    link: Link, keys: Keys, deal_id: str, known: DealHistories | None = None
) -> pl.DataFrame:
    """
    Every change of one deal, oldest first.

    Parameters
    ----------
    known
        Finds the commits of the deal; with None, and where it can't, the whole history is read.

    Returns
    -------
    polars.DataFrame
        A row for each field that a commit changed: ``seq`` and ``when`` of the commit, ``who``, ``change``
        (``inserted``, ``updated``, ``deleted``), ``field``, and its text ``before`` and ``after``. A deal that is
        inserted without fields, or deleted, has one row without a field. The stamp ``updated`` that a commit sets has
        none, as it is ``when``; a later change of that field has it as ``before``. Behind these ``at``, since when it
        was so, and ``source``. Facts that were imported have ``when`` and ``who`` of the commit that recorded
        them; where there are any, all rows are in the order of ``at``, and one that repeats what was so has no row.

    Raises
    ------
    StoreDamaged
        If a part of the history is missing.

    Cost
    ----
    That of ``DealHistories.commits_of``. Where an index is missing or damaged, a read of the whole history: one round
    trip a segment and for each of the columns that hold its bulk loads, and one for every MiB of the log.
    """
    found = known.commits_of(deal_id) if known else None
    return history_in(read_history(link, keys, only=deal_id) if found is None else found, deal_id)


def history_in(entries: Iterable[Entry], deal_id: str) -> pl.DataFrame:
    """The rows of ``history_of``, of all commits that have something of a deal, and maybe others."""
    rows: list[tuple[object, ...]] = []
    fields: dict[str, str] | None = None
    present: int | None = None
    told = Retold(deal_id)
    for each in entries:
        entry = each.with_parts()
        told.see(entry)
        about = (entry.position.seq, moment_of(entry), entry.actor)
        for row, given in entry.given_to(deal_id):
            if entry.kind == "delete":
                # another row is a leftover, of a hash that another program replaced
                if row == present:
                    rows.append((*about, "deleted", None, None, None))
                    present = None
                continue
            if row != present:
                fields = None
            change = "inserted" if fields is None else "updated"
            changed = _changes(fields or {}, given)
            rows += [(*about, change, *values) for values in changed]
            if fields is None and not changed:
                rows.append((*about, change, None, None, None))
            present = row
            fields = _after(fields or {}, given, _stamp(entry, row))
    return told.with_moments(pl.DataFrame(rows, schema=HISTORY_SCHEMA, orient="row"))


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
    told = Retold()
    for entry in read_history(link, keys, until=until):
        told.see(entry)
        if entry.kind not in DEAL_KINDS:
            continue
        about = (entry.position.seq, moment_of(entry), entry.actor)
        for row in _changes_in(entry, deals):
            for column, value in zip(columns.values(), (*about, *row), strict=True):
                column.append(value)
    return told.with_moments(pl.DataFrame(columns, schema=CHANGES_SCHEMA))


def _changes_in(
    entry: Entry, deals: dict[str, tuple[int, dict[str, str]]]
) -> Iterator[tuple[str | None, ...]]:
    """Id, change, field, before and after of one commit, which is applied to ``deals`` on the way."""
    ids, names, texts = entry.change
    for place, (deal_id, row) in enumerate(zip(ids, entry.rows, strict=True)):
        known = deals.get(deal_id)
        before = known[1] if known and known[0] == row else None
        if entry.kind == "delete":
            # another row is a leftover, of a hash that another program replaced
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
        deals[deal_id] = (row, _after(before or {}, given, _stamp(entry, row)))


def _changes(
    before: dict[str, str], given: dict[str, str | None]
) -> list[tuple[str, str | None, str | None]]:
    return [
        (name, before.get(name), text) for name, text in given.items() if before.get(name) != text
    ]


def _after(
    before: dict[str, str], given: dict[str, str | None], stamp: dict[str, str | None]
) -> dict[str, str]:
    return {n: text for n, text in {**before, **stamp, **given}.items() if text is not None}


def _stamp(entry: Entry, row: int) -> dict[str, str | None]:
    """What the commit script sets besides what it was given: deals that were there before get the time."""
    if entry.kind != "set" or row >= entry.height:
        return {}
    return {"updated": encode(moment_of(entry).replace(microsecond=0), _UPDATED)}
