"""
Loading deals from files, pipes, data frames and iterables, and exporting them.

The order of the parts; nothing imports from a part behind it:
chunk → report, store_protocol, load_options, export → saved_mapping, rests_on, cells, progress, rejects → columns →
objects, hash_reading → sources → derive, side_table, tables → history → facts → writing → loader.
"""

from __future__ import annotations

from dealdb.loader.export import EXPORT_FORMATS, ExportReport
from dealdb.loader.loader import DataLoader
from dealdb.loader.report import LoadReport, MappedColumn, Progress
from dealdb.loader.saved_mapping import SavedMapping
from dealdb.loader.side_table import TextDatesWarning, read_table
from dealdb.loader.store_protocol import LoadTarget, WriteCounts

__all__ = [
    "EXPORT_FORMATS",
    "DataLoader",
    "ExportReport",
    "LoadReport",
    "LoadTarget",
    "MappedColumn",
    "Progress",
    "SavedMapping",
    "TextDatesWarning",
    "WriteCounts",
    "read_table",
]
