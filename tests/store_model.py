"""
A plain model of one collection: what the hashes hold, and what the log says of each row.

Both are dictionaries of texts. As long as only dealdb writes they say the same; what another program writes is in the
hashes alone until it is adopted, and ``differences`` is what a check has to find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgpack
import polars as pl

from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.upkeep.check import Difference, Problem

Texts = dict[str, str]
View = list[tuple[str, Texts]]
# change, field, before, after
Event = tuple[str, str | None, str | None, str | None]
# a revision that the model can't tell: it is taken from the server
ANY = "any"


def text_of(value: object) -> str:
    """The one text of a value."""
    match value:
        case bool():
            return str(value).lower()
        case Decimal():
            text = f"{value:f}"
            text = text.rstrip("0").rstrip(".") if "." in text else text
            return "0" if text == "-0" else text
        case datetime():
            text = value.astimezone(UTC).replace(tzinfo=None).isoformat()
            return (text.rstrip("0") if value.microsecond else text) + "Z"
        case date():
            return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)


def view_of(frame: pl.DataFrame) -> View:
    """Deals of a frame as texts; one that is there twice is in it twice."""
    return sorted(
        (
            (row["id"], {n: text_of(v) for n, v in row.items() if v is not None and n != "id"})
            for row in frame.to_dicts()
        ),
        key=_order,
    )


def _order(deal: tuple[str, Texts]) -> tuple[str, list[tuple[str, str]]]:
    return deal[0], sorted(deal[1].items())


def canonical(text: str, column: Field | None) -> str | None:
    """Text as dealdb writes it; None when it is none of the column's type."""
    if column is not None and column.type is FieldType.DECIMAL:
        try:
            return text_of(Decimal(text))
        except InvalidOperation:
            return None
    return text


