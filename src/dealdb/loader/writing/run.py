"""
One load: from a source of rows to acknowledged commits.

One pass decides the columns, a second one writes. What is read and encoded next overlaps with what is
being sent: at most one chunk waits, so memory stays bounded and order is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import SUMMARY_ROW, Chunk, Source, unmarked
from dealdb.loader.columns.encode import Encoded, encode_chunk
from dealdb.loader.columns.plan import Plan
from dealdb.loader.columns.profile import Profile
from dealdb.loader.columns.spellings import Spellings
from dealdb.loader.columns.stage_flags import told
from dealdb.loader.derive.stage_table import StageTable
from dealdb.loader.load_options import LoadOptions
from dealdb.loader.progress import Meter, ProgressCallback
from dealdb.loader.rejects import RejectsFile
from dealdb.loader.report import LoadReport, MappedColumn
from dealdb.loader.rests_on import doubts, rests_on
from dealdb.loader.store_protocol import LoadTarget
from dealdb.loader.writing.delete_missing import Missing, refuse
from dealdb.loader.writing.findings import Findings, repeated_lines
from dealdb.loader.writing.kept_chunks import HeldChunks, ahead
from dealdb.loader.writing.resume import Trail, begun_of
from dealdb.loader.writing.row_moments import RowMoments
from dealdb.loader.writing.sending import DEFAULT_BATCH, DEFAULT_CELLS, Sender, make_ready
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.store.commit.batch import Batch
from dealdb.store.history.confirm import Seen
from dealdb.store.live.during_load import Settling
from dealdb.store.live.worker import Worker
from dealdb.store.log.entry import Position

# sources up to this size are kept in memory between the two passes, larger ones are read twice
KEPT_BYTES = 32 * 1024 * 1024
KEPT_ROWS = 200_000


class Load:
    """
    One load, from its first row to its report.

    Parameters
    ----------
    store
        The collection.
    source
        The rows.
    options
        What the caller chose.
    rejected
        Gets the rows that can't be loaded.
    show
        Called with how far it is.
    seen
        The collection, as it was when the load began.
    since
        Last commit from which on the server must not have lost anything; by default that of ``seen``.
    missing
        What is to be deleted at the end if the source doesn't have it.
    table
        What the stages of the source mean.
    trail
        Where a load of a file leaves bookmarks, and continues an earlier run.
    settling
        Notified of how much was written.
    known
        What earlier rows have said about the columns.
    """

    def __init__(
        self,
        store: LoadTarget,
        source: Source,
        options: LoadOptions,
        rejected: RejectsFile,
        show: ProgressCallback,
        *,
        seen: Seen,
        since: Position | None = None,
        missing: Missing | None = None,
        table: StageTable | None = None,
        trail: Trail | None = None,
        settling: Settling | None = None,
        known: Profile | None = None,
    ) -> None:
        begun = begun_of(store.partitions, seen.n_deals, missing, trail)
        first = begun[0]
        self._store = store
        self._source = source
        self._options = options
        self._rejected = rejected
        self._since = since or seen.position
        revs = [each.seq for each in begun]
        self._missing = replace(missing, n_deals=first.n_deals, revs=revs) if missing else None
        self._table = table
        self._trail = trail
        self._settling = settling
        self._meter = Meter(source, show)
        self._sender = Sender(store, seen.schema, begun, options.on_conflict, self._meter, trail)
        self._pipeline = seen.pipeline
        self._stages_before = {stage.name for stage in self._pipeline} - set(first.new_stages)
        schema = self._sender.schema
        # what earlier lines of a file that is followed have said about its columns stays in force
        delimiter = source.header[0] if source.header else ""
        fresh = Profile(options.columns, schema, delimiter)
        self._profile = known.going_on(schema) if known else fresh
        self._spellings = Spellings(
            options.fold, options.mapping, lambda: (store.snapshot(), store.pipeline())
        )
        zone = self._pipeline.zone
        self._moments = RowMoments(options.at, zone) if options.at is not None else None
        self._plan = Plan(columns=(), mapping={}, notes=())
        self._refused = ""
        # why the source can't be all that there is
        self._incomplete = ""
        self._findings = Findings()
        # while every id is new to the collection, rows can be written in their order whatever they give
        self._all_new = first.all_new
        # a hash of 8 bytes an id, to count repeated ids without holding them
        self._id_hashes: list[pl.Series] = []
        # the rows once more, where the source has them
        self._again: Callable[[], Iterable[Chunk]] = list

    @property
    def profile(self) -> Profile:
        """What the rows have said about the columns."""
        return self._profile

    @property
    def since(self) -> Position:
        """Last commit of the collection before the load, and after it at the end."""
        return self._since

    def run(self) -> None:
        """Write every row that can be written."""
        with Worker("dealdb-load", self._store.depend) as worker:
            sending: Future[None] | None = None
            for chunk in self._planned_chunks():
                encoded = self._encode(chunk)
                batches = self._batches(encoded)
                if sending:
                    # while the server is at the chunk before; the first ones are made as it takes them
                    if not self._options.dry_run:
                        make_ready(batches)
                    sending.result()
                self._sender.declare(encoded.fields)
                sending = worker.submit(
                    self._sender.send, batches, chunk.bytes_done, self._new_stages()
                )
                self._tell_written()
            if sending:
                sending.result()
            self._sender.arrive()
            if self._missing:
                worker.submit(self._sender.tell).result()
                self._delete(self._missing, worker)
            self._since = worker.submit(self._confirm).result()
            self._tell_written()
        if self._trail:
            self._trail.end(self._store)

    def _confirm(self) -> Position:
        if not self._missing:
            # what is deleted comes behind it, else it needs no turn of its own
            self._sender.tell()
        return self._store.confirm(self._since, self._options.promised)

    def _tell_written(self) -> None:
        if self._settling:
            self._settling.written(self._sender.n_written)

    def _new_stages(self) -> tuple[str, ...]:
        return tuple(each.name for each in self._pipeline if each.name not in self._stages_before)

    def _delete(self, missing: Missing, worker: Worker) -> None:
        ids = missing.find(self._id_hashes)
        n_rows = sum(map(len, self._id_hashes))
        # a row of totals is no deal that could seem to be missing
        n_lost = self._rejected.n_without(SUMMARY_ROW)
        reason = ""
        if ids:
            reason = missing.refusal(ids, n_lost, n_rows=n_rows, incomplete=self._incomplete)
        if reason and not self._options.dry_run:
            refuse(reason, n_rows=n_rows)
        self._refused = f"the load would delete nothing: {reason}" if reason else ""
        stages = self._new_stages()
        for piece, batch in self._sender.by_piece(ids):
            worker.submit(self._sender.delete, missing, piece, batch, stages).result()

    def report(self, seconds: float) -> LoadReport:
        """What was done."""
        n_rejected = self._rejected.reasons.total()
        n_loaded = sum(self._sender.counts.values())
        distinct = pl.concat(self._id_hashes).n_unique() if self._id_hashes else 0
        return LoadReport(
            source=self._source.name,
            format=self._source.format,
            read=n_loaded + n_rejected,
            rejected=n_rejected,
            resumed=self._trail.n_rows if self._trail else 0,
            duplicates=n_loaded - distinct,
            repeated=repeated_lines(self._id_hashes, self._again(), self._plan)
            if distinct < n_loaded
            else {},
            deleted=self._sender.n_deleted,
            seconds=seconds,
            columns=self._columns(),
            pipeline=self._pipeline,
            new_stages=self._new_stages(),
            notes=self._notes(),
            rests_on=rests_on(self._columns(), self._stages, self._pipeline),
            warnings=self._warnings(),
            reasons=dict(self._rejected.reasons),
            bad_cells={unmarked(name): n for name, n in self._findings.bad_cells.n.items()},
            decided=self._plan.decided(),
            rejects=self._rejected.path,
            dry_run=self._options.dry_run,
            **self._sender.counts,
        )

    def _planned_chunks(self) -> Iterator[Chunk]:
        """Chunks of the source, with the plan made before the first of them and kept up to date."""
        if self._source.repeatable:
            yield from self._decide_first()
            return
        self._meter.begin_loading()
        # what can be read once only is decided as it comes; later chunks can add columns, but not change any
        for chunk in self._source.chunks():
            self._look_at(chunk)
            self._decide()
            yield chunk

    def _look_at(self, chunk: Chunk) -> None:
        self._profile.add(chunk)
        self._spellings.add(chunk)
        self._findings.look_at(chunk)
        if self._moments:
            self._moments.check(chunk)

    def _decide_first(self) -> Iterator[Chunk]:
        small = (self._source.bytes_total or 0) <= KEPT_BYTES
        small = small and (self._source.rows_total or 0) <= KEPT_ROWS
        kept = HeldChunks(self._source, 4 * KEPT_BYTES if small else 0)
        self._again = kept.again
        for chunk in ahead(self._source):
            self._look_at(chunk)
            self._meter.checked(chunk)
            kept.add(chunk)
        # in a load that is resumed, some deals exist as they should; each commit refuses others
        if self._options.on_conflict == "error" and not (self._trail and self._trail.reached):
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
                f"deals of {self._source.name} that exist already: {n_known}, that occur in it repeatedly: {n_repeated}"
                "; nothing was written; on_conflict='merge', 'replace' or 'skip' says what to do with them"
            )
            raise LoadError(msg)

    def _decide(self) -> None:
        plan = self._profile.plan()
        self._plan = replace(plan, joined=self._spellings.joined(plan))
        self._check_strictly()
        self._sender.declare(self._plan.fields())
        if self._proposed(self._pipeline) != self._pipeline:
            self._pipeline = self._store.redefine(self._proposed)

    def _warnings(self) -> tuple[str, ...]:
        doubts = self._doubts(self._pipeline) if self._sender.counts["inserted"] else ()
        alike = (shown for shown, _ in self._spellings.doubts(self._plan))
        return tuple(map(unmarked, (*doubts, *alike, *self._findings.warnings())))

    def _doubts(self, pipeline: Pipeline) -> tuple[str, ...]:
        used = [name for name in self._stages if name]
        # the stages of a later load are often a part of those that are known to be right
        are_known = self._stages_before.issuperset(used)
        judged = [stage.name for stage in pipeline] if used and are_known else used
        return doubts(self._columns(), judged, pipeline, self._outcomes)

    def _check_strictly(self) -> None:
        """Refuse what would be a warning, before anything is written."""
        if not self._options.strict:
            return
        # an error has no values of deals in it
        alike = (bare for _, bare in self._spellings.doubts(self._plan))
        if found := (
            *self._doubts(self._proposed(self._pipeline)),
            *alike,
            *self._findings.doubts(),
        ):
            raise LoadError("; ".join((*found, "nothing was written, because of strict")))

    def _proposed(self, pipeline: Pipeline) -> Pipeline:
        """A pipeline with the stages of the table and of the rows, as it is to be."""
        defined = self._table.defining(pipeline) if self._table else pipeline
        return told(defined, self._stages, self._outcomes)

    @property
    def _stages(self) -> list[str]:
        """Stages of the rows, as they are spelled in the end."""
        return list(dict.fromkeys(map(self._plan.spelled, self._profile.stages)))

    @property
    def _outcomes(self) -> dict[str, set[Kind]]:
        outcomes: dict[str, set[Kind]] = {}
        for name, kinds in self._profile.outcomes.items():
            outcomes.setdefault(self._plan.spelled(name), set()).update(kinds)
        return outcomes

    def _encode(self, chunk: Chunk) -> Encoded:
        closed = [*self._pipeline.names(Kind.WON), *self._pipeline.names(Kind.LOST)]
        at = self._moments.of(chunk) if self._moments else None
        encoded = encode_chunk(
            chunk, self._plan, closed, leave_bad=self._options.bad_cells == "null", at=at
        )
        self._rejected.add(encoded.rejects)
        self._rejected.note(encoded.bad_rows)
        self._check_errors()
        self._incomplete = self._incomplete or chunk.incomplete
        self._remember_ids(encoded.ids.hash())
        if not any(map(len, self._id_hashes)):
            self._rejected.check_hope()
        self._findings.add(encoded)
        return encoded

    def _remember_ids(self, hashes: pl.Series) -> None:
        if self._all_new and self._id_hashes:
            before = pl.concat(self._id_hashes)
            # looking up ids among ever more would become slow
            self._all_new = before.len() <= KEPT_ROWS and not hashes.is_in(before.implode()).any()
        self._id_hashes.append(hashes)

    def _check_errors(self) -> None:
        # a row of totals is no mistake
        found = self._rejected.n_without(SUMMARY_ROW)
        limit = self._options.max_errors
        if limit is None or found <= limit:
            return
        reasons = ", ".join(f"{n} {reason}" for reason, n in self._rejected.reasons.most_common(3))
        where = f"; see {self._rejected.path}" if self._rejected.path else ""
        msg = (
            f"rejected rows of {self._source.name}: {found}, more than max_errors={limit}: "
            f"{reasons}{where}"
        )
        raise LoadError(msg)

    def _batches(self, encoded: Encoded) -> list[Batch]:
        whole = self._options.on_conflict == "replace"
        size = self._options.batch_size or min(
            DEFAULT_BATCH, DEFAULT_CELLS // (1 + len(encoded.columns)) + 1
        )
        # so large that the parts for the partitions are not too small
        size *= self._store.partitions
        batches = encoded.batches(
            size, likely_new=self._sender.news, all_new=self._all_new, whole=whole
        )
        return list(self._store.split(batches))

    def _columns(self) -> tuple[MappedColumn, ...]:
        types = {column.header: column.field.name for column in self._plan.columns}
        empty = self._profile.empty
        return tuple(
            MappedColumn(header=unmarked(h), field=field, type=self._type_of(types.get(h)), is_empty=h in empty)
            for h, field in self._plan.mapping.items()
        )  # fmt: skip

    def _type_of(self, field: str | None) -> str:
        if field is None:
            return ""
        schema = self._sender.schema
        return schema[field].describe() if field in schema else "date"

    def _notes(self) -> tuple[str, ...]:
        found = (*self._plan.joins(), *self._findings.notes(), *self._sender.notes)
        notes = (*self._source.notes, *self._plan.notes, *found, *filter(None, [self._refused]))
        return tuple(map(unmarked, notes))
