"""
Renaming and dropping a column.

Both go deal by deal in ordinary commits, each moving the values that the hashes hold at that moment, and end with a
commit of the schema that holds only if nothing was committed since the last deal was done. So they can be
interrupted and repeated, no change made meanwhile is lost, and any reader sees each deal before or after.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import replace

from polars.selectors import by_name

from dealdb.errors import SchemaError, StoreError
from dealdb.model.schema import Field
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.writers import Writers
from dealdb.store.live.columns import LiveColumns
from dealdb.store.replica.snapshot import Snapshot
from dealdb.store.upkeep.adopter import BATCH, MAX_TRIES, Adopt, Adopter
from dealdb.store.upkeep.repair import Audit
from dealdb.store.upkeep.retype import Retype


class AnyReshape(ABC):
    """
    Changes of a collection's columns, whatever it is made of.

    Parameters
    ----------
    definitions
        Of the collection.
    look
        Gives its deals as of now, with these columns at least; None for all.
    """

    def __init__(
        self, definitions: Definitions, look: Callable[[Collection[str] | None], Snapshot]
    ) -> None:
        self._definitions = definitions
        self._look = look

    def rename(self, old: str, new: str) -> None:
        """
        Give a column another name.

        Raises
        ------
        SchemaError
            If there is no such column, every collection has it, or the new name is taken by one of another type that
            has values; or the values don't fit the type of an empty one.

        Cost
        ----
        A round trip for every 200 deals that have a value there.
        """
        schema = self._definitions.refresh().schema
        schema.check_own(old)
        field = schema[old]
        wanted = Field(new, field.type, field.scale)
        if schema.get(new, wanted) != wanted and self._is_empty(new):
            # nothing there could be taken for something else
            self.retype(replace(schema[new], name=old))
            field = self._definitions.refresh().schema[old]
            wanted = replace(field, name=new)
        elif schema.get(new, wanted) != wanted:
            msg = f"field {old!r} can't become {new!r}: that exists already and holds {schema[new].describe()}"
            raise SchemaError(msg, field=new)
        self._definitions.declare([wanted])
        if new == "stage":
            # like a save: the stages get a meaning before there are deals in them
            values = self._look([old]).frame[old]
            self._definitions.cover_stages(values.drop_nulls().unique().sort().to_list())
        self._empty(old, into=new)

    @abstractmethod
    def retype(self, field: Field, *, clears: bool = False) -> None:
        """Give a column another type; see ``Retype.retype``."""

    def _is_empty(self, name: str) -> bool:
        column = self._look([name]).frame[name]
        return column.null_count() == column.len()

    def drop(self, name: str) -> None:
        """
        Remove a column and its values; the history keeps them.

        Raises
        ------
        SchemaError
            If there is no such column, or every collection has it.

        Cost
        ----
        A round trip for every 200 deals that have a value there.
        """
        self._definitions.refresh().schema.check_own(name)
        self._empty(name, into=None)

    @abstractmethod
    def _empty(self, name: str, *, into: str | None) -> None:
        """Move a column's values into another one, or clear them, until there are none, then remove it."""


def moving(name: str, into: str | None) -> tuple[list[str], list[str | None]]:
    """Fields that are mended when a column's values leave it, and where each gets its text from."""
    return ([into, name], [name, None]) if into is not None else ([name], [None])


def kept_changing(name: str) -> StoreError:
    """Error where other writers came in between each time."""
    msg = f"field {name!r}: other writers kept changing deals; repeat it, what is done stays done"
    return StoreError(msg)


class Reshape(AnyReshape):
    """Changes of one collection's columns."""

    def __init__(
        self,
        definitions: Definitions,
        audit: Audit,
        adopter: Adopter,
        live: LiveColumns,
        writers: Writers,
    ) -> None:
        super().__init__(definitions, live.snapshot)
        self._writers = writers
        self._audit = audit
        self._adopter = adopter
        self._live = live
        self._retype = Retype(definitions, audit, adopter, live, writers)

    def retype(self, field: Field, *, clears: bool = False) -> None:
        """Give a column another type; see ``Retype.retype``."""
        self._retype.retype(field, clears=clears)

    def _empty(self, name: str, *, into: str | None) -> None:
        fields, sources = moving(name, into)
        for _ in range(MAX_TRIES):
            snapshot = self._live.snapshot()
            if name not in snapshot.schema:
                return
            full = snapshot.frame.filter(by_name(name).is_not_null())["id"].to_list()
            moved = 0
            for first in range(0, len(full), BATCH):
                ids = full[first : first + BATCH]
                with self._writers.beforehand():
                    moved += self._adopter.mend(
                        ids, fields, sources, [Adopt.WHERE_IT_CHANGES] * len(ids)
                    )
            if full and not moved:
                # the hashes have no such values: other programs removed or replaced them
                self._audit.repair()
            if not full and self._definitions.remove(name, seq=snapshot.seq):
                return
        raise kept_changing(name)