def stamp_of(time_ms: int) -> str:
    return text_of(datetime.fromtimestamp(time_ms // 1000, UTC))


@dataclass
class Model:
    """
    State of a collection.

    Attributes
    ----------
    hashes
        Texts of each deal's hash by field, ``_row`` and ``_rev`` among them.
    rows
        Deal and texts of each row, as a fold of the log has them.
    height
        Rows that were ever given out.
    deals
        Deals that commits inserted, less those that they deleted.
    has_shared_rows
        Whether a row has ever had two deals, which happens where another program copies a hash with its row: what is
        told by id and what is told by row are two things from then on.
    """

    hashes: dict[str, Texts] = field(default_factory=dict)
    rows: dict[int, tuple[str, Texts]] = field(default_factory=dict)
    height: int = 0
    deals: int = 0
    has_shared_rows: bool = False
    _events: dict[str, list[Event]] = field(default_factory=dict)
    _told: dict[str, tuple[int, Texts]] = field(default_factory=dict)

    def copy(self) -> Model:
        return deepcopy(self)

    # what there is -----------------------------------------------------------------------------

    def view(self, schema: Schema) -> View:
        """Deals as every replica has to show them."""
        return sorted(
            (
                (
                    deal,
                    {
                        n: t
                        for n, text in texts.items()
                        if n in schema and (t := canonical(text, schema[n])) is not None
                    },
                )
                for deal, texts in self.rows.values()
            ),
            key=_order,
        )

    def row_of(self, deal: str) -> int | None:
        """Row that the hash has, if it is one that the log has given out."""
        try:
            row = int(self.hashes.get(deal, {}).get("_row", "-1"))
        except ValueError:
            return None
        return row if 0 <= row < self.height else None

    def rev_of(self, deal: str) -> int:
        return int(self.hashes[deal]["_rev"]) if self.row_of(deal) is not None else 0

    def is_told_alike(self) -> bool:
        """
        Whether what is told by id and what is told by row are the same deals.

        Where another program replaced a hash, the deal has another row, and the one before is a leftover.
        """
        rows = ((self._told.get(deal, (None,))[0], row) for row, (deal, _) in self.rows.items())
        return not self.has_shared_rows and all(last == row for last, row in rows)

    def events(self, deal: str) -> list[Event]:
        return self._events.get(deal, [])

    # what commits do ---------------------------------------------------------------------------

    def set(
        self,
        changes: Mapping[str, Mapping[str, str | None]],
        *,
        seq: int,
        stamp: str,
        pipeline: Pipeline | None = None,
    ) -> list[str]:
        """Save deals; returns the outcome of each. With the pipeline, somebody does so by hand."""
        known = {deal: self.row_of(deal) for deal in changes}
        outcomes = []
        for deal, given in changes.items():
            before, row = self.hashes.get(deal, {}), known[deal]
            if row is not None and all(before.get(n) == t for n, t in given.items()):
                outcomes.append("unchanged")
                continue
            outcomes.append("inserted" if row is None else "updated")
            if pipeline is not None:
                # such a commit has what it clears behind what it sets
                given = dict(sorted(given.items(), key=lambda item: item[1] is None))
                given = {**given, **closing(before, given, pipeline, stamp[:10])}
            stamped = {} if row is None or "updated" in given else {"updated": stamp}
            row = self._place(row)
            self._tell(deal, row, given, stamped)
            self._write(deal, row, {**given, **stamped}, str(seq))
        return outcomes

    def mend(
        self, deals: Mapping[str, int], sources: Mapping[str, str | None], *, rev: str = ANY
    ) -> int:
        """Commit fields as the hashes have them under a source; returns the number of deals changed."""
        changed = 0
        for deal, mark in deals.items():
            before = self.hashes.get(deal)
            if before is None:
                continue
            given = {n: before.get(s) if s else None for n, s in sources.items()}
            if not mark and all(before.get(n) == t for n, t in given.items()):
                continue
            changed += 1
            row = self._place(self.row_of(deal) if mark < 2 else None)
            self._tell(deal, row, given)
            self._write(deal, row, given, rev)
        return changed

    def adopt(self, deals: Mapping[str, int], schema: Schema) -> int:
        """Commit hashes as they are; 2 for a deal that carries a row which is not its own."""
        names = {name: name for name in schema if name != "id"}
        return self.mend(deals, names)

    def delete(self, deal: str) -> bool:
        """Delete a deal that the log knows."""
        row = self.row_of(deal)
        if row is None:
            return False
        self._drop(deal, row)
        del self.hashes[deal]
        return True

    def remove(self, deal: str, row: int) -> None:
        """Delete from the log a row that the hash has not."""
        if row != self.row_of(deal):
            self._drop(deal, row)

    def move(self, old: str, new: str | None) -> None:
        """Rename a column, or drop it."""
        sources: dict[str, str | None] = {new: old, old: None} if new else {old: None}
        self.mend({deal: 0 for deal, texts in self.rows.values() if old in texts}, sources)

    def commit(
        self, kind: str, payload: bytes, *, seq: int, stamp: str, pipeline: Pipeline | None
    ) -> None:
        """A commit as it was sent; with the pipeline where it was one by hand."""
        if kind not in ("set", "mend", "delete"):
            return
        ids, *rest = msgpack.unpackb(payload)
        match kind, rest:
            case "set", [fields, columns]:
                texts = zip(*columns, strict=True) if columns else [()] * len(ids)
                changes = {
                    deal: dict(zip(fields, values, strict=True))
                    for deal, values in zip(ids, texts, strict=True)
                }
                self.set(changes, seq=seq, stamp=stamp, pipeline=pipeline)
            case "mend", [fields, sources, marks]:
                given = dict(zip(fields, sources, strict=True))
                self.mend(dict(zip(ids, marks, strict=True)), given, rev=str(seq))
            case "delete", [rows]:
                for deal, row in zip(ids, rows, strict=True):
                    self.remove(deal, row)
            case _:
                for deal in ids:
                    self.delete(deal)

    def _place(self, row: int | None) -> int:
        if row is None:
            row = self.height
            self.height += 1
            self.deals += 1
        return row

    def _write(self, deal: str, row: int, given: Mapping[str, str | None], rev: str) -> None:
        of_hash = self.hashes.get(deal, {})
        after = {n: t for n, t in {**of_hash, **given}.items() if t is not None}
        self.hashes[deal] = {**after, "_row": str(row), "_rev": rev}
        owner, of_row = self.rows.get(row, (deal, {}))
        self.has_shared_rows |= owner != deal
        self.rows[row] = (deal, {n: t for n, t in {**of_row, **given}.items() if t is not None})

    def _drop(self, deal: str, row: int) -> None:
        self.deals -= 1
        owner, _ = self.rows.pop(row, (deal, {}))
        self.has_shared_rows |= owner != deal
        if deal in self._told and self._told[deal][0] == row:
            del self._told[deal]
            self._events[deal].append(("deleted", None, None, None))

    def _tell(
        self,
        deal: str,
        row: int,
        given: Mapping[str, str | None],
        stamped: Mapping[str, str] | None = None,
    ) -> None:
        """Note what the history of the deal has to say; a stamp has no row, and is what a later change replaces."""
        told = self._told.get(deal)
        fresh = told is None or told[0] != row
        before: Texts = {} if told is None or fresh else told[1]
        events: list[Event] = [
            ("inserted" if fresh else "updated", name, before.get(name), text)
            for name, text in given.items()
            if before.get(name) != text
        ]
        if fresh and not events:
            events.append(("inserted", None, None, None))
        self._events.setdefault(deal, []).extend(events)
        texts = {**before, **given, **(stamped or {})}
        self._told[deal] = (row, {n: t for n, t in texts.items() if t is not None})

    # what other programs did ---------------------------------------------------------------------

    def differences(self, schema: Schema) -> frozenset[Difference]:
        """What a check has to report."""
        found = {
            Difference(deal=deal, problem=Problem.VANISHED)
            for deal, _ in self.rows.values()
            if deal not in self.hashes
        }
        for deal, texts in self.hashes.items():
            own = {str(row): t for row, (owner, t) in self.rows.items() if owner == deal}
            if "_row" not in texts:
                found.add(Difference(deal=deal, problem=Problem.UNLOGGED))
            elif texts["_row"] not in own:
                found.add(Difference(deal=deal, problem=Problem.MISPLACED))
            else:
                found |= set(_compare(deal, texts, own[texts["_row"]], schema))
                if len(own) > 1:
                    found.add(Difference(deal=deal, problem=Problem.DOUBLED))
        return frozenset(found)

    def repair(self, schema: Schema, found: Iterable[Difference]) -> tuple[int, int]:
        """Adopt the differences; returns the number of deals adopted and removed."""
        marks: dict[str, int] = {}
        for difference in found:
            if difference.problem in (Problem.UNLOGGED, Problem.CHANGED):
                marks.setdefault(difference.deal, 1)
            elif difference.problem is Problem.MISPLACED:
                marks[difference.deal] = 2
        adopted = self.adopt(marks, schema)
        affected = {difference.deal for difference in found}
        for row, (deal, _) in list(self.rows.items()):
            if deal in affected:
                self.remove(deal, row)
        self.deals = len(self.rows)
        return adopted, sum(difference.problem is Problem.VANISHED for difference in found)

    def renumber(self, rows: Callable[[str], int | None], since: int) -> None:
        """Take over the order in which the server gave out the rows from ``since`` on."""
        fresh = {row: self.rows.pop(row) for row in list(self.rows) if row >= since}
        places = {row: rows(deal) for row, (deal, _) in fresh.items()}
        assert sorted(p for p in places.values() if p is not None) == sorted(fresh), "rows"
        for row, (deal, texts) in fresh.items():
            place = places[row]
            assert place is not None
            self.rows[place] = (deal, texts)
            self.hashes[deal]["_row"] = str(place)
            self._told[deal] = (place, self._told[deal][1])


def closing(
    before: Mapping[str, str], given: Mapping[str, str | None], pipeline: Pipeline, day: str
) -> Mapping[str, str | None]:
    """What a change by hand says of `closed` though it does not give it."""
    if not pipeline.closes or "closed" in given or "stage" not in given:
        return {}
    kinds: dict[str | None, Kind] = {stage.name: stage.kind for stage in pipeline}
    was, becomes = (kinds.get(it, Kind.OPEN) for it in (before.get("stage"), given["stage"]))
    if was is becomes:
        return {}
    return {"closed": None if becomes is Kind.OPEN else day}


def _compare(deal: str, texts: Texts, logged: Texts, schema: Schema) -> Iterable[Difference]:
    columns = {n for n in texts.keys() | logged.keys() if not n.startswith("_") and n != "id"}
    for name in columns:
        column = schema.get(name)
        text, known = texts.get(name), logged.get(name)
        actual = None if text is None else canonical(text, column)
        expected = None if known is None or column is None else canonical(known, column)
        if text is not None and actual is None and expected is None:
            yield Difference(deal=deal, problem=Problem.UNREADABLE, field=name)
        elif actual != expected:
            yield Difference(deal=deal, problem=Problem.CHANGED, field=name)


def as_texts(flat: Sequence[bytes]) -> Texts:
    """A hash as HGETALL has it."""
    texts = [part.decode() for part in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def is_by_hand(command: Sequence[Any]) -> bool:
    """Whether a commit says that somebody changes the deal."""
    hand = command[3 + int(command[2]) + 11 :][:1]
    return bool(hand) and str(hand[0]).startswith("hand")


def parts_of(command: Sequence[Any]) -> tuple[str, int, str, bytes]:
    """Writer, counter, kind and payload of a commit as it is sent."""
    first = 3 + int(command[2])
    payload = command[first + 8]
    return (
        command[first],
        int(command[first + 1]),
        command[first + 4],
        payload.encode() if isinstance(payload, str) else payload,
    )
