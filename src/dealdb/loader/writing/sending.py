"""Batches of a load on their way to the server, and what it says that became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from dealdb.errors import ConflictError
from dealdb.loader.progress import Meter
from dealdb.loader.store_protocol import LoadTarget
from dealdb.loader.writing.conflicts import POLICIES
from dealdb.loader.writing.delete_missing import Missing
from dealdb.loader.writing.resume import BatchPlace, Progressed, Trail
from dealdb.loader.writing.told_rows import ToldRows
from dealdb.model.schema import Field, Schema
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.change import Mark

# deals and cells in one commit: larger ones are hardly faster, and hold up everybody else for longer
DEFAULT_BATCH = 500
DEFAULT_CELLS = 2_500
# commits of new deals that are sent together: between two sendings the server waits for us
_COMMITS_AT_ONCE = 32
# fewer new deals take up less in the log as they are than as columns
_LEAST_ADDED = 16


@dataclass(frozen=True, slots=True)
class _Step:
    """
    A batch at its place in the load.

    Attributes
    ----------
    piece
        Which piece of the collection it goes to.
    place
        For the bookmark, if there is one.
    before
        Whether an earlier run has written it.
    """

    batch: Batch
    piece: int
    place: BatchPlace | None
    before: bool

    @property
    def adds(self) -> bool:
        """Whether its deals are to be written as new ones."""
        return self.batch.likely_new and len(self.batch) >= _LEAST_ADDED and not self.before


class Sender:
    """
    Writes the batches of one load in their order, and counts what became of them.

    Parameters
    ----------
    store
        The collection.
    schema
        Fields that there are.
    begun
        How far the load is at the beginning in each piece: further than nowhere where it continues another.
    on_conflict
        What happens to deals that exist.
    meter
        Notified of each batch.
    trail
        Batches that an earlier run has written; with it each commit leaves a bookmark.

    Attributes
    ----------
    news
        Whether the batch before brought new deals only.
    notes
        What was done besides.
    """

    def __init__(
        self,
        store: LoadTarget,
        schema: Schema,
        begun: Sequence[Progressed],
        on_conflict: str,
        meter: Meter,
        trail: Trail | None,
    ) -> None:
        self._store = store
        self._schema = schema
        self._begun = begun
        self._write_batch = POLICIES[on_conflict]
        # what is skipped says nothing
        tells = on_conflict in ("merge", "replace")
        self._told = [ToldRows() for _ in begun] if tells else None
        self._meter = meter
        self._trail = trail
        self._counts = [
            {"inserted": 0, "updated": 0, "unchanged": 0, "skipped": 0, **each.counts}
            for each in begun
        ]
        self._n_sent = 0
        self._n_deleted = [each.deleted or 0 for each in begun]
        self._is_announced = False
        self.news = True
        self.notes: tuple[str, ...] = ()

    @property
    def schema(self) -> Schema:
        """Fields that there are."""
        return self._schema

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows inserted, updated, unchanged and skipped."""
        return {name: sum(each[name] for each in self._counts) for name in self._counts[0]}

    @property
    def n_deleted(self) -> int:
        """Missing deals deleted, those of an earlier run included."""
        return sum(self._n_deleted)

    @property
    def n_written(self) -> int:
        """Deals that the load changed."""
        counts = self.counts
        return counts["inserted"] + counts["updated"] + self.n_deleted

    def declare(self, fields: Sequence[Field]) -> None:
        """Have the fields that the next batches need."""
        if not self._schema.version or self._schema.with_fields(fields) is not self._schema:
            self._schema = self._store.declare(fields)

    def send(
        self, batches: Sequence[Batch], bytes_done: int | None, new_stages: tuple[str, ...]
    ) -> None:
        """
        Write the batches of a chunk.

        Parameters
        ----------
        batches
            In their order.
        bytes_done
            Bytes of the source up to the end of the chunk.
        new_stages
            Stages that the load has added to the pipeline, for the bookmark.
        """
        self._announce()
        left = sum(map(len, batches))
        for steps in _together([self._step(batch) for batch in batches]):
            self._write_steps(steps, new_stages)
            for step in steps:
                n = len(step.batch)
                self._n_sent += n
                self._meter.written(n, left, bytes_done, before=step.before)
                left -= n

    def arrive(self) -> None:
        """
        See to it, behind the last batch, that an earlier run had no more than these.

        Raises
        ------
        LoadError
            If it had.
        """
        if self._trail:
            self._trail.arrive()
            # rows of batches that were skipped as a whole came with no commit
            self._counts[0]["skipped"] += self._n_sent - sum(self.counts.values())

    def tell(self) -> None:
        """Record, behind the last batch, what rows that changed nothing say of the past."""
        # a dry run has nowhere to
        n_facts = sum(
            told.record(piece, self._schema)
            for told, piece in zip(self._told or (), self._store.pieces, strict=False)
        )
        if n_facts:
            self.notes = (f"facts of rows that change nothing now: {n_facts}",)

    def by_piece(self, ids: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
        """Deals as they are deleted together, with the piece that they are in."""
        found: dict[int, list[str]] = {}
        for deal_id in ids:
            found.setdefault(self._store.piece_of(deal_id), []).append(deal_id)
        for piece, some in found.items():
            for start in range(0, len(some), DEFAULT_BATCH):
                yield piece, some[start : start + DEFAULT_BATCH]

    def delete(
        self, missing: Missing, piece: int, ids: Sequence[str], new_stages: tuple[str, ...]
    ) -> None:
        """Delete a batch of deals that the source doesn't have, but for those that somebody has changed."""
        self._announce()
        place = self._trail.place(piece) if self._trail else None
        mark = self._mark(piece, place, new_stages, deleted=self._n_deleted[piece])
        self._n_deleted[piece] += missing.delete(self._store, piece, ids, mark)

    def _announce(self) -> None:
        if self._trail and not self._is_announced:
            self._trail.begin(self._store, self._begun)
            self._is_announced = True

    def _write_steps(self, steps: Sequence[_Step], new_stages: tuple[str, ...]) -> None:
        rest = steps
        while rest:
            n_added = self._add(rest, new_stages) if rest[0].adds else 0
            # where one has deals that exist, those behind it may be new all the same, unless it was the first
            end = n_added + 1 if n_added else len(rest)
            for step in rest[n_added:end]:
                if not step.before:
                    self._write(step, new_stages)
                elif self._told:
                    for part in step.batch.parts:
                        self._told[step.piece].add(part, may_be_same=True)
            rest = rest[end:]

    def _step(self, batch: Batch) -> _Step:
        piece = self._store.piece_of(batch.ids[0]) if len(batch) else 0
        if self._trail is None:
            return _Step(batch, piece, None, before=False)
        before = self._trail.passes(piece, batch.ids)
        return _Step(batch, piece, self._trail.place(piece), before)

    def _add(self, steps: Sequence[_Step], new_stages: tuple[str, ...]) -> int:
        """Write new deals; how many of the batches, from the first on, had no other."""
        before = [0] * len(self._begun)
        marks = []
        for step in steps:
            marks.append(
                self._mark(step.piece, step.place, new_stages, inserted=before[step.piece])
            )
            before[step.piece] += len(step.batch)
        n_added = self._store.add(self._schema, [step.batch for step in steps], marks)
        for step in steps[:n_added]:
            self._counts[step.piece]["inserted"] += len(step.batch)
        self.news = n_added == len(steps)
        return n_added

    def _write(self, step: _Step, new_stages: tuple[str, ...]) -> None:
        try:
            self.news = self._write_part(step, step.batch, self._mark_of(step, new_stages))
        except ConflictError:
            *parts, last = step.batch.parts
            for part in parts:
                # without a bookmark: a run that continues this one writes all parts again
                self._write_part(step, part, None)
            self._write_part(step, last, self._mark_of(step, new_stages))
            self.news = False

    def _write_part(self, step: _Step, batch: Batch, mark: Mark | None) -> bool:
        """Write some deals, and count what became of them; whether all were new."""
        written = self._write_batch(self._store, self._schema, batch, mark)
        counts = self._counts[step.piece]
        for outcome in counts:
            counts[outcome] += getattr(written, outcome)
        if self._told:
            self._told[step.piece].add(batch, may_be_same=written.unchanged > 0)
        return written.inserted == len(batch)

    def _mark_of(self, step: _Step, new_stages: tuple[str, ...]) -> Mark | None:
        return self._mark(step.piece, step.place, new_stages)

    def _mark(
        self,
        piece: int,
        place: BatchPlace | None,
        new_stages: tuple[str, ...],
        *,
        inserted: int = 0,
        deleted: int | None = None,
    ) -> Mark | None:
        """Bookmark for a commit at this place, when so many more deals of its piece are inserted."""
        if self._trail is None or place is None:
            return None
        counts = {name: n for name, n in self._counts[piece].items() if name != "skipped"}
        counts["inserted"] += inserted
        begun = self._begun[piece]
        progressed = replace(begun, counts=counts, deleted=deleted, new_stages=new_stages)
        return self._trail.mark(piece, place, progressed)


def make_ready(batches: Sequence[Batch]) -> None:
    """Do what of sending new deals needs no server."""
    for batch in batches:
        if batch.likely_new:
            batch.make_ready()


def _together(steps: Sequence[_Step]) -> Iterator[list[_Step]]:
    """Steps that go to the server together."""
    for adds, some in groupby(steps, key=lambda step: step.adds):
        run, size = list(some), _COMMITS_AT_ONCE if adds else 1
        for start in range(0, len(run), size):
            yield run[start : start + size]
