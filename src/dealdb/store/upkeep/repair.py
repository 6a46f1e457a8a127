"""
What other programs did to the hashes: found by comparing them with the log, and adopted by commits.

A plain ``HSET deal:7 ...`` is legal, and the log has not seen it. ``check`` finds such changes without changing
anything; ``repair`` commits the hashes as they are. Both work beside concurrent commits, and can be repeated
after any interruption.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TypeVar

import msgpack
import polars as pl

from dealdb.columns import decode_column, encode_column
from dealdb.connection import Link
from dealdb.errors import SchemaError
from dealdb.schema import Field, FieldType, Schema, check_field_name
from dealdb.store.commit.change import Change, Condition
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.writers import Writers
from dealdb.store.hashes import as_dict, scan_hashes
from dealdb.store.keys import Keys
from dealdb.store.live.columns import LiveColumns
from dealdb.store.replica.snapshot import Snapshot

BATCH = 200
# sets the number of deals as of a commit; 0 when there are later ones
_COUNT = b"""
local seq = redis.call('HGET', KEYS[1], 'seq') or '0'
if seq ~= ARGV[1] then return 0 end
if seq ~= '0' then redis.call('HSET', KEYS[1], 'deals', ARGV[2]) end
return 1
"""
T = TypeVar("T")
Hash = dict[bytes, bytes]


class Problem(StrEnum):
    """What is wrong with a deal."""

    UNLOGGED = "unlogged"
    CHANGED = "changed"
    VANISHED = "vanished"
    MISPLACED = "misplaced"
    DOUBLED = "doubled"
    UNREADABLE = "unreadable"


# rows that only the log has: nothing of a hash is to be adopted
_LEFT_OVER = (Problem.VANISHED, Problem.DOUBLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """
    One difference between a deal's hash and the log.

    Attributes
    ----------
    deal
        Id of the deal.
    problem
        ``unlogged``: the log has never seen the hash. ``changed``: a field differs. ``vanished``: the hash is gone.
        ``misplaced``: the hash is a copy of another deal's. ``doubled``: the log has the deal twice, since its hash
        was removed or replaced, and then saved. ``unreadable``: a field's text is none of its type.
    field
        The field, where the problem is of one.
    """

    deal: str
    problem: Problem
    field: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """
    What a check found.

    Attributes
    ----------
    deals
        Deals that the log knows.
    differences
        By deal; empty when hashes and log agree.
    """

    deals: int
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether hashes and log agree."""
        return not self.differences


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport:
    """
    What a repair did.

    Attributes
    ----------
    adopted
        Deals whose hash is in the log now as it stands.
    removed
        Deals whose hash was gone, now deleted in the log too.
    remaining
        Differences that only a person can resolve: texts that are none of their field's type.
    """

    adopted: int
    removed: int
    remaining: tuple[Difference, ...]


