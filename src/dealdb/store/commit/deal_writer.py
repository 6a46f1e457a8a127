"""
Deals are saved, added and deleted: each change is prepared with the schema in force, and again where that is another.

The script refuses what was prepared with another schema than the one in force, since a text that fits one field may not
fit its successor. So every method here is a loop: prepare, commit, and where that was stale, look and prepare again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from dealdb.connection import Link
from dealdb.errors import ConflictError, DealNotFound, SchemaError, StoreError
from dealdb.model.fiscal import time_zone
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, FieldType, Schema, check_field_name
from dealdb.model.values import encode, encode_id, infer, widened
from dealdb.store.commit.change import (
    Condition,
    Lazily,
    Mark,
    Reply,
    adding,
    deleting,
    setting_all,
    setting_one,
)
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.writers import Writers
from dealdb.store.deal import SaveResult, Written
from dealdb.store.keys import Keys

if TYPE_CHECKING:
    # it imports Polars, which takes longer than a single deal takes to save
    from dealdb.store.commit.batch import Batch

# so often may others change the schema between a look at it and the commit; loads that begin together do a few times
_MAX_TRIES = 20


class DealWriter:
    """Writes the deals of one collection."""

    def __init__(self, link: Link, keys: Keys, writers: Writers, definitions: Definitions) -> None:
        self._link = link
        self._keys = keys
        self._writers = writers
        self._definitions = definitions

    def save(
        self,
        deal: Mapping[str, object],
        *,
        expect_rev: int | None = None,
        must_exist: bool = False,
        at: int = 0,
    ) -> SaveResult:
        """
        Save one deal: fields that are not given stay, None clears; ``at`` says since when, 0 for now.

        Raises
        ------
        SchemaError
            If a value doesn't fit its field, or ``at`` is still to come.
        ConflictError
            If the deal does not have revision ``expect_rev`` (0: no such deal).
        DealNotFound
            If ``must_exist`` and there is no such deal.

        Cost
        ----
        One round trip; some more for the first deal with a new field or stage.
        """
        deal_id = encode_id(deal.get("id"))
        condition = Condition.deal_exists() if must_exist else _revision(expect_rev)
        for _ in range(_MAX_TRIES):
            schema, texts = self._encoded(deal, deal_id)
            self._cover_stage(texts.get("stage"))
            version = self._definitions.version_of(schema)
            change = setting_one(version, deal_id, texts, condition, at)
            if "stage" in texts:
                change = change._replace(zone=_known_zone(self._definitions.pipeline))
            reply = self._writers.commit(change)
            match reply.status:
                case "ok" | "repeat":
                    seq, inserted, _, _ = reply.counts
                    return SaveResult(
                        id=deal_id, rev=seq, outcome="inserted" if inserted else "updated"
                    )
                case "unchanged":
                    return SaveResult(id=deal_id, rev=int(reply.rest[0]), outcome="unchanged")
                case "conflict":
                    raise _conflict(deal_id, expect_rev, int(reply.rest[0]))
            self._definitions.refresh()
        raise self._never_settled()

    def write(
        self,
        schema: Schema,
        batch: Batch,
        *,
        max_rev: int | None = None,
        mark: Mark | None = None,
    ) -> Written:
        """
        Save a batch of deals in one commit: null clears; columns that are not given stay, unless it replaces.

        Parameters
        ----------
        schema
            The one that the texts were encoded with.
        batch
            Deals, each once; some hundreds, since the server does nothing else meanwhile. Texts as
            ``dealdb.model.columns.encode_column`` makes them.
        max_rev
            Latest revision that any of the deals may have, 0 if none may exist.
        mark
            Note on a load, to be kept if the commit changes anything; see ``take_over``.

        Raises
        ------
        SchemaError
            If another process has meanwhile given a field a type that the texts don't fit, or an id is given twice.
        ConflictError
            If a deal has a later revision than ``max_rev``; nothing was written.

        Cost
        ----
        One round trip.
        """
        _check_ids(batch)
        # a column that is only cleared must not come back after somebody has dropped it
        used = [schema[name] for name in batch.given]
        for _ in range(_MAX_TRIES):
            current = self._current(schema, used)
            version, sent = self._definitions.version_of(current), batch.within(current)
            reply = self._writers.commit(setting_all(version, sent, _at_most(max_rev), mark))
            match reply.status:
                case "ok" | "repeat":
                    return _written(reply)
                case "unchanged":
                    return Written(seq=0, inserted=0, updated=0, unchanged=len(batch))
                case "conflict":
                    raise _later(batch.ids, max_rev, reply)
            # the texts stay good as long as their fields only widen
            self._definitions.refresh()
            schema = self._definitions.declare(used)
        raise self._never_settled()

    def add(
        self, schema: Schema, batches: Sequence[Batch], marks: Sequence[Mark | None] | None = None
    ) -> int:
        """
        Add batches of new deals, in a commit each, all sent together: the server need not wait for the next one.

        Parameters
        ----------
        schema
            The one that the texts were encoded with.
        batches
            As for ``write``.
        marks
            One for each batch, as for ``write``.

        Returns
        -------
        int
            How many batches, from the first on, were added; the next one, if any, has a deal that exists. It was not
            written, and none of those behind it.

        Raises
        ------
        SchemaError
            As ``write`` raises it; batches before may have been added.

        Cost
        ----
        One round trip.
        """
        for batch in batches:
            _check_ids(batch)
        used = [schema[name] for name in dict.fromkeys(chain(*(b.given for b in batches)))]
        noted = list(zip(batches, marks or [None] * len(batches), strict=True))
        n_added = 0
        for _ in range(_MAX_TRIES):
            version = self._definitions.version_of(self._current(schema, used))
            # made one by one as they are sent: the server has the first ones meanwhile
            replies = self._writers.commit_all(
                Lazily([partial(adding, version, *each) for each in noted[n_added:]])
            )
            n_added += sum(reply.is_done for reply in replies)
            if n_added == len(batches) or replies[-1].status == "known":
                return n_added
            self._definitions.refresh()
            schema = self._definitions.declare(used)
        raise self._never_settled()

    def delete(
        self, deal_id: str, *, expect_rev: int | None = None, adopt: Callable[[str], bool]
    ) -> bool:
        """
        Delete a deal; False when there was none.

        Parameters
        ----------
        adopt
            Has the log see a hash that another program wrote, by its deal's id; says whether there is such a hash.

        Raises
        ------
        ConflictError
            If the deal does not have revision ``expect_rev``.

        Cost
        ----
        One round trip; another when there is no such deal.
        """
        condition = _revision(expect_rev)
        for _ in range(_MAX_TRIES):
            version = self._definitions.version_of(self._definitions.schema)
            reply = self._writers.commit(deleting(version, [deal_id], condition))
            match reply.status:
                case "ok" | "repeat":
                    return True
                case "unchanged" if adopt(deal_id):
                    # another program's hash, which the log has seen only now, and which has a revision by that
                    if condition == Condition.revision_is(0):
                        rev = self._link.call("HGET", self._keys.deal(deal_id), "_rev", retry=True)
                        # none where somebody has deleted it since: then there is nothing to delete
                        condition = Condition.revision_is(int(rev or 0))
                    continue
                case "unchanged":
                    return False
                case "conflict":
                    raise _conflict(deal_id, expect_rev, int(reply.rest[0]))
            if not self._definitions.refresh().exist:
                return False
        raise self._never_settled()

    def delete_many(
        self, ids: Sequence[str], *, max_rev: int | None = None, mark: Mark | None = None
    ) -> int:
        """
        Delete deals in one commit; how many of them there were.

        Parameters
        ----------
        ids
            Deals; some hundreds, since the server does nothing else meanwhile.
        max_rev
            Latest revision that any of them may have.
        mark
            As for ``write``.

        Raises
        ------
        ConflictError
            If a deal has a later revision than ``max_rev``; nothing was deleted.

        Cost
        ----
        One round trip.
        """
        for _ in range(_MAX_TRIES):
            version = self._definitions.version_of(self._definitions.schema)
            reply = self._writers.commit(deleting(version, ids, _at_most(max_rev), mark))
            match reply.status:
                case "ok" | "repeat":
                    return _written(reply).updated
                case "unchanged":
                    return 0
                case "conflict":
                    raise _later(ids, max_rev, reply)
            if not self._definitions.refresh().exist:
                return 0
        raise self._never_settled()

    def _current(self, schema: Schema, used: Iterable[Field]) -> Schema:
        """The schema as last seen where it has the same fields, which others may have been added to."""
        known = self._definitions.schema
        same = self._definitions.exist and all(known.get(field.name) == field for field in used)
        return known if same else schema

    def _encoded(
        self, deal: Mapping[str, object], deal_id: str
    ) -> tuple[Schema, dict[str, str | None]]:
        """Texts by field, and the schema in which each field exists and is wide enough for them."""
        for _ in range(_MAX_TRIES):
            schema, texts, needed = self._encoded_by_schema(deal, deal_id)
            if not needed and self._definitions.exist:
                return schema, texts
            # only now: a deal with one value that doesn't fit is refused before the schema changes for its neighbours;
            # and then again, as there may be fields of other processes, to be cleared or of another type
            self._definitions.declare(needed)
        raise self._never_settled()

    def _encoded_by_schema(
        self, deal: Mapping[str, object], deal_id: str
    ) -> tuple[Schema, dict[str, str | None], list[Field]]:
        """The schema as it is known, the texts by field, and the fields that it lacks or has too narrow for them."""
        schema = self._definitions.schema
        fields = schema.by_name
        texts: dict[str, str | None] = {}
        needed = []
        for name, value in deal.items():
            if name == "id":
                continue
            field = fields.get(name)
            if field and field.type is FieldType.TEXT and type(value) is str and value.isascii():
                # most values are such texts, which need no encoding
                texts[name] = value
                continue
            if value is None:
                # a field that no deal ever had needs no clearing, and None gives no type to declare it with
                if field:
                    texts[name] = None
                else:
                    check_field_name(name)
                continue
            wide = widened(field, value) if field else infer(name, value)
            if wide is not field and wide != field:
                needed.append(wide)
            texts[name] = encode(value, wide, deal=deal_id)
        return schema, texts, needed

    def _cover_stage(self, stage: str | None) -> None:
        if stage and stage not in self._definitions.pipeline:
            self._definitions.cover_stages([stage])

    def _never_settled(self) -> StoreError:
        return StoreError(
            f"{self._link.settings.where}: the schema changed on every try; try again"
        )


def _known_zone(pipeline: Pipeline) -> str:
    """The zone of a pipeline; empty where this machine doesn't know it, which keeps nobody from saving a deal."""
    try:
        time_zone(pipeline.zone)
    except SchemaError:
        return ""
    return pipeline.zone


def _check_ids(batch: Batch) -> None:
    if batch.repeats:
        msg = "a batch names each deal once; this one names some twice"
        raise SchemaError(msg, field="id")


def _written(reply: Reply) -> Written:
    seq, inserted, updated, unchanged = reply.counts
    return Written(seq=seq, inserted=inserted, updated=updated, unchanged=unchanged)


def _conflict(deal_id: str, expect_rev: int | None, actual: int) -> ConflictError | DealNotFound:
    if expect_rev is None:
        return DealNotFound(deal_id)
    return ConflictError(deal_id, expected_rev=expect_rev, actual_rev=actual)


def _revision(rev: int | None) -> Condition:
    return Condition() if rev is None else Condition.revision_is(rev)


def _at_most(max_rev: int | None) -> Condition:
    return Condition() if max_rev is None else Condition.none_later_than(max_rev)


def _later(ids: Sequence[str], max_rev: int | None, reply: Reply) -> ConflictError:
    rev, place = map(int, reply.rest)
    return ConflictError(ids[place - 1], expected_rev=max_rev or 0, actual_rev=rev)
