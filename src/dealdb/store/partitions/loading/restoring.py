"""
Restoring a collection of partitions from a backup file, which was taken of as many or of another number.

Each partition is written as a collection of one piece is, under a claim of its own. The head is claimed first and
becomes whole last, and nobody reads or writes any partition as long as it is not: so the collection is there at once,
or is one that is being restored. Where the head was left by a restore that died, so was whatever the others have.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from dealdb.connection import Link
from dealdb.errors import StoreError
from dealdb.store.backup.checking import open_backup
from dealdb.store.backup.claim import Claim
from dealdb.store.backup.dividing import divided
from dealdb.store.backup.piece import Backup
from dealdb.store.backup.reports import RestoreReport, Tell
from dealdb.store.backup.restoring import Restorer, restored_of
from dealdb.store.hashes import scan_names
from dealdb.store.keys import FORMAT_OF_RESTORE, Keys
from dealdb.store.partitions.begin import Beginning
from dealdb.store.partitions.layout import partition_of, tag_of


def restore_all(
    link: Link, collection: str, beginning: Beginning, partitions: int, path: Path, tell: Tell
) -> RestoreReport:
    """
    Write a collection of partitions from a backup file; it has to be empty.

    Parameters
    ----------
    beginning
        Of the collection.
    partitions
        How many it has, or is to have.

    Raises
    ------
    BackupError
        If the file is not whole; nothing was written.
    RestoreRefused
        If the collection holds anything, or another process restores into it.
    NotOnPartitions
        If it holds hashes of another program.

    Cost
    ----
    Some ten round trips a partition, and one for some thousand deals; a scan of the keys of the database.
    """
    begun = time.perf_counter()
    number_of = partial(partition_of, partitions=partitions)
    with open_backup(path, tell) as file:
        file.check_places(partial(partition_of, partitions=len(file.pieces)))
        with divided(file, partitions, number_of, tell) as whole:
            restore = _Restore(link, Keys(collection), beginning, whole.pieces, tell)
            cleared, queries = restore.run()
    seconds = time.perf_counter() - begun
    return restored_of(whole.pieces, path, Keys(collection), queries, cleared, seconds)


class _Restore:
    """Writes all partitions."""

    def __init__(
        self, link: Link, keys: Keys, beginning: Beginning, pieces: Sequence[Backup], tell: Tell
    ) -> None:
        self._link = link
        self._keys = keys
        self._beginning = beginning
        self._tell = tell
        n = len(pieces)
        self._parts = [Keys(keys.collection, tag_of(number, n)) for number in range(n)]
        head = Claim(link, self._parts[0])
        self._claims = [head, *(Claim(link, part, head.token) for part in self._parts[1:])]
        self._restorers = [
            Restorer(link, part, piece, claim, self._going_on)
            for part, piece, claim in zip(self._parts, pieces, self._claims, strict=True)
        ]

    def run(self) -> tuple[int, int]:
        """Keys that were left over from another restore, and saved queries that were restored."""
        form = self._link.call("HGET", self._parts[0].meta, "format", retry=True)
        is_left = form == FORMAT_OF_RESTORE
        if not is_left:
            # later nobody could tell whether another restore had left it
            self._demand_nothing()
        head, *others = self._claims
        try:
            is_left = head.take() or is_left
            self._beginning.begin()
            for claim in others:
                claim.take(again=is_left)
            cleared = self._clear(self._claims) if is_left else 0
            self._demand_no_deal()
            for n, restorer in enumerate(self._restorers):
                restorer.write()
                self._tell("writing partitions", n + 1, len(self._restorers), "partitions")
            # the head at last, with the saved queries, which are its alone
            queries = [restorer.finish() for restorer in reversed(self._restorers)][-1]
        except BaseException:
            self._give_up(is_left=is_left)
            raise
        for restorer in self._restorers:
            restorer.confirm()
        return cleared, queries

    def _demand_nothing(self) -> None:
        """That no partition has anything."""
        names = [
            name
            for part in self._parts
            for name in (part.meta, part.log, part.checkpoint, part.queries, part.chunks)
        ]
        looks = [("EXISTS", name) for name in names]
        for name, exists in zip(names, self._link.calls(looks, retry=True), strict=True):
            if exists:
                raise self._claims[0].holds(name)

    def _going_on(self, _phase: str, _done: int, _total: int, _unit: str) -> None:
        """Hold the claim to the head for longer: by it others know that this goes on."""
        self._claims[0].go_on()

    def _hashes(self, claims: Sequence[Claim]) -> Iterator[tuple[Claim, list[bytes]]]:
        """Keys of deals, with the claim to their partition; one scan for all."""
        by_prefix = {claim.deal_prefix.encode(): claim for claim in claims}
        for names in scan_names(self._link, self._keys):
            self._claims[0].go_on()
            found: dict[bytes, list[bytes]] = {}
            for name in names:
                found.setdefault(name[: name.find(b":", name.find(b"}")) + 1], []).append(name)
            for prefix in by_prefix.keys() & found.keys():
                yield by_prefix[prefix], found[prefix]

    def _clear(self, claims: Sequence[Claim]) -> int:
        n_removed = sum(claim.clear_deals(names) for claim, names in self._hashes(claims))
        return n_removed + sum(claim.clear_rest() for claim in claims)

    def _demand_no_deal(self) -> None:
        for claim, names in self._hashes(self._claims):
            raise claim.holds(names[0].decode(errors="replace"))

    def _give_up(self, *, is_left: bool) -> None:
        """Remove what was written, and leave the collection as empty as it was, if that can be done now."""
        # else the next restore does it
        with suppress(StoreError):
            head, *others = self._claims
            # where it is whole by now, or another's, nothing is taken back
            if not head.is_held():
                return
            # without the head nobody could tell any more that what another restore has left is no collection
            taken = others if is_left else [claim for claim in others if claim.was_given()]
            for claim in taken:
                # those that are whole already, too
                claim.take(again=True)
            self._clear([head, *taken])
            for claim in taken:
                claim.leave()
            # without commits it need not have as many partitions for good
            self._beginning.undo(is_left=is_left)
            head.leave()
