"""What a backup or a restore did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from dealdb.model.notebook import InNotebook

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
