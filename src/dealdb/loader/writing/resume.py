"""
Loads of files that continue where they were killed.

With each commit the server keeps, in the same step, how many batches were done by then and what they came to. A load
that is resumed reads its file again from the beginning, since what becomes of a row depends on those before it, and
sends only the batches that were not. So its rejects file and its report are those of a load in one go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b, file_digest
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from dealdb.errors import LoadError
from dealdb.loader.store_protocol import LoadTarget
from dealdb.loader.writing.delete_missing import Missing
from dealdb.store.bounds.wall import Reading, whole
from dealdb.store.commit.change import Mark
from dealdb.store.commit.load_notes import Marked
from dealdb.store.log.entry import Position

_FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """
    How far a load is.

    Attributes
    ----------
    counts
        Rows inserted, updated and unchanged.
    deleted
        Missing deals deleted; None while rows are still being written.
    all_new
        Whether there were no deals at the beginning.
    n_deals, seq
        Deals at the beginning and the last commit before it, where missing ones are to be deleted.
    new_stages
        Stages that the load added to the pipeline.
    """

    counts: Mapping[str, int]
    deleted: int | None = None
    all_new: bool = False
    n_deals: int = 0
    seq: int = 0
    new_stages: tuple[str, ...] = ()


class BatchPlace(NamedTuple):
    """
    Where a batch is in a load.

    Attributes
    ----------
    batches
        Batches up to it, those included that changed nothing.
    trail
        Fingerprint of the ids in them.
    """

    batches: int
    trail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """
    What is kept with a commit.

    Attributes
    ----------
    terms
        Fingerprints of the file and of each option.
    place
        Of the batch.
    since
        Commit from which on the run that wrote this has seen to it that nothing was lost.
    before
        How far the load was before the commit.
    """

    terms: Mapping[str, str]
    place: BatchPlace
    since: Position
    before: Progressed


class Trail:
    """
    Batches of a load in their order, and which of them an earlier run has written already.

    Parameters
    ----------
    name
        Of the load.
    terms, since
        As in a bookmark.
    earlier
        Last bookmark of the run that is continued, and how far it was behind its commit.

    Attributes
    ----------
    reached
        How far the earlier run was, or None.
    n_rows
        Rows that it had done.
    """

    def __init__(
        self,
        name: str,
        terms: Mapping[str, str],
        since: Position,
        earlier: tuple[Bookmark, Progressed] | None = None,
    ) -> None:
        self.n_rows = 0
        self._name = name
        self._terms = terms
        self._since = since
        self._last = earlier[0] if earlier else None
        self.reached = earlier[1] if earlier else None
        self._n_batches = 0
        self._ids = blake2b(digest_size=8)

    def passes(self, ids: Iterable[str]) -> bool:
        """
        Whether the next batch was written by the earlier run.

        Raises
        ------
        LoadError
            If the batches come out otherwise than in the earlier run.
        """
        names = list(ids)
        self._n_batches += 1
        self._ids.update("\0".join(["", *names]).encode())
        if self._last is None or self._n_batches > self._last.place.batches:
            return False
        if self._n_batches == self._last.place.batches and self.place != self._last.place:
            raise _another_order()
        self.n_rows += len(names)
        return True

    def arrive(self) -> None:
        """
        See to it, behind the last batch, that the earlier run had no more than these.

        Raises
        ------
        LoadError
            If it had.
        """
        if self._last and self._n_batches < self._last.place.batches:
            raise _another_order()

    @property
    def place(self) -> BatchPlace:
        """Of the batch that was passed to ``passes`` last."""
        return BatchPlace(self._n_batches, self._ids.hexdigest())

    def mark(self, place: BatchPlace, progressed: Progressed) -> Mark:
        """What to keep with the commit of a batch, before which the load was so far."""
        bookmark = {
            "terms": self._terms,
            **place._asdict(),
            "since": [self._since.seq, self._since.hash.decode()],
            "before": asdict(progressed),
        }
        return Mark(self._name, json.dumps(bookmark, separators=(",", ":")))

    def end(self, store: LoadTarget) -> None:
        """The load is complete: there is nothing to resume any more."""
        if self._n_batches:
            store.forget_load(self._name)


def open_trail(
    store: LoadTarget, path: Path, options: Mapping[str, object], since: Position, *, resume: bool
) -> Trail:
    """
    Trail of the load of a file.

    Parameters
    ----------
    store
        Keeps the bookmarks.
    path
        The file; its bookmark goes by where it is, and by what is in it.
    options
        What decides on the batches and on what they do.
    since
        Last commit before the load.
    resume
        Whether to continue an earlier run, if there is an unfinished one; else it is forgotten.

    Raises
    ------
    LoadError
        If the earlier run had another file or other options.
    """
    name = _fingerprint(str(path.resolve()))
    terms = {each: _fingerprint(value) for each, value in options.items()}
    terms |= {_FILE: _content(path), "version of dealdb": version("dealdb")}
    if not resume:
        store.forget_load(name)
        return Trail(name, terms, since)
    marked = store.take_over(name)
    last = _bookmark(marked.note) if marked else None
    # a run that went on after the server was reset, and died before it noticed, has left a bookmark of too much
    if marked is None or last is None or not store.has(last.since):
        return Trail(name, terms, since)
    _check(path, last.terms, terms)
    return Trail(name, terms, since, (last, _behind(last.before, marked)))


def _check(path: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    others = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if _FILE in others:
        msg = (
            f"{path} has changed since the load that was to be resumed began; without resume it is loaded from "
            "the beginning"
        )
        raise LoadError(msg)
    if others:
        msg = (
            f"the load of {path} that was to be resumed had a different {', '.join(sorted(others))}; resume it with "
            "the same options, or without resume it is loaded from the beginning"
        )
        raise LoadError(msg)


def _another_order() -> LoadError:
    return LoadError(
        "the rows that were written before don't come out of the file in the same order now: fields or stages of the "
        "collection have changed meanwhile; without resume it is loaded from the beginning"
    )


def _behind(before: Progressed, marked: Marked) -> Progressed:
    """How far a load was behind a commit."""
    if before.deleted is not None:
        return replace(before, deleted=before.deleted + marked.written.updated)
    counts = {name: n + getattr(marked.written, name) for name, n in before.counts.items()}
    return replace(before, counts=counts)


def _bookmark(note: str) -> Bookmark:
    with Reading("the note that the server keeps of this load"):
        parts = json.loads(note)
        before = parts.pop("before")
        before["new_stages"] = tuple(before["new_stages"])
        seq, chain = parts.pop("since", (0, ""))
        since = Position(whole(seq), chain.encode())
        place = BatchPlace(parts.pop("batches"), parts.pop("trail"))
        return Bookmark(**parts, place=place, since=since, before=Progressed(**before))


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:32]


def _fingerprint(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return blake2b(text.encode(errors="surrogateescape"), digest_size=8).hexdigest()


def begun_of(n_deals: int, missing: Missing | None, trail: Trail | None) -> Progressed:
    """How far a load into so many deals is before its first row: nowhere, or where the run that it continues was."""
    if trail and trail.reached:
        return trail.reached
    return Progressed(
        counts={"inserted": 0, "updated": 0, "unchanged": 0},
        all_new=n_deals == 0,
        n_deals=missing.n_deals if missing else 0,
        seq=missing.seq if missing else 0,
    )
