"""The load of one source: opened, given what it leaves unsaid, and written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import Source, telling
from dealdb.loader.derive.blank_rows import WithoutBlankRows
from dealdb.loader.derive.deleted import WithoutDeleted
from dealdb.loader.derive.id_cells import WithPlainIds
from dealdb.loader.derive.ids import WithIds
from dealdb.loader.derive.stage_table import StageTable, WithStages, read_stages
from dealdb.loader.derive.statuses import WithStatuses
from dealdb.loader.derive.summary_rows import WithoutSummaries
from dealdb.loader.derive.trimmed import TrimmedNames
from dealdb.loader.load_options import LoadOptions
from dealdb.loader.progress import ProgressCallback, read_meter, shown
from dealdb.loader.rejects import RejectsFile, places_for
from dealdb.loader.report import LoadReport
from dealdb.loader.sources.json_files import MappingsSource
from dealdb.loader.sources.open import is_pipe, open_source
from dealdb.loader.store_protocol import LoadTarget
from dealdb.loader.writing.delete_missing import Missing
from dealdb.loader.writing.dry_run import DryRun
from dealdb.loader.writing.resume import Trail, open_trail
from dealdb.loader.writing.run import Load
from dealdb.store.history.confirm import Seen
from dealdb.store.log.entry import Position

logger = logging.getLogger(__name__)


def load_source(
    store: Callable[[], LoadTarget],
    source: Any,
    options: LoadOptions,
    *,
    select: Callable[..., pl.DataFrame],
    progress: ProgressCallback | None,
    bar: bool,
) -> LoadReport:
    """
    Load all rows of a source; see ``DataLoader.load``.

    Parameters
    ----------
    store
        Gives the collection to load into.
    source, options, progress, bar
        As the caller gave them.
    select
        Gives the deals that a filter keeps.
    """
    file = Path(source) if isinstance(source, str | Path) and not is_pipe(Path(source)) else None
    if options.resume and file is None:
        msg = (
            "only the load of a file, given as a path, can be resumed: the rest can't be read again"
        )
        raise LoadError(msg)
    begun = time.perf_counter()
    with ExitStack() as keep, telling():
        show = keep.enter_context(shown(_short_name(source), progress, bar=bar))
        opened = _opened(source, options, show, keep)
        places = _places(source, opened, options)
        rejected = keep.enter_context(
            RejectsFile(opened.name, opened.header, places, named=options.rejects_named)
        )
        target = DryRun(store()) if options.dry_run else store()
        target.promise(options.promised)
        seen = target.look()
        since = seen.position
        table = None if options.stages is None else read_stages(options.stages)
        opened = _completed(opened, options, seen, table)
        missing = _missing(target, options, select)
        trail = _trail(target, file, options, table, seen)
        if trail and trail.reached:
            # only now nothing of the earlier run can take effect any more
            seen = target.look()
        with target.settling() as settling:
            load = Load(
                target, opened, options, rejected, show, seen=seen, since=since, missing=missing,
                table=table, trail=trail, settling=settling,
            )  # fmt: skip
            load.run()
        report = load.report(time.perf_counter() - begun)
    if report.rejected:
        logger.info("load ended: %d of %d rows were rejected", report.rejected, report.read)
    return report


def _opened(source: Any, options: LoadOptions, show: ProgressCallback, keep: ExitStack) -> Source:
    opened = open_source(
        source,
        format=options.format,
        delimiter=options.delimiter,
        null=options.null,
        encoding=options.encoding,
        sheet=options.sheet,
        id_names=options.id_names,
        max_expansion=options.max_expansion,
        tell=read_meter(show),
        keep=keep,
    )
    if options.on_conflict == "error" and not opened.repeatable:
        # all ids have to be known before the first row is written
        return MappingsSource(list(source))
    return opened


def _places(source: Any, opened: Source, options: LoadOptions) -> list[Path]:
    """Where rejected rows may be written."""
    if options.dry_run and options.rejects is True:
        return []
    named = isinstance(source, str | Path) or opened.name == "stdin"
    return places_for(opened.name if named else None, options.rejects)


def _completed(
    source: Source, options: LoadOptions, seen: Seen, table: StageTable | None
) -> Source:
    """A source without totals and deleted records, with the stages, outcomes and ids that it leaves unsaid."""
    schema = seen.schema
    source = WithoutBlankRows(source, options.mapping, schema)
    source = WithPlainIds(source, options.mapping, schema)
    source = WithoutDeleted(source, options.mapping, schema)
    source = WithoutSummaries(source, options.mapping, schema)
    source = TrimmedNames(source, options.mapping, schema)
    if table:
        source = WithStages(source, table, options.mapping, schema)
    source = WithStatuses(source, options.mapping, schema, seen.pipeline)
    if options.id_from is not None:
        source = WithIds(source, options.id_from, options.mapping, schema)
    return source


def _missing(
    store: LoadTarget, options: LoadOptions, select: Callable[..., pl.DataFrame]
) -> Missing | None:
    among = options.delete_missing
    # None too: an option that was left out, and is handed on, deletes nothing
    if among is None or among is False:  # type: ignore[redundant-expr]  # callers may be untyped
        return None
    deals = store.snapshot()
    ids = deals.frame["id"] if among is True else select(among, columns=["id"])["id"]
    return Missing(
        among=ids,
        n_deals=ids.len(),
        revs=[each.seq for each in store.positions_of(deals.position or Position())],
        force=options.force,
        everything=options.everything,
    )


def _trail(
    store: LoadTarget,
    file: Path | None,
    options: LoadOptions,
    table: StageTable | None,
    seen: Seen,
) -> Trail | None:
    if file is None or options.dry_run:
        return None
    terms = options.terms(table)
    if options.at is not None:
        # in which the days of the rows begin
        terms["time zone of the pipeline"] = seen.pipeline.zone
    trail = open_trail(store, file, terms, seen.position, resume=options.resume)
    if trail.reached:
        n_rows = sum(sum(each.counts.values()) for each in trail.reached)
        n_deleted = sum(each.deleted or 0 for each in trail.reached)
        logger.info(
            "load resumed: %d rows were done and %d deals deleted before", n_rows, n_deleted
        )
    return trail


def _short_name(source: object) -> str:
    if isinstance(source, str | Path):
        return Path(source).name
    return "stdin" if hasattr(source, "read") else "rows"