class Audit:
    """Comparison of one collection's hashes with its log."""

    def __init__(
        self, link: Link, keys: Keys, definitions: Definitions, writers: Writers, live: LiveColumns
    ) -> None:
        self._link = link
        self._keys = keys
        self._definitions = definitions
        self._writers = writers
        self._live = live

    def check(self) -> CheckReport:
        """
        Compare every hash with the log.

        Cost
        ----
        Two round trips for every 1,000 keys of the database, and memory for the ids of all deals.
        """
        logged = _Logged(*self._live.snapshot_with_rows())
        seen: set[str] = set()
        suspects: set[str] = set()
        for hashes in scan_hashes(self._link, self._keys):
            seen.update(hashes)
            suspects.update(d.deal for d in _compare(hashes, logged))
        suspects.update(logged.ids - seen)
        suspects.update(logged.doubled)
        differences = [d for batch in _batches(sorted(suspects)) for d in self._settled(batch)]
        return CheckReport(deals=len(logged.ids), differences=tuple(differences))

    def _settled(self, ids: Sequence[str]) -> list[Difference]:
        """Differences of these deals that are not just a commit that happened during the comparison."""
        pending = list(ids)
        found: list[Difference] = []
        while pending:
            before = self._hashes(pending)
            logged = _Logged(*self._live.snapshot_with_rows(), only=pending)
            after = self._hashes(pending)
            # a deal that no commit touched from one read to the other can be compared with what is between
            stable = {deal for deal in pending if before.get(deal) == after.get(deal)}
            found += _compare(
                {deal: after[deal] for deal in pending if deal in stable and deal in after}, logged
            )
            gone = [deal for deal in pending if deal in stable & logged.ids and deal not in after]
            found += [
                Difference(deal=deal, problem=Problem.VANISHED)
                for deal in self._still(logged, gone)
            ]
            pending = [deal for deal in pending if deal not in stable]
        return found

    def _still(self, logged: _Logged, gone: Sequence[str]) -> Iterator[str]:
        """Those of the deals that the log has had all the while: not ones saved and deleted again in between."""
        if gone:
            now = _Logged(*self._live.snapshot_with_rows(), only=gone)
            yield from (deal for deal in gone if now.rows_of(deal) == logged.rows_of(deal))

    def _hashes(self, ids: Sequence[str]) -> dict[str, Hash]:
        replies = self._link.calls([("HGETALL", self._keys.deal(deal)) for deal in ids], retry=True)
        return {deal: as_dict(pairs) for deal, pairs in zip(ids, replies, strict=True) if pairs}

    def repair(self) -> RepairReport:
        """
        Commit what the hashes hold wherever the log says otherwise.

        Cost
        ----
        A check, and a round trip for every 200 deals that differ.
        """
        differences = self.check().differences
        affected = sorted({d.deal for d in differences})
        gone = {d.deal for d in differences if d.problem is Problem.VANISHED}
        with self._writers.beforehand():
            adopted = self._adopt([d for d in differences if d.problem not in _LEFT_OVER])
            removed = sum(len(gone & self._remove(batch)) for batch in _batches(affected))
        self._count()
        self._writers.assure()
        remaining = [d for batch in _batches(affected) for d in self._settled(batch)]
        return RepairReport(adopted=adopted, removed=removed, remaining=tuple(remaining))

    def _adopt(self, differences: Sequence[Difference]) -> int:
        by_deal: dict[str, set[Problem]] = {}
        for difference in differences:
            by_deal.setdefault(difference.deal, set()).add(difference.problem)
        # an unreadable text is in the log already, as it is: adopting it again would change nothing
        wanted = {deal: kinds for deal, kinds in by_deal.items() if kinds != {Problem.UNREADABLE}}
        return sum(
            self.adopt({deal: 2 if Problem.MISPLACED in wanted[deal] else 1 for deal in batch})
            for batch in _batches(wanted)
        )

    def adopt(self, marks: dict[str, int]) -> int:
        """
        Commit the hashes of these deals as they are; returns how many there were.

        Parameters
        ----------
        marks
            By deal, 1, or 2 for a hash that carries another deal's row.

        Cost
        ----
        Two round trips.
        """
        names = {
            name.decode(errors="replace") for h in self._hashes(list(marks)).values() for name in h
        }
        schema = self._definitions.declare(
            _unknown_fields(names, self._definitions.refresh().schema)
        )
        fields = [name for name in schema if name != "id"]
        return self.mend(list(marks), fields, fields, list(marks.values()))

    def adopt_all(self, deals: Iterable[str]) -> int:
        """Commit hashes that the log has never seen; returns how many there were. Costs as ``adopt`` for each 200."""
        return sum(self.adopt(dict.fromkeys(batch, 1)) for batch in _batches(deals))

    def mend(
        self,
        ids: Sequence[str],
        fields: Sequence[str],
        sources: Sequence[str | None],
        marks: Sequence[int],
    ) -> int:
        """Give fields the values of others of the same hash; see ``commit.lua``. Returns the deals changed."""
        while True:
            reply = self._writers.commit(
                Change(
                    kind="mend",
                    version=self._definitions.version_of(self._definitions.schema),
                    payload=msgpack.packb([list(ids), list(fields), list(sources), list(marks)]),
                    ids=ids,
                )
            )
            if reply.status != "stale":
                break
            self._definitions.refresh()
        if reply.status not in ("ok", "repeat"):
            return 0
        _, inserted, updated, _ = map(int, reply.rest[0].split())
        return inserted + updated

    def _remove(self, deals: Sequence[str]) -> set[str]:
        """Delete from the log what it has of these deals and their hashes have not; returns the deals concerned."""
        while True:
            snapshot, rows = self._live.snapshot_with_rows()
            logged = _Logged(snapshot, rows, only=deals)
            hashes = self._hashes(deals)
            left_over = [
                (deal, row)
                for deal in deals
                for row in logged.rows_of(deal)
                if str(row).encode() != hashes.get(deal, {}).get(b"_row")
            ]
            if not left_over:
                return set()
            ids = [deal for deal, _ in left_over]
            reply = self._writers.commit(
                Change(
                    kind="delete",
                    version=self._definitions.version_of(self._definitions.refresh().schema),
                    payload=msgpack.packb([ids, [row for _, row in left_over]]),
                    ids=ids,
                    # the rows are right only as long as nobody has deleted or saved the deals since
                    condition=Condition.no_commit_since(snapshot.seq),
                )
            )
            if reply.status in ("ok", "repeat", "unchanged"):
                return set() if reply.status == "unchanged" else set(ids)

    def _count(self) -> None:
        """Correct the number of deals, which counts what commits insert and delete."""
        done = 0
        while not done:
            snapshot = self._live.snapshot()
            done = self._link.call(
                "EVAL", _COUNT, 1, self._keys.meta, snapshot.seq, snapshot.height
            )


