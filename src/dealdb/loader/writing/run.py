"""
One load: from a source of rows to acknowledged commits.

One pass decides the columns, a second one writes. What is read and encoded next overlaps with what is
being sent: at most one chunk waits, so memory stays bounded and order is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import accumulate, groupby

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import Chunk, Source
from dealdb.loader.columns.encode import Encoded, encode_chunk
from dealdb.loader.columns.plan import Options, Plan
from dealdb.loader.columns.profile import Profile
from dealdb.loader.columns.stage_flags import told
from dealdb.loader.derive.stages import StageTable
from dealdb.loader.progress import Meter, ProgressCallback
from dealdb.loader.rejects import RejectsFile
from dealdb.loader.report import LoadReport, MappedColumn
from dealdb.loader.store_protocol import LoadTarget
from dealdb.loader.writing.conflicts import POLICIES
from dealdb.loader.writing.delete_missing import Missing, refuse
from dealdb.loader.writing.dry_run import DryRun
from dealdb.loader.writing.resume import BatchPlace, Progressed, Trail
from dealdb.pipeline import Kind
from dealdb.schema import Field
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.change import Mark
from dealdb.store.commit.durability import Durability
from dealdb.store.live.during_load import Settling
from dealdb.store.live.worker import Worker
from dealdb.store.log.entry import Position

# deals and cells in one commit: larger ones are hardly faster, and hold up everybody else for longer
DEFAULT_BATCH = 500
DEFAULT_CELLS = 2_500
MAX_BATCH = 5000
# commits of new deals that are sent at once: between two sendings the server waits for us
_COMMITS_AT_ONCE = 32
# fewer new deals take up less in the log as they are than as columns
_LEAST_ADDED = 16
# sources up to this size are kept in memory between the two passes, larger ones are read twice
KEPT_BYTES = 32 * 1024 * 1024
KEPT_ROWS = 200_000
# repeated ids that the report names, and lines of each
MAX_REPEATED = 5


@dataclass(frozen=True, slots=True)
class _Step:
    """
    A batch at its place in the load.

    Attributes
    ----------
    place
        For the bookmark, if there is one.
    before
        Whether an earlier run has written it.
    """

    batch: Batch
    place: BatchPlace | None
    before: bool

    @property
    def adds(self) -> bool:
        """Whether its deals are to be written as new ones."""
        return self.batch.likely_new and len(self.batch) >= _LEAST_ADDED and not self.before


class Load:
    """One load, from its first row to its report."""

    batch_size: int | None = None
    max_errors: int | None = None
    on_conflict = "merge"
    missing: Missing | None = None
    table: StageTable | None = None
    trail: Trail | None = None
    settling: Settling | None = None
    durability: Durability | None = None
    # last commit of the collection before the load, and behind it in the end
    since = Position()

    def __init__(
        self,
        store: LoadTarget,
        source: Source,
        options: Options,
        rejected: RejectsFile,
        show: ProgressCallback,
        known: Profile | None = None,
    ) -> None:
        self._store = store
        self._source = source
        self._rejected = rejected
        self._meter = Meter(source, show)
        self._schema = store.schema()
        self._pipeline = store.pipeline()
        self._stages_before = {stage.name for stage in self._pipeline}
        # what earlier lines of a file that is followed have said about its columns stays in force
        self._profile = known.going_on(self._schema) if known else Profile(options, self._schema)
        self._plan = Plan(columns=(), mapping={}, splits_close_date=False, notes=())
        self._counts = dict.fromkeys(("inserted", "updated", "unchanged", "skipped"), 0)
        self._n_sent = 0
        self._n_deleted = 0
        self._refused = ""
        self._times_dropped: dict[str, int] = {}
        # while every id is new to the collection, rows can be written in their order whatever they give
        self._all_new = self._was_empty = store.count() == 0
        # whether the batch before brought new deals only
        self._news = True
        # a hash of 8 bytes an id, to count repeated ids without holding them
        self._id_hashes: list[pl.Series] = []
        # the rows once more, where the source has them
        self._again: Callable[[], Iterable[Chunk]] = list

    @property
    def profile(self) -> Profile:
        """What the rows have said about the columns."""
        return self._profile

    def run(self) -> None:
        """Write every row that can be written."""
        if self.trail and self.trail.reached:
            self._go_on(self.trail.reached)
        with Worker("dealdb-load", self._store.depend) as sender:
            sending: Future[None] | None = None
            for chunk in self._planned_chunks():
                encoded = self._encode(chunk)
                batches = self._batches(encoded)
                if sending:
                    sending.result()
                self._declare(encoded.fields)
                sending = sender.submit(self._send, batches, chunk.bytes_done)
                self._tell_written()
            if sending:
                sending.result()
            if self.trail:
                self.trail.arrive()
                # rows of batches that were skipped as a whole came with no commit
                self._counts["skipped"] += self._n_sent - sum(self._counts.values())
            if self.missing:
                self._delete(self.missing, sender)
            self.since = sender.submit(self._store.confirm, self.since, self.durability).result()
            self._tell_written()
        if self.trail:
            self.trail.end(self._store)

    def _tell_written(self) -> None:
        if self.settling:
            self.settling.written(self.n_written)

    def _go_on(self, reached: Progressed) -> None:
        """Begin as the run that is continued did."""
        self._counts.update(reached.counts)
        self._n_deleted = reached.deleted or 0
        self._stages_before -= set(reached.new_stages)
        # unless deals have come from elsewhere: they may have fields that the rows lack
        self._was_empty = reached.all_new and self._store.count() == reached.counts["inserted"]
        self._all_new = self._was_empty
        if self.missing:
            self.missing = replace(self.missing, n_deals=reached.n_deals, seq=reached.seq)

    def _mark(
        self, place: BatchPlace | None, *, inserted: int = 0, deleted: int | None = None
    ) -> Mark | None:
        """Bookmark for a commit at this place, when so many more deals are inserted."""
        if self.trail is None or place is None:
            return None
        counts = {name: n for name, n in self._counts.items() if name != "skipped"}
        counts["inserted"] += inserted
        return self.trail.mark(
            place,
            Progressed(
                counts=counts,
                deleted=deleted,
                all_new=self._was_empty,
                n_deals=self.missing.n_deals if self.missing else 0,
                seq=self.missing.seq if self.missing else 0,
                new_stages=self._new_stages(),
            ),
        )

    def _new_stages(self) -> tuple[str, ...]:
        return tuple(each.name for each in self._pipeline if each.name not in self._stages_before)

    def _delete(self, missing: Missing, sender: Worker) -> None:
        ids = missing.find(self._id_hashes)
        reason = missing.refusal(ids, self._rejected.reasons.total()) if ids else ""
        if reason and not isinstance(self._store, DryRun):
            refuse(reason)
        self._refused = f"the load would delete nothing: {reason}" if reason else ""
        for start in range(0, len(ids), DEFAULT_BATCH):
            batch = ids[start : start + DEFAULT_BATCH]
            place = self.trail.place if self.trail else None
            mark = self._mark(place, deleted=self._n_deleted)
            self._n_deleted += sender.submit(missing.delete, self._store, batch, mark).result()

    @property
    def n_written(self) -> int:
        """Deals that the load changed."""
        return self._counts["inserted"] + self._counts["updated"] + self._n_deleted

    def report(self, seconds: float) -> LoadReport:
        """What was done."""
        n_rejected = self._rejected.reasons.total()
        n_loaded = sum(self._counts.values())
        distinct = pl.concat(self._id_hashes).n_unique() if self._id_hashes else 0
        return LoadReport(
            source=self._source.name,
            format=self._source.format,
            read=n_loaded + n_rejected,
            rejected=n_rejected,
            resumed=self.trail.n_rows if self.trail else 0,
            duplicates=n_loaded - distinct,
            repeated=self._repeated() if distinct < n_loaded else {},
            deleted=self._n_deleted,
            seconds=seconds,
            columns=self._columns(),
            pipeline=self._pipeline,
            new_stages=self._new_stages(),
            notes=self._notes(),
            reasons=dict(self._rejected.reasons),
            rejects=self._rejected.path,
            dry_run=isinstance(self._store, DryRun),
            **self._counts,
        )

    def _planned_chunks(self) -> Iterator[Chunk]:
        """Chunks of the source, with the plan made before the first of them and kept up to date."""
        if self._source.repeatable:
            yield from self._decide_first()
            return
        self._meter.begin_loading()
        # what can be read once only is decided as it comes; later chunks can add columns, but not change any
        for chunk in self._source.chunks():
            self._profile.add(chunk)
            self._decide()
            yield chunk

    def _decide_first(self) -> Iterator[Chunk]:
        kept: list[Chunk] = []
        small = (self._source.bytes_total or 0) <= KEPT_BYTES
        small = small and (self._source.rows_total or 0) <= KEPT_ROWS
        self._again = (lambda: kept) if small else self._source.chunks
        for chunk in _ahead(self._source.chunks()):
            self._profile.add(chunk)
            self._meter.checked(chunk)
            if small:
                kept.append(chunk)
        # of a load that is resumed, some deals exist by rights; each commit refuses to meet others
        if self.on_conflict == "error" and not (self.trail and self.trail.reached):
            self._plan = self._profile.plan()
            self._check_conflicts(self._again())
        self._decide()
        self._meter.begin_loading()
        yield from self._again()

    def _check_conflicts(self, chunks: Iterable[Chunk]) -> None:
        known = self._store.snapshot().frame["id"].implode()
        ids = [self._plan.ids_of(chunk) for chunk in chunks]
        if not ids:
            return
        n_known = sum(int(each.is_in(known).sum()) for each in ids)
        hashes = pl.concat([each.drop_nulls().hash() for each in ids])
        n_repeated = hashes.len() - hashes.n_unique()
        if n_known or n_repeated:
            msg = (
                f"{n_known} deals of {self._source.name} exist already and {n_repeated} occur in it repeatedly; "
                "nothing was written; on_conflict='merge', 'replace' or 'skip' says what to do with them"
            )
            raise LoadError(msg)

    def _decide(self) -> None:
        self._plan = self._profile.plan()
        self._declare(self._plan.fields())
        if self.table and (defined := self.table.defining(self._pipeline)) != self._pipeline:
            self._store.set_pipeline(defined)
            self._pipeline = defined
        if not all(name in self._pipeline for name in self._profile.stages):
            covered = self._store.cover_stages(list(self._profile.stages))
            known, self._pipeline = self._pipeline, covered
            better = told(covered, known, self._profile.outcomes)
            if better != covered:
                self._store.set_pipeline(better)
                self._pipeline = better

    def _declare(self, fields: Sequence[Field]) -> None:
        if not self._schema.version or self._schema.with_fields(fields) is not self._schema:
            self._schema = self._store.declare(fields)

    def _encode(self, chunk: Chunk) -> Encoded:
        closed = [*self._pipeline.names(Kind.WON), *self._pipeline.names(Kind.LOST)]
        encoded = encode_chunk(chunk, self._plan, closed)
        self._rejected.add(encoded.rejects)
        self._check_errors()
        self._remember_ids(encoded.ids.hash())
        for header, n in encoded.times_dropped.items():
            self._times_dropped[header] = self._times_dropped.get(header, 0) + n
        return encoded

    def _remember_ids(self, hashes: pl.Series) -> None:
        if self._all_new and self._id_hashes:
            before = pl.concat(self._id_hashes)
            # looking up ids among ever more would become slow
            self._all_new = before.len() <= KEPT_ROWS and not hashes.is_in(before.implode()).any()
        self._id_hashes.append(hashes)

    def _repeated(self) -> dict[str, tuple[int, ...]]:
        """Lines of the first repeated ids; reads the source again up to the last of them."""
        hashes = pl.concat(self._id_hashes)
        first = hashes.filter(hashes.is_duplicated()).unique(maintain_order=True).head(MAX_REPEATED)
        wanted = hashes.is_in(first.implode()).sum()
        lines: dict[str, tuple[int, ...]] = {}
        for chunk in self._again():
            ids = self._plan.ids_of(chunk)
            rows = ids.hash().is_in(first.implode()).arg_true().to_list()
            for place, deal_id in zip(chunk.locate(rows), ids.gather(rows), strict=True):
                lines[deal_id] = (*lines.get(deal_id, ()), place.line)[:MAX_REPEATED]
            wanted -= len(rows)
            if wanted <= 0:
                break
        return lines

    def _check_errors(self) -> None:
        found = self._rejected.reasons.total()
        if self.max_errors is None or found <= self.max_errors:
            return
        reasons = ", ".join(f"{n} {reason}" for reason, n in self._rejected.reasons.most_common(3))
        where = f"; see {self._rejected.path}" if self._rejected.path else ""
        msg = (
            f"{found} rows of {self._source.name} were rejected, more than max_errors={self.max_errors}: "
            f"{reasons}{where}"
        )
        raise LoadError(msg)

    def _batches(self, encoded: Encoded) -> list[Batch]:
        whole = self.on_conflict == "replace"
        size = self.batch_size or min(
            DEFAULT_BATCH, DEFAULT_CELLS // (1 + len(encoded.columns)) + 1
        )
        batches = list(
            encoded.batches(size, likely_new=self._news, all_new=self._all_new, whole=whole)
        )
        for batch in batches:
            if batch.likely_new and not isinstance(self._store, DryRun):
                # not while the server waits for it
                batch.make_ready()
        return batches

    def _send(self, batches: list[Batch], bytes_done: int | None) -> None:
        left = sum(map(len, batches))
        for steps in _together([self._step(batch) for batch in batches]):
            rest = steps
            while rest:
                n_added = self._add(rest) if rest[0].adds else 0
                # where one has deals that exist, those behind it may be new all the same, unless it was the first
                end = n_added + 1 if n_added else len(rest)
                for step in rest[n_added:end]:
                    if not step.before:
                        self._write(step)
                rest = rest[end:]
            for step in steps:
                n = len(step.batch)
                self._n_sent += n
                self._meter.written(n, left, bytes_done, before=step.before)
                left -= n

    def _step(self, batch: Batch) -> _Step:
        if self.trail is None:
            return _Step(batch, None, before=False)
        before = self.trail.passes(batch.ids)
        return _Step(batch, self.trail.place, before)

    def _add(self, steps: Sequence[_Step]) -> int:
        """Write new deals; how many of the batches, from the first on, had no other."""
        before = accumulate((len(step.batch) for step in steps), initial=0)
        marks = [self._mark(step.place, inserted=n) for step, n in zip(steps, before, strict=False)]
        n_added = self._store.add(self._schema, [step.batch for step in steps], marks)
        self._counts["inserted"] += sum(len(step.batch) for step in steps[:n_added])
        self._news = n_added == len(steps)
        return n_added

    def _write(self, step: _Step) -> None:
        write = POLICIES[self.on_conflict]
        written = write(self._store, self._schema, step.batch, self._mark(step.place))
        self._news = written.inserted == len(step.batch)
        for outcome in self._counts:
            self._counts[outcome] += getattr(written, outcome)

    def _columns(self) -> tuple[MappedColumn, ...]:
        types = {column.header: column.field.name for column in self._plan.columns}
        return tuple(
            MappedColumn(header=header, field=field, type=self._type_of(types.get(header)))
            for header, field in self._plan.mapping.items()
        )

    def _type_of(self, field: str | None) -> str:
        if field is None:
            return ""
        return self._schema[field].describe() if field in self._schema else "date"

    def _notes(self) -> tuple[str, ...]:
        dropped = (
            f"{n} times of day in {header!r} dropped: its field is a date"
            for header, n in self._times_dropped.items()
        )
        return (*self._source.notes, *self._plan.notes, *dropped, *filter(None, [self._refused]))


def _ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks, each read while the one before is used."""
    with Worker("dealdb-read") as reader:
        coming = reader.submit(next, chunks, None)
        while chunk := coming.result():
            coming = reader.submit(next, chunks, None)
            yield chunk


def _together(steps: Sequence[_Step]) -> Iterator[list[_Step]]:
    """Steps that go to the server at once."""
    for adds, some in groupby(steps, key=lambda step: step.adds):
        run, size = list(some), _COMMITS_AT_ONCE if adds else 1
        for start in range(0, len(run), size):
            yield run[start : start + size]
