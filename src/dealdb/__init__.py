"""
A deal database on Redis.

A team keeps its deals (sales opportunities, investments, acquisitions) in one Redis or Valkey server; many
processes share them live, and everyone can load, query and analyse them.

>>> from dealdb import DealDatabase
>>> db = DealDatabase(host="localhost", port=6379, db=0, password=None)
"""

from importlib import import_module

# what type checkers take it for; to import typing would be most of the time before Ctrl-C is handled
TYPE_CHECKING = False

if TYPE_CHECKING:
    from dealdb.analytics import Basis, MetricResult
    from dealdb.connection import Danger, NodeHealth, PoolStats, ServerHealth
    from dealdb.connection.embedded.mend import MendReport
    from dealdb.database import DealDatabase, NotAdoptedWarning
    from dealdb.errors import (
        AccessDenied,
        BackupError,
        ConfigError,
        ConflictError,
        DealDBError,
        DealNotFound,
        FeedReset,
        ForkError,
        LoadError,
        LoadReset,
        MissingExtra,
        NotAdopted,
        NotDurable,
        NotOnPartitions,
        NotYetKnown,
        OutcomeUnknown,
        PoolTimeout,
        QueryError,
        RestoreRefused,
        SchemaError,
        ServerRefused,
        ServerUnavailable,
        StoreDamaged,
        StoreError,
        WriterClash,
    )
    from dealdb.loader import ExportReport, LoadReport, MappedColumn, Progress, SavedMapping
    from dealdb.loader.tables.kept import TableReport
    from dealdb.loader.tables.quotas import Quotas
    from dealdb.loader.tables.rates import Rates
    from dealdb.model.jsonable import to_jsonable
    from dealdb.model.pipeline import Kind, Pipeline, Stage
    from dealdb.model.schema import Field, FieldType, Schema
    from dealdb.query import Explanation, Facet, Page, SavedQuery
    from dealdb.store import Deal, DealPlace, SaveResult
    from dealdb.store.backup.reports import BackupReport, RestoreReport
    from dealdb.store.history.feed import Feed
    from dealdb.store.history.feed_commits import Commit, DealChange
    from dealdb.store.upkeep.check import CheckReport, Difference, Problem
    from dealdb.store.upkeep.doctor import Finding
    from dealdb.store.upkeep.health import Health
    from dealdb.store.upkeep.repair import RepairReport
    from dealdb.view import DealView

__all__ = [
    "AccessDenied",
    "BackupError",
    "BackupReport",
    "Basis",
    "CheckReport",
    "Commit",
    "ConfigError",
    "ConflictError",
    "Danger",
    "Deal",
    "DealChange",
    "DealDBError",
    "DealDatabase",
    "DealNotFound",
    "DealPlace",
    "DealView",
    "Difference",
    "Explanation",
    "ExportReport",
    "Facet",
    "Feed",
    "FeedReset",
    "Field",
    "FieldType",
    "Finding",
    "ForkError",
    "Health",
    "Kind",
    "LoadError",
    "LoadReport",
    "LoadReset",
    "MappedColumn",
    "MendReport",
    "MetricResult",
    "MissingExtra",
    "NodeHealth",
    "NotAdopted",
    "NotAdoptedWarning",
    "NotDurable",
    "NotOnPartitions",
    "NotYetKnown",
    "OutcomeUnknown",
    "Page",
    "Pipeline",
    "PoolStats",
    "PoolTimeout",
    "Problem",
    "Progress",
    "QueryError",
    "Quotas",
    "Rates",
    "RepairReport",
    "RestoreRefused",
    "RestoreReport",
    "SaveResult",
    "SavedMapping",
    "SavedQuery",
    "Schema",
    "SchemaError",
    "ServerHealth",
    "ServerRefused",
    "ServerUnavailable",
    "Stage",
    "StoreDamaged",
    "StoreError",
    "TableReport",
    "WriterClash",
    "to_jsonable",
]

# a name is imported at its first use: `dealdb --help` waits neither for the Redis client nor for Polars
_MODULES = {
    **dict.fromkeys(("Basis", "MetricResult"), "analytics"),
    **dict.fromkeys(("Danger", "NodeHealth", "PoolStats", "ServerHealth"), "connection"),
    "MendReport": "connection.embedded.mend",
    **dict.fromkeys(("DealDatabase", "NotAdoptedWarning"), "database"),
    **dict.fromkeys(
        ("ExportReport", "LoadReport", "MappedColumn", "Progress", "SavedMapping"), "loader"
    ),
    "Quotas": "loader.tables.quotas",
    "Rates": "loader.tables.rates",
    "TableReport": "loader.tables.kept",
    "to_jsonable": "model.jsonable",
    **dict.fromkeys(("Kind", "Pipeline", "Stage"), "model.pipeline"),
    **dict.fromkeys(("Explanation", "Facet", "Page", "SavedQuery"), "query"),
    **dict.fromkeys(("Field", "FieldType", "Schema"), "model.schema"),
    **dict.fromkeys(("Deal", "DealPlace", "SaveResult"), "store"),
    **dict.fromkeys(("CheckReport", "Difference", "Problem"), "store.upkeep.check"),
    "RepairReport": "store.upkeep.repair",
    **dict.fromkeys(("BackupReport", "RestoreReport"), "store.backup.reports"),
    **dict.fromkeys(("Commit", "DealChange"), "store.history.feed_commits"),
    "Feed": "store.history.feed",
    "Finding": "store.upkeep.doctor",
    "Health": "store.upkeep.health",
    "DealView": "view",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"dealdb.{_MODULES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