class _Logged:
    """Deals as the log has them, to be looked up by id."""

    def __init__(
        self, snapshot: Snapshot, rows: pl.Series, *, only: Sequence[str] | None = None
    ) -> None:
        self.schema = snapshot.schema
        self._frame = snapshot.frame.with_columns(rows.alias("_row"))
        if only is not None:
            self._frame = self._frame.filter(pl.col("id").is_in(only))
        self._places = {deal: place for place, deal in enumerate(self._frame["id"])}
        self.doubled: dict[str, list[int]] = {}
        if len(self._places) < self._frame.height:
            for place, deal in enumerate(self._frame["id"]):
                if self._places[deal] != place or deal in self.doubled:
                    self.doubled.setdefault(deal, []).append(place)

    @property
    def ids(self) -> set[str]:
        return set(self._places)

    def rows_of(self, deal: str) -> list[int]:
        """Rows of a deal: one, or none, or several after its hash was replaced by another program."""
        return [self._frame["_row"][place] for place in self._places_of(deal)]

    def _places_of(self, deal: str) -> list[int]:
        place = self._places.get(deal)
        return [] if place is None else self.doubled.get(deal, [place])

    def _place_of(self, deal: str, row: bytes | None) -> int | None:
        """Where the row is that the hash of a deal has."""
        places = self._places_of(deal)
        return next((p for p in places if str(self._frame["_row"][p]).encode() == row), None)

    def texts_of(self, hashes: dict[str, Hash]) -> dict[str, dict[str, str]]:
        """Texts by field of those deals that the log has in the row of their hash."""
        found = {deal: self._place_of(deal, h.get(b"_row")) for deal, h in hashes.items()}
        places = {deal: place for deal, place in found.items() if place is not None}
        part = self._frame[list(places.values())]
        columns = [encode_column(part[f.name], f).alias(f.name) for f in self.schema.fields]
        texts = pl.DataFrame(columns)
        return {
            deal: {name: text for name, text in row.items() if text is not None}
            for deal, row in zip(places, texts.iter_rows(named=True), strict=True)
        }


def _compare(hashes: dict[str, Hash], logged: _Logged) -> Iterator[Difference]:
    expected = logged.texts_of(hashes)
    for deal, fields in hashes.items():
        if b"_row" not in fields:
            yield Difference(deal=deal, problem=Problem.UNLOGGED)
        elif deal not in expected:
            yield Difference(deal=deal, problem=Problem.MISPLACED)
        else:
            if deal in logged.doubled:
                yield Difference(deal=deal, problem=Problem.DOUBLED)
            yield from _compare_fields(deal, fields, expected[deal], logged.schema)


def _compare_fields(
    deal: str, fields: Hash, expected: dict[str, str], schema: Schema
) -> Iterator[Difference]:
    actual = {
        name.decode(errors="replace"): text.decode(errors="replace")
        for name, text in fields.items()
    }
    for name in sorted(filter(_is_column, actual.keys() | expected.keys())):
        text, known = actual.get(name), expected.get(name)
        if text == known:
            continue
        field = schema.get(name)
        canonical = _canonical(text, field) if field and text is not None else text
        if canonical is None and known is None:
            yield Difference(deal=deal, problem=Problem.UNREADABLE, field=name)
        elif canonical != known:
            yield Difference(deal=deal, problem=Problem.CHANGED, field=name)


def _is_column(name: str) -> bool:
    """Whether a hash's field is a column: ``id`` stands in the key, and some names can't be one."""
    try:
        check_field_name(name)
    except SchemaError:
        return False
    return name != "id"


def _canonical(text: str, field: Field) -> str | None:
    """The text as dealdb would have written it, or None when it is none of the field's type."""
    value = decode_column(pl.Series([text], dtype=pl.String), field)
    canonical: str | None = encode_column(value, field).item()
    return canonical


def _unknown_fields(names: Iterable[str], schema: Schema) -> list[Field]:
    unknown = [name for name in sorted(names) if _is_column(name) and name not in schema]
    return [Field(name, FieldType.TEXT) for name in unknown]


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
