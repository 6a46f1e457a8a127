"""
Loads of files that continue where they were killed.

With each commit the server keeps, in the same step, how many batches were done by then and what they came to. A load
that is resumed reads its file again from the beginning, since what becomes of a row depends on those before it, and
sends only the batches that were not. So its rejects file and its report are those of a load in one go.

Of a collection of partitions each has a note of its own, about its own batches alone. So each goes on from where it is
itself, whatever the others have.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
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
    How far a load is in one piece of the collection: in all of it, or in one partition.

    Attributes
    ----------
    counts
        Rows inserted, updated and unchanged.
    deleted
        Missing deals deleted; None while rows are still being written.
    all_new
        Whether there were no deals at the beginning, in any piece.
    n_deals, seq
        Deals at the beginning, in all pieces, and the last commit of this one before it, where missing ones are to be
        deleted.
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
        Batches of its piece up to it, those included that changed nothing.
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
    load
        Random name of the load, which a run that continues it keeps: notes of several pieces belong together by it.
    """

    terms: Mapping[str, str]
    place: BatchPlace
    since: Position
    before: Progressed
    load: str


class _Track:
    """
    Batches of one piece of the collection, in their order.

    Parameters
    ----------
    since
        As in a bookmark.
    last
        Last bookmark of the run that is continued.
    """

    def __init__(self, since: Position, last: Bookmark | None) -> None:
        self.since = since
        self._last = last.place if last else BatchPlace(0, "")
        self._n_batches = 0
        self._ids = blake2b(digest_size=8)

    def passes(self, names: Sequence[str]) -> bool:
        self._n_batches += 1
        self._ids.update("\0".join(["", *names]).encode())
        if self._n_batches == self._last.batches and self.place != self._last:
            raise _another_order()
        return self._n_batches <= self._last.batches

    def arrive(self) -> None:
        if self._n_batches < self._last.batches:
            raise _another_order()

    @property
    def place(self) -> BatchPlace:
        """Of the last batch."""
        return BatchPlace(self._n_batches, self._ids.hexdigest())

    @property
    def earlier(self) -> BatchPlace:
        """Of the last batch that the earlier run has written."""
        return self._last


class Trail:
    """
    Batches of a load in their order, and which of them an earlier run has written already.

    Parameters
    ----------
    name
        Of the load.
    terms
        As in a bookmark.
    since
        As in a bookmark, of each piece of the collection.
    earlier
        Last bookmark of the run that is continued, and how far it was behind its commit; of each piece.

    Attributes
    ----------
    reached
        How far the earlier run was in each piece; empty where there is none.
    n_rows
        Rows that it had done.
    """

    def __init__(
        self,
        name: str,
        terms: Mapping[str, str],
        since: Sequence[Position],
        earlier: Sequence[tuple[Bookmark, Progressed]] = (),
    ) -> None:
        self.n_rows = 0
        self._name = name
        self._terms = terms
        self.reached = [progressed for _, progressed in earlier]
        bookmarks = [bookmark for bookmark, _ in earlier]
        self._load = bookmarks[0].load if bookmarks else secrets.token_hex(4)
        lasts: Sequence[Bookmark | None] = bookmarks or [None] * len(since)
        self._tracks = [_Track(each, last) for each, last in zip(since, lasts, strict=True)]
        self._has_begun = False

    def passes(self, piece: int, ids: Iterable[str]) -> bool:
        """
        Whether the next batch of a piece was written by the earlier run.

        Raises
        ------
        LoadError
            If the batches come out otherwise than in the earlier run.
        """
        names = list(ids)
        is_done = self._tracks[piece].passes(names)
        self._has_begun = True
        self.n_rows += len(names) if is_done else 0
        return is_done

    def arrive(self) -> None:
        """
        See to it, behind the last batch, that the earlier run had no more than these.

        Raises
        ------
        LoadError
            If it had.
        """
        for track in self._tracks:
            track.arrive()

    def place(self, piece: int) -> BatchPlace:
        """Of the batch of this piece that was passed to ``passes`` last."""
        return self._tracks[piece].place

    def mark(self, piece: int, place: BatchPlace, progressed: Progressed) -> Mark:
        """What to keep with the commit of a batch, before which the load was so far in its piece."""
        since = self._tracks[piece].since
        bookmark = {
            "terms": self._terms,
            **place._asdict(),
            "since": [since.seq, since.hash.decode()],
            "before": asdict(progressed),
            "load": self._load,
        }
        return Mark(self._name, json.dumps(bookmark, separators=(",", ":")))

    def begin(self, store: LoadTarget, begun: Sequence[Progressed]) -> None:
        """
        Have a note in each piece before the first commit to any.

        So a run that continues this one finds the writer of each, and none can commit behind its back.
        """
        places = (track.earlier for track in self._tracks)
        parts = enumerate(zip(places, begun, strict=True))
        store.announce_load(self._name, [self.mark(n, *part).note for n, part in parts])

    def end(self, store: LoadTarget) -> None:
        """The load is complete: there is nothing to resume any more."""
        if self._has_begun:
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
    begun = store.positions_of(since)
    if not resume:
        store.forget_load(name)
        return Trail(name, terms, begun)
    earlier = _earlier(store, name)
    for last, _ in earlier:
        _check(path, last.terms, terms)
    return Trail(name, terms, begun, earlier)


def _earlier(store: LoadTarget, name: str) -> list[tuple[Bookmark, Progressed]]:
    """Last bookmarks of an unfinished load, and how far it is behind their commits; nothing where there is none."""
    found: list[tuple[Bookmark, Progressed]] = []
    for piece in store.pieces:
        marked = piece.take_over(name)
        last = _bookmark(marked.note) if marked else None
        # a run that went on after the server was reset, and died before it noticed, has left a bookmark of too much
        if marked is None or last is None or not piece.has(last.since):
            return []
        found.append((last, _behind(last.before, marked)))
    # the pieces were not set back to the same load
    return found if len({last.load for last, _ in found}) == 1 else []


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
        load = parts.pop("load", "")
        return Bookmark(**parts, place=place, since=since, before=Progressed(**before), load=load)


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:32]


def _fingerprint(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return blake2b(text.encode(errors="surrogateescape"), digest_size=8).hexdigest()


def begun_of(
    pieces: int, n_deals: int, missing: Missing | None, trail: Trail | None
) -> list[Progressed]:
    """How far a load into so many deals is in each piece before its first row: nowhere, or where an earlier run was."""
    if trail and trail.reached:
        # a stage that came with a batch of one piece is new for all
        new_stages = dict.fromkeys(name for each in trail.reached for name in each.new_stages)
        return [replace(each, new_stages=tuple(new_stages)) for each in trail.reached]
    return [
        Progressed(
            counts={"inserted": 0, "updated": 0, "unchanged": 0},
            all_new=n_deals == 0,
            n_deals=missing.n_deals if missing else 0,
            seq=seq,
        )
        for seq in (missing.revs if missing else [0] * pieces)
    ]
