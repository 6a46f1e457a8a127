"""
Loading a file of JSON Lines that grows, line by line as it is appended.

Each round takes the lines that have become complete, and loads them like a small file of its own; what was decided
about a column stays decided. Rows are acknowledged before the next lines are read.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dealdb.connection.retry import Pauses
from dealdb.errors import LoadError, OutcomeUnknown, PoolTimeout, ServerUnavailable
from dealdb.loader.chunk import Chunk, Reject, RowPlace, Source
from dealdb.loader.columns.profile import Profile
from dealdb.loader.derive.deleted import WithoutDeleted
from dealdb.loader.derive.id_cells import WithPlainIds
from dealdb.loader.derive.ids import WithIds
from dealdb.loader.load_options import LoadOptions
from dealdb.loader.rejects import RejectsFile, places_for
from dealdb.loader.report import LoadReport
from dealdb.loader.sources.json_files import chunks_of_lines
from dealdb.loader.sources.open import COMPRESSED_SUFFIXES, format_by_name
from dealdb.loader.sources.tail import Lines, Tail
from dealdb.loader.store_protocol import LoadTarget
from dealdb.loader.writing.run import Load
from dealdb.store.log.entry import Position

logger = logging.getLogger(__name__)

# lines are gathered for so long, so that a busy writer does not cost a commit a line
ROUND_S = 0.1
# .txt says nothing of what is in a file
_MAYBE_LINES = (".txt", ".json")
# options of a saved mapping that a file of JSON Lines has no use for
_OF_OTHER_FILES = ("delimiter", "null", "encoding", "sheet")


class _LinesSource:
    """Some lines of a followed file, as a source of their own."""

    format = "jsonl"
    repeatable = True
    bytes_total = None
    rows_total = None
    header = None

    def __init__(self, name: str, lines: Lines) -> None:
        self.name = name
        self.notes: list[str] = []
        self._lines = lines

    def chunks(self) -> Iterator[Chunk]:
        """The lines."""
        yield from chunks_of_lines(self._lines.texts, self._lines.first, None)


class _HeldRejects(RejectsFile):
    """Rejected rows of one try, which may have to be repeated."""

    def __init__(self) -> None:
        super().__init__("", None, [])
        self.found: list[Reject] = []
        self.noted: list[Reject] = []

    def add(self, rejects: Sequence[Reject]) -> None:  # type: ignore[override]  # a sequence is all that a load gives
        """Hold some more rows."""
        super().add(rejects)
        self.found += rejects

    def note(self, rows: Sequence[Reject]) -> None:  # type: ignore[override]  # as above
        """Hold some more rows that were loaded without their bad cells."""
        self.noted += rows


class Follower:
    """Loads lines of one file, some at a time, and adds up what was done."""

    def __init__(
        self,
        store: Callable[[], LoadTarget],
        path: Path,
        options: LoadOptions,
        rejected: RejectsFile,
        stop: threading.Event,
        tell: Callable[[str], None],
    ) -> None:
        self._store = store
        self._options = options
        self._rejected = rejected
        self._stop = stop
        self._tell = tell
        self._profile: Profile | None = None
        self._since: Position | None = None
        self.total = LoadReport(source=str(path), format="jsonl")

    def load(self, lines: Lines) -> None:
        """
        Load some lines; those that can't be loaded are set aside.

        Raises
        ------
        LoadError
            If the first lines of all can't be understood: nothing would be loaded but by luck.
        """
        try:
            self._until_done(lines)
        except LoadError as problem:
            if self._profile is None:
                raise
            self._divide(lines, problem)

    def _divide(self, lines: Lines, problem: LoadError) -> None:
        """Find the line that keeps its neighbours from being loaded, and set it aside."""
        texts, (line, _, offset) = lines
        if len(texts) == 1:
            raw = texts[0].decode(errors="backslashreplace")
            message = str(problem)
            self._rejected.add(
                [Reject(line=line, code="undecided", message=message, raw=raw, offset=offset)]
            )
            return
        half = len(texts) // 2
        n_bytes = sum(len(text) + 1 for text in texts[:half])
        after = RowPlace(line + half, "", None if offset is None else offset + n_bytes)
        self.load(Lines(texts[:half], lines.first))
        self.load(Lines(texts[half:], after))

    def _until_done(self, lines: Lines) -> None:
        """Load some lines, however long the server is away."""
        open_commit: OutcomeUnknown | None = None
        pauses: Pauses | None = None
        while True:
            try:
                if open_commit is not None:
                    # what is on its way must not take effect after what follows
                    open_commit.resolve()
                    open_commit = None
                return self._once(lines)
            except (OutcomeUnknown, ServerUnavailable, PoolTimeout) as problem:
                if self._profile is None or self._stop.is_set():
                    raise
                if isinstance(problem, OutcomeUnknown):
                    open_commit = problem
                if pauses is None:
                    self._tell(f"{problem}; waiting for it")
                    pauses = Pauses()
            self._stop.wait(pauses.next_s())

    def _once(self, lines: Lines) -> None:
        store, options = self._store(), self._options
        # before a look: hashes of another program that are to be adopted count as deals that exist
        store.promise(options.promised)
        seen = store.look()
        source: Source = _LinesSource(self.total.source, lines)
        source = WithPlainIds(source, options.mapping, seen.schema)
        source = WithoutDeleted(source, options.mapping, seen.schema)
        if options.id_from is not None:
            source = WithIds(source, options.id_from, options.mapping, seen.schema)
        held = _HeldRejects()
        self._since = self._since or seen.position
        run = Load(
            store, source, options, held, lambda _: None, seen=seen, since=self._since,
            known=self._profile,
        )  # fmt: skip
        run.run()
        self._since = run.since
        self._rejected.add(held.found)
        self._rejected.note(held.noted)
        part = run.report(0.0)
        if part.mapping:
            self._profile = run.profile
        self.total = _joined(self.total, part)


def followed(options: Mapping[str, Any]) -> dict[str, Any]:
    """
    Options of a follow, those of a saved mapping among them.

    Raises
    ------
    LoadError
        If the mapping has options that only other files have.
    """
    found = dict(options)
    if found.pop("format", "jsonl") != "jsonl":
        msg = "the mapping is for another format; a file that is followed is JSON Lines"
        raise LoadError(msg)
    if others := [name for name in _OF_OTHER_FILES if name in found]:
        msg = f"the mapping has {', '.join(others)}: nothing of that is in JSON Lines; follow with one that lacks it"
        raise LoadError(msg)
    return found


def follow(
    store: Callable[[], LoadTarget],
    path: Path,
    options: LoadOptions,
    *,
    from_end: bool,
    timeout_s: float | None,
    stop: threading.Event,
    tell: Callable[[str], None],
) -> LoadReport:
    """Load the lines of a file as they are appended, until ``stop`` is set; see ``DataLoader.follow``."""
    if options.on_conflict == "error" or options.ids_of_whole_rows:
        msg = "a file that is followed takes neither on_conflict='error' nor id_from='row': its rows arrive over time"
        raise LoadError(msg)
    suffix = path.suffix.lower()
    is_other = format_by_name(path.name) not in (None, "jsonl") and suffix not in _MAYBE_LINES
    if is_other or suffix in COMPRESSED_SUFFIXES:
        msg = f"{path}: only an uncompressed file of JSON Lines can be followed"
        raise LoadError(msg)
    begun = time.monotonic()
    with (
        Tail(path, from_end=from_end, tell=tell) as tail,
        RejectsFile(
            str(path),
            None,
            places_for(str(path), options.rejects),
            append=True,
            named=options.rejects_named,
        ) as rejected,
    ):
        follower = Follower(store, path, options, rejected, stop, tell)
        news_at = time.monotonic()
        while not stop.is_set():
            lines = tail.read()
            if lines is not None:
                follower.load(lines)
                news_at = time.monotonic()
            elif timeout_s is not None and time.monotonic() - news_at >= timeout_s:
                break
            stop.wait(ROUND_S)
        report = _with_rejects(follower.total, rejected, time.monotonic() - begun)
    if report.rejected:
        logger.info("follow ended: %d of %d rows were rejected", report.rejected, report.read)
    return report


def _joined(total: LoadReport, part: LoadReport) -> LoadReport:
    counts = ("inserted", "updated", "unchanged", "skipped")
    # repeated ids are not a mistake here: each line is news of its deal
    return replace(
        total,
        **{name: getattr(total, name) + getattr(part, name) for name in counts},
        columns=part.columns or total.columns,
        pipeline=part.pipeline,
        bad_cells=dict(Counter(total.bad_cells) + Counter(part.bad_cells)),
        new_stages=(*total.new_stages, *part.new_stages),
        notes=tuple(dict.fromkeys((*total.notes, *part.notes))),
    )


def _with_rejects(total: LoadReport, rejected: RejectsFile, seconds: float) -> LoadReport:
    n_rejected = rejected.reasons.total()
    loaded = total.inserted + total.updated + total.unchanged + total.skipped
    return replace(
        total,
        read=loaded + n_rejected,
        rejected=n_rejected,
        reasons=dict(rejected.reasons),
        rejects=rejected.path,
        seconds=seconds,
    )
