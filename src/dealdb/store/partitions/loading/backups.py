"""Backups of a collection of partitions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dealdb.store.partitions.loading.loads import PartitionedLoads

if TYPE_CHECKING:
    from dealdb.store.backup.reports import BackupReport, RestoreReport, Tell


class PartitionedBackups(PartitionedLoads):
    """Backups of all partitions in one file, and what is restored from one of any number of them."""

    def backup(self, path: Path, *, history: bool, overwrite: bool, tell: Tell) -> BackupReport:
        """Write all partitions into a file, each as of one commit; see ``taking.take_all``."""
        from dealdb.store.backup.taking import take_all

        self._read([])
        pieces = [(part.keys, part.to_back_up()) for part in self._partitions]
        return take_all(self.link, pieces, path, history=history, overwrite=overwrite, tell=tell)

    def restore(self, path: Path, tell: Tell) -> RestoreReport:
        """Write all partitions from a file; see ``restoring.restore_all``."""
        from dealdb.store.partitions.loading.restoring import restore_all

        collection, n = self.keys.collection, self.partitions
        return restore_all(self.link, collection, self._beginning, n, path, tell)
