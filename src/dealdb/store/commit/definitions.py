"""Schema and pipeline of a collection, as the server has them: cached, refreshed, and changed by commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from dealdb.connection import Link
from dealdb.errors import StoreDamaged, StoreError
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, Schema
from dealdb.store.bounds.wall import Reading, number_in
from dealdb.store.commit.change import Change, Condition, Reply, version_of
from dealdb.store.commit.writers import Writers
from dealdb.store.keys import Keys, check_format

# each lost race means that another process got its change in; more losses than this are not a race
_MAX_TRIES = 100


@dataclass(frozen=True, slots=True)
class Defined:
    """
    Schema and pipeline as the server has them.

    Attributes
    ----------
    schema, pipeline
        Those to work with: the standard ones for what the server does not have yet.
    schema_version, pipeline_version
        Their versions, ``""`` for what it does not have.
    schema_text, pipeline_text
        What it has, as it is written.
    """

    schema: Schema
    schema_version: str
    pipeline: Pipeline
    pipeline_version: str
    schema_text: bytes = b""
    pipeline_text: bytes = b""


class Definitions:
    """
    What the fields and stages of one collection are.

    Parameters
    ----------
    link, keys, writers
        The collection, or one partition of it.
    partitions
        How many partitions the collection is made of.

    Attributes
    ----------
    on_begin
        Called when this process has made the first commit of the collection.
    """

    def __init__(self, link: Link, keys: Keys, writers: Writers, partitions: int = 1) -> None:
        self._link = link
        self._keys = keys
        self._writers = writers
        self._partitions = partitions
        self._cached: Defined | None = None
        self.on_begin: Callable[[], None] | None = None

    @property
    def _known(self) -> Defined:
        return self._cached or self._refresh()

    @property
    def schema(self) -> Schema:
        """Schema as last seen."""
        return self._known.schema

    @property
    def pipeline(self) -> Pipeline:
        """Pipeline as last seen."""
        return self._known.pipeline

    @property
    def exist(self) -> bool:
        """Whether the server has any, as last seen."""
        return bool(self._known.schema_version)

    def version_of(self, schema: Schema) -> str:
        """Version under which the server knows a schema."""
        known = self._known
        return known.schema_version if schema is known.schema else version_of(schema.to_json())

    def is_current(self, schema_version: bytes | None) -> bool:
        """Whether this is the version of the schema as last seen."""
        return (schema_version or b"").decode(errors="replace") == self._known.schema_version

    def has_other_stages(self, pipeline: Pipeline) -> bool:
        """Whether these are not the stages as last seen; no round trip."""
        return self._cached is not None and self._cached.pipeline != pipeline

    def refresh(self) -> Definitions:
        """Read both again. One round trip."""
        self._refresh()
        return self

    def refresh_with(self, *more: str) -> list[Any]:
        """Read both again, and return more fields of the state, of the same moment. One round trip."""
        schema, pipeline, seq, *found = self._read(*more)
        self._take(schema, pipeline, seq)
        return found

    def _refresh(self) -> Defined:
        return self._take(*self._read())

    def _read(self, *more: str) -> list[Any]:
        """Schema, pipeline and the last commit's number as the server has them, and some fields more."""
        return self._checked(self._link.call(*self._asked(*more), retry=True))

    def _asked(self, *more: str) -> tuple[str, ...]:
        return ("HMGET", self._keys.meta, "format", "schema", "pipeline", "seq", *more)

    def _checked(self, reply: list[Any]) -> list[Any]:
        form, *found = reply
        check_format(self._keys, form)
        return found

    def _take(self, schema: bytes | None, pipeline: bytes | None, seq: bytes | None) -> Defined:
        with Reading(f"{self._link.settings.where}: the schema or pipeline in {self._keys.meta!r}"):
            found = Defined(
                Schema.from_json(schema) if schema else Schema.standard(self._partitions),
                version_of(schema) if schema else "",
                Pipeline.from_json(pipeline) if pipeline else Pipeline(),
                version_of(pipeline) if pipeline else "",
                schema or b"",
                pipeline or b"",
            )
        self._check_partitions(found.schema.partitions)
        self._writers.knows(number_in(f"seq in {self._keys.meta!r}", seq))
        self._cached = found
        return found

    def _check_partitions(self, found: int) -> None:
        if found != self._partitions:
            raise StoreDamaged(
                f"{self._link.settings.where}: {self._keys.meta!r} is of a collection of {found} partitions, and this "
                f"program takes it for one of {self._partitions}: open the database again"
            )

    def declare(self, fields: Iterable[Field]) -> Schema:
        """
        Add or widen fields; returns the schema in force afterwards.

        Raises
        ------
        SchemaError
            If a field would have to narrow.

        Cost
        ----
        None when there is nothing to change, else one round trip; another where somebody has committed since a look.
        """
        wanted = list(fields)
        with self._writers.beforehand():
            self._until_done(lambda: self._schema_change(wanted))
        return self.schema

    def _schema_change(self, fields: list[Field]) -> Change | None:
        known = self._known
        schema = known.schema.with_fields(fields)
        if schema is known.schema and known.schema_version:
            return None
        numbered = replace(schema, version=known.schema.version + 1)
        return Change(kind="schema", version=known.schema_version, payload=numbered.to_json())

    def remove(self, name: str, *, seq: int) -> bool:
        """
        Remove a field, provided that nothing was committed since ``seq``; whether it is gone.

        Raises
        ------
        SchemaError
            If there is no such field, or every collection has it.

        Cost
        ----
        Two round trips.
        """
        return self._replaced(self._known.schema.without(name), seq)

    def retype(self, field: Field, *, seq: int) -> bool:
        """
        Give a field another type, provided that nothing was committed since ``seq``; whether it has it.

        Raises
        ------
        SchemaError
            If there is no such field, or every collection has it.

        Cost
        ----
        Two round trips.
        """
        return self._replaced(self._known.schema.retyped(field), seq)

    def _replaced(self, schema: Schema, seq: int) -> bool:
        known = self._known
        change = Change(
            kind="schema",
            version=known.schema_version,
            payload=schema.to_json(),
            condition=Condition.no_commit_since(seq),
        )
        reply = self._writers.commit(change)
        self._refresh()
        return reply.is_done

    def cover_stages(self, names: Iterable[str]) -> Pipeline:
        """Add stages that are not defined yet, with a proposed meaning; else as ``redefine``."""
        wanted = list(names)
        return self.redefine(lambda now: now.covering(wanted))

    def redefine(self, change: Callable[[Pipeline], Pipeline]) -> Pipeline:
        """
        Make another pipeline of the one in force, whoever has changed it meanwhile; returns that in force afterwards.

        Parameters
        ----------
        change
            Asked again where somebody has.

        Cost
        ----
        None when there is nothing to change, else one round trip; another where somebody has committed since a look.
        """
        with self._writers.beforehand():
            self._until_done(lambda: self._pipeline_change(change(self.pipeline)))
        return self.pipeline

    def set_pipeline(self, pipeline: Pipeline) -> None:
        """
        Replace the pipeline; the last one to do so wins.

        Cost
        ----
        One round trip; another where somebody has committed since a look.
        """
        if not self._known.schema_version:
            self.declare([])
        if pipeline == self._known.pipeline:
            # another process may have replaced it since it was seen
            self._refresh()
        self._until_done(lambda: self._pipeline_change(pipeline))

    def _pipeline_change(self, pipeline: Pipeline) -> Change | None:
        known = self._known
        if pipeline == known.pipeline:
            return None
        if not known.schema_version:
            return self._schema_change([])
        return Change(kind="pipeline", version=known.pipeline_version, payload=pipeline.to_json())

    def anchor(self) -> None:
        """Append a commit that changes nothing: the log then ends in a position that a reader can hold on to."""
        for _ in range(_MAX_TRIES):
            known = self._refresh()
            change = Change(
                kind="pipeline", version=known.pipeline_version, payload=known.pipeline.to_json()
            )
            with self._writers.beforehand():
                if self._writers.commit(change).status != "stale":
                    return
        raise self._never_settled()

    def _until_done(self, change: Callable[[], Change | None]) -> None:
        for _ in range(_MAX_TRIES):
            wanted = change()
            if wanted is None:
                return
            begins = not self.exist
            reply = self._writers.commit(wanted)
            # where something happened in between, the other definition may be another by now
            if reply.status == "ok" and self._writers.is_next(reply.counts[0]):
                self._cached = self._with(wanted, reply)
            else:
                self._refresh()
            if begins and self.on_begin:
                self.on_begin()
        raise self._never_settled()

    def _with(self, done: Change, reply: Reply) -> Defined:
        """The definitions with one that was just put in force; the other is as it was last seen."""
        self._writers.knows(reply.counts[0])
        known, text = self._known, done.payload
        data = text.encode() if isinstance(text, str) else text
        if done.kind == "schema":
            schema = Schema.from_json(data)
            return replace(known, schema=schema, schema_version=version_of(data), schema_text=data)
        pipeline = Pipeline.from_json(data)
        return replace(
            known, pipeline=pipeline, pipeline_version=version_of(data), pipeline_text=data
        )

    def _never_settled(self) -> StoreError:
        where, name = self._link.settings.where, self._keys.collection
        return StoreError(
            f"{where}: the definitions of {name!r} did not settle; dealdb check looks for damage"
        )
