"""
What the hashes of another program say, as fields of dealdb: decided from all of them.

How texts become amounts and dates is known to the loader, which is above the store: the facade hands it down as a
``ReadHashes``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, Self, TypeAlias

import polars as pl

from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, FieldType, Schema

# columns of a frame of hashes that are not fields
NOT_FIELDS = frozenset(("id", "_row", "_rev"))


class Derived(NamedTuple):
    """
    Fields that dealdb adds to some hashes.

    Attributes
    ----------
    texts
        A column of texts by field, null for nothing.
    unreadable
        Row and hash field of each text that none could be made of.
    """

    texts: Mapping[str, pl.Series]
    unreadable: Sequence[tuple[int, str]]


class HashReading(Protocol):
    """How all hashes of a collection are read."""

    @property
    def fields(self) -> Sequence[Field]:
        """Columns of the hashes' own fields, and of those that dealdb adds."""
        ...

    @property
    def mapping(self) -> Mapping[str, str]:
        """Field that is added by the hash field that it is made of."""
        ...

    @property
    def depends(self) -> Mapping[str, Collection[str]]:
        """Hash fields that each added field is made of."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What was decided on the way."""
        ...

    def derived(self, raw: pl.DataFrame, /) -> Derived:
        """The fields that are added to some hashes, given as columns of texts."""
        ...


class Given(NamedTuple):
    """
    What is known before the hashes are read.

    Attributes
    ----------
    schema, pipeline
        Of the collection.
    mapping
        Fields that hash fields become, None for one that stays what it is.
    added
        Fields of the hashes that an adoption has added.
    asked
        Those of ``mapping`` that a caller asks for now: that one of these isn't there is an error.
    is_settled
        Whether no other hash field becomes another field: the collection was adopted before.
    """

    schema: Schema
    pipeline: Pipeline
    mapping: Mapping[str, str | None]
    added: Collection[str] = ()
    asked: Collection[str] = ()
    is_settled: bool = False

    @classmethod
    def of(cls, schema: Schema, pipeline: Pipeline, settled: str | bytes | None) -> Self:
        """What a collection says; ``settled`` is what an adoption has left, as ``settled_by`` wrote it."""
        document = json.loads(settled) if settled else {"mapping": {}, "added": []}
        mapping, added = document["mapping"], document["added"]
        names = [*mapping, *added, *filter(None, mapping.values())]
        if type(added) is not list or not all(type(name) is str for name in names):
            msg = "not what an adoption has left"
            raise ValueError(msg)
        return cls(schema, pipeline, mapping, added, is_settled=settled is not None)


def settled_by(reading: HashReading) -> str:
    """What a later repair has to know of an adoption: JSON."""
    document = {"mapping": dict(reading.mapping), "added": sorted(reading.depends)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


ReadHashes: TypeAlias = Callable[[pl.DataFrame, Given], HashReading]


class PlainReading:
    """The simplest reading: every field stays what it is, and is text where nobody has said otherwise."""

    mapping: Mapping[str, str] = {}
    depends: Mapping[str, Collection[str]] = {}
    notes: Sequence[str] = ()

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = fields

    def derived(self, _raw: pl.DataFrame, /) -> Derived:
        """Nothing is added."""
        return Derived({}, ())


def read_plainly(raw: pl.DataFrame, given: Given) -> PlainReading:
    """
    Read hashes without a loader.

    Examples
    --------
    >>> raw = pl.DataFrame({"id": ["1"], "region": ["EMEA"]})
    >>> [field.name for field in read_plainly(raw, Given(Schema.standard(), Pipeline(), {})).fields]
    ['region']
    """
    names = [name for name in raw.columns if name not in NOT_FIELDS and name not in given.schema]
    return PlainReading([Field(name, FieldType.TEXT) for name in names])
