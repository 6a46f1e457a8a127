"""Schema and pipeline of a collection, as the server has them: cached, refreshed, and changed by commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from dealdb.connection import Link
from dealdb.errors import StoreDamaged, StoreError
from dealdb.pipeline import Pipeline
from dealdb.schema import Field, Schema
from dealdb.store.keys import Keys
from dealdb.store.writer import Change, Writers

# each lost race means that another process got its change in; more losses than this are no race
_MAX_TRIES = 100


@dataclass(frozen=True, slots=True)
class _Defined:
    schema: Schema
    pipeline: Pipeline
    pipeline_version: int


class Definitions:
    """What the fields and stages of one collection are."""

    def __init__(self, link: Link, keys: Keys, writers: Writers) -> None:
        self._link = link
        self._keys = keys
        self._writers = writers
        self._cached: _Defined | None = None

    @property
    def schema(self) -> Schema:
        """Schema as last seen."""
        return (self._cached or self._refresh()).schema

    @property
    def pipeline(self) -> Pipeline:
        """Pipeline as last seen."""
        return (self._cached or self._refresh()).pipeline

    def refresh(self) -> Definitions:
        """Read both anew. One round trip."""
        self._refresh()
        return self

    def _refresh(self) -> _Defined:
        reply = self._link.call(
            "HMGET", self._keys.meta, "schema", "pipeline", "pipeline_version", retry=True
        )
        schema_text, pipeline_text, pipeline_version = reply
        try:
            self._cached = _Defined(
                Schema.from_json(schema_text) if schema_text else Schema.standard(),
                Pipeline.from_json(pipeline_text) if pipeline_text else Pipeline(),
                int(pipeline_version or 0),
            )
        except (ValueError, KeyError, TypeError) as problem:
            msg = f"{self._link.settings.where}: the schema or pipeline in {self._keys.meta!r} is not one"
            raise StoreDamaged(msg) from problem
        return self._cached

    def declare(self, fields: Iterable[Field]) -> Schema:
        """
        Add or widen fields; returns the schema in force afterwards.

        Raises
        ------
        SchemaError
            If a field would have to narrow.

        Cost
        ----
        None when there is nothing to change, else two round trips.
        """
        wanted = list(fields)

        def change() -> Change | None:
            schema = self.schema.with_fields(wanted)
            if schema is self.schema and schema.version:
                return None
            version = self.schema.version
            return Change(
                kind="schema",
                version=version,
                payload=replace(schema, version=version + 1).to_json(),
            )

        self._until_done(change)
        return self.schema

    def cover_stages(self, names: Iterable[str]) -> Pipeline:
        """
        Add stages that are not defined yet, with a proposed meaning; returns the pipeline in force afterwards.

        Cost
        ----
        None when there is nothing to add, else two round trips.
        """
        wanted = list(names)
        return self._change_pipeline(lambda pipeline: pipeline.covering(wanted))

    def set_pipeline(self, pipeline: Pipeline) -> Pipeline:
        """Define the pipeline anew; the last one to do so wins."""
        return self._change_pipeline(lambda _: pipeline)

    def anchor(self) -> None:
        """Append a commit that changes nothing: the log then ends in a position that a reader can hold on to."""
        self._until_done(self._pipeline_change, once=True)

    def _pipeline_change(self) -> Change:
        defined = self._cached or self._refresh()
        return Change(
            kind="pipeline", version=defined.pipeline_version, payload=defined.pipeline.to_json()
        )

    def _change_pipeline(self, changed: Callable[[Pipeline], Pipeline]) -> Pipeline:
        def change() -> Change | None:
            after = changed(self.pipeline)
            if after == self.pipeline:
                return None
            return replace(self._pipeline_change(), payload=after.to_json())

        if change() is not None:
            # a collection begins with its schema: the log is then readable from its first entry
            self.declare(())
        self._until_done(change)
        return self.pipeline

    def _until_done(self, change: Callable[[], Change | None], *, once: bool = False) -> None:
        for _ in range(_MAX_TRIES):
            wanted = change()
            if wanted is None:
                return
            reply = self._writers.commit(wanted)
            self._refresh()
            if once and reply.status != "stale":
                return
        msg = f"{self._link.settings.where}: the definitions of {self._keys.collection!r} did not settle"
        raise StoreError(msg)
