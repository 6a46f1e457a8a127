"""
Reading a backup file, and trusting nothing in it.

Everything is looked at before anything of it is used: here the checksum of each part and of the whole, and in ``piece``
what they say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dealdb.errors import BackupError
from dealdb.model.schema import Schema
from dealdb.store.backup.contents import Many, unpack_done
from dealdb.store.backup.files import opened
from dealdb.store.backup.parts import DONE, FORMAT_OF_MANY, HEAD, MANY, Part, PartReader
from dealdb.store.backup.piece import Backup, must, reading
from dealdb.store.backup.reports import BackupReport, Tell, quietly, report_of
from dealdb.store.leaving import covers


class BackupFile:
    """
    A backup file that was looked through, and found whole.

    Attributes
    ----------
    pieces
        What it has of each partition; of a collection that is not made of partitions, all of it.
    digest, size
        SHA-256 and bytes of the file.
    """

    def __init__(self, reader: PartReader, tell: Tell) -> None:
        self._reader = reader
        self.pieces: list[Backup] = []
        self._gather(tell)
        self.digest, self.size = reader.digest, reader.size
        for piece in self.pieces:
            piece.check(tell)
        with reading(self._reader, None):
            self._check_together()

    def _check_together(self) -> None:
        """That the pieces are those of one collection, of which each partition has what the first one has had."""
        head, n = self.pieces[0], len(self.pieces)
        for number, piece in enumerate(self.pieces):
            must(
                piece.head.collection == head.head.collection,
                f"partition {number} is of another collection",
            )
            if piece.end.generation is None:
                continue
            own = piece.end.generation.schema
            must(own.partitions == n, f"partition {number} is one of {own.partitions}, not of {n}")
            leads = head.end.generation.schema if head.end.generation else Schema(0, ())
            must(
                own.version <= leads.version and covers(leads, own),
                f"partition {number} has fields that the first one has not",
            )

    def check_places(self, number_of: Callable[[str], int]) -> None:
        """
        See to it that no piece is in the place of another.

        Another program may have had a deal committed to a partition that it does not belong to; not all of one.

        Parameters
        ----------
        number_of
            Which of its pieces a deal is in, by its id.

        Raises
        ------
        BackupError
            If one has deals, and none of them belongs to it.
        """
        for number, piece in enumerate(self.pieces):
            ids = piece.ids().drop_nulls()
            is_here = ids.is_empty() or any(number_of(deal) == number for deal in ids)
            with reading(self._reader, None):
                must(is_here, f"what is in the place of partition {number} is another one")

    def _gather(self, tell: Tell) -> None:
        """Compare all checksums, and note where the parts are."""
        n_pieces = 0
        for part, payload, before in self._reader.all():
            tell("checking", part.start + part.size, self._reader.size, "bytes")
            has_many = self._reader.form == FORMAT_OF_MANY
            if part.number == 0:
                n_pieces = 1
                if has_many != (part.kind == MANY):
                    raise self._misplaced(part)
            with reading(self._reader, part):
                if has_many and part.number == 0:
                    n_pieces = Many.from_json(payload).partitions
                    continue
                if has_many and part.kind == DONE:
                    must(unpack_done(payload) == before, "the file before it has another SHA-256")
                    must(len(self.pieces) == n_pieces and self.pieces[-1].is_ended)
                    continue
            self._piece_of(part).take_in(part, payload, before)

    def _piece_of(self, part: Part) -> Backup:
        is_between = not self.pieces or self.pieces[-1].is_ended
        if is_between != (part.kind == HEAD) or part.kind in (MANY, DONE):
            raise self._misplaced(part)
        if is_between:
            self.pieces.append(Backup(self._reader))
        return self.pieces[-1]

    def _misplaced(self, part: Part) -> BackupError:
        return self._reader.trouble("the head is not where it should be", part.number, part.offset)

    def report(self, path: Path, seconds: float) -> BackupReport:
        """What it holds, for people."""
        facts = [piece.facts() for piece in self.pieces]
        head = self.pieces[0].head
        return report_of(
            facts, path=path, collection=head.collection, size=self.size, sha256=self.digest, seconds=seconds
        )  # fmt: skip


@contextmanager
def open_backup(path: Path, tell: Tell = quietly) -> Iterator[BackupFile]:
    """
    A backup file, looked through from its beginning to its end.

    Raises
    ------
    BackupError
        If it is damaged, of a newer format, or no backup.

    Cost
    ----
    Two reads of the file, and the memory of its ids and of one part.
    """
    with opened(path) as file:
        yield BackupFile(PartReader(file, path.name), tell)


def partitions_in(path: Path) -> int:
    """
    How many partitions a backup file has; 1 for one of a collection that is not made of them.

    Raises
    ------
    BackupError
        As of ``open_backup``, as far as the first part shows it.
    """
    with opened(path) as file:
        reader = PartReader(file, path.name)
        part, payload, _ = next(reader.all())
        if reader.form != FORMAT_OF_MANY:
            return 1
        with reading(reader, part):
            return Many.from_json(payload).partitions


def check_backup(path: Path, tell: Tell = quietly) -> BackupReport:
    """What a backup file holds, after it was found whole; see ``open_backup``. No round trip."""
    begun = time.perf_counter()
    with open_backup(path, tell) as backup:
        return backup.report(path, time.perf_counter() - begun)
