"""What a collection of partitions can't do yet: each of these methods says so, and reads and writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Never

from dealdb.errors import NotOnPartitions

if TYPE_CHECKING:
    from dealdb.store.backup.reports import BackupReport, RestoreReport, Tell
    from dealdb.store.commit.load_notes import Marked


def cannot(what: str) -> NotOnPartitions:
    """Error that says what is not possible yet."""
    return NotOnPartitions(
        f"{what} can't be had of a collection of several partitions yet; nothing was read or written"
    )


class NotYet:
    """
    Methods of ``Store`` that a collection of partitions has not got yet.

    Raises
    ------
    NotOnPartitions
        By each of them.
    """

    def _refuse(self, what: str) -> Never:
        raise cannot(what)

    def backup(self, path: Path, *, history: bool, overwrite: bool, tell: Tell) -> BackupReport:  # noqa: ARG002  # the store's signature
        """A backup."""
        self._refuse("a backup")

    def restore(self, path: Path, tell: Tell) -> RestoreReport:  # noqa: ARG002  # likewise
        """A restore."""
        self._refuse("a restore")

    def take_over(self, load: str) -> Marked | None:  # noqa: ARG002  # likewise
        """The note of a load that died."""
        self._refuse("a load that is resumed")
