"""Loading deals from files, pipes, data frames and iterables."""

from __future__ import annotations

from dealdb.loader.load import DataLoader, Store, Written
from dealdb.loader.report import LoadReport, MappedColumn, Progress

__all__ = ["DataLoader", "LoadReport", "MappedColumn", "Progress", "Store", "Written"]
