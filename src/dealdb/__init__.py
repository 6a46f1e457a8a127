"""
A deal database on Redis.

A team keeps its deals (sales opportunities, investments, acquisitions) in one Redis or Valkey server; many
processes share them live, and everyone can load, query and analyse them.

>>> from dealdb import DealDatabase
>>> db = DealDatabase(host="localhost", port=6379, db=0, password=None)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dealdb.database import DealDatabase
    from dealdb.errors import (
        AccessDenied,
        ConfigError,
        ConflictError,
        DealDBError,
        DealNotFound,
        LoadError,
        MissingExtra,
        OutcomeUnknown,
        PoolTimeout,
        QueryError,
        SchemaError,
        ServerRefused,
        ServerUnavailable,
        StoreDamaged,
        StoreError,
    )
    from dealdb.pipeline import Kind, Pipeline, Stage
    from dealdb.schema import Field, FieldType, Schema
    from dealdb.store import Deal, SaveResult
    from dealdb.view import DealView

__all__ = [
    "AccessDenied",
    "ConfigError",
    "ConflictError",
    "Deal",
    "DealDBError",
    "DealDatabase",
    "DealNotFound",
    "DealView",
    "Field",
    "FieldType",
    "Kind",
    "LoadError",
    "MissingExtra",
    "OutcomeUnknown",
    "Pipeline",
    "PoolTimeout",
    "QueryError",
    "SaveResult",
    "Schema",
    "SchemaError",
    "ServerRefused",
    "ServerUnavailable",
    "Stage",
    "StoreDamaged",
    "StoreError",
]

# a name is imported at its first use: `dealdb --help` waits neither for the Redis client nor for Polars
_MODULES = {
    "DealDatabase": "database",
    "DealView": "view",
    **dict.fromkeys(("Kind", "Pipeline", "Stage"), "pipeline"),
    **dict.fromkeys(("Field", "FieldType", "Schema"), "schema"),
    **dict.fromkeys(("Deal", "SaveResult"), "store"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"dealdb.{_MODULES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
