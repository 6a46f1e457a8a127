"""What a backup or a restore did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256 as sha256_of
from pathlib import Path
from typing import NamedTuple, TypeAlias

from dealdb.model.notebook import InNotebook
from dealdb.store.history.reading import moment_of
from dealdb.store.log.entry import Entry, Position

# what is being done, how much of it is done, of how much, and of what
Tell: TypeAlias = Callable[[str, int, int, str], None]


def quietly(_phase: str, _done: int, _total: int, _unit: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport(InNotebook):
    """
    What is in a backup.

    Attributes
    ----------
    path
        The file.
    collection
        Collection that it was taken from.
    seq, hash
        The commit that it ends with, and its chain hash: the position in the history.
    when
        When that commit was made, UTC; None for a collection without commits.
    deals
        Deals as of that commit, by the log: what other programs did to the hashes since is not in it.
    fields
        Columns, ``id`` among them.
    commits
        Commits of the history that are in it; 0 for a backup without history.
    history
        Whether the whole history is in it.
    queries
        Saved queries.
    bytes, sha256
        Size and SHA-256 of the file, as ``sha256sum`` prints it.
    seconds
        Time that it took.
    partitions
        How many the collection has. Of several, ``seq`` is how many commits they have in all, and ``hash`` is made of
        the chain hashes of all.
    """

    path: str
    collection: str
    seq: int
    hash: str
    when: datetime | None
    deals: int
    fields: int
    commits: int
    history: bool
    queries: int
    bytes: int
    sha256: str
    seconds: float
    partitions: int = 1


class PieceFacts(NamedTuple):
    """What a report says of one piece of a collection; as in ``BackupReport``."""

    position: Position
    last: Entry | None
    deals: int
    fields: int
    history: bool
    queries: int


def position_of(pieces: Sequence[Position]) -> tuple[int, str]:
    """``seq`` and ``hash`` of a report on these pieces, in their order."""
    if len(pieces) == 1:
        return pieces[0].seq, pieces[0].hash.decode()
    seq = sum(each.seq for each in pieces)
    chains = " ".join(f"{each.seq}-{each.hash.decode()}" for each in pieces)
    return seq, sha256_of(chains.encode()).hexdigest()[:16] if seq else ""


def report_of(
    pieces: Sequence[PieceFacts], *, path: Path, collection: str, size: int, sha256: str, seconds: float
) -> BackupReport:  # fmt: skip
    """Report on a backup of these pieces, the head first."""
    seq, chain = position_of([piece.position for piece in pieces])
    history = any(piece.history for piece in pieces)
    return BackupReport(
        path=str(path),
        collection=collection,
        seq=seq,
        hash=chain,
        when=max((moment_of(piece.last) for piece in pieces if piece.last), default=None),
        deals=sum(piece.deals for piece in pieces),
        fields=pieces[0].fields,
        commits=seq if history else 0,
        history=history,
        queries=pieces[0].queries,
        bytes=size,
        sha256=sha256,
        seconds=seconds,
        partitions=len(pieces),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport(InNotebook):
    """
    What a restore did.

    Attributes
    ----------
    path
        The file.
    collection
        Collection that was restored.
    source
        Collection that the backup was taken from.
    seq, hash
        The last commit, and its chain hash: where the collection continues.
    deals, commits, queries
        As in ``BackupReport``; a saved query that was there already stays as it is, and does not count.
    history
        Whether the whole history is there again.
    cleared
        Keys that an unfinished restore had left, and that were removed first.
    seconds
        Time that it took.
    partitions
        How many the collection has now; else as in ``BackupReport``. In another number than the backup was taken of,
        commits have other numbers.
    """

    path: str
    collection: str
    source: str
    seq: int
    hash: str
    deals: int
    commits: int
    queries: int
    history: bool
    cleared: int
    seconds: float
    partitions: int = 1
