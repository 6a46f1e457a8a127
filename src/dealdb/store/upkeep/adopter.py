"""
Committing hashes as they are, and with what their fields say beside it.

The hashes are another program's, and keep their fields: what a field of every collection can be made of is added to
them under that field's name. Which field was made of which is kept, so that a later change of the one is one of the
other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import IntEnum
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

import msgpack
import polars as pl

from dealdb.connection import Link
from dealdb.errors import SchemaError, StoreError
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.commit.change import Change
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.writers import Writers
from dealdb.store.foreign.conversion import Converted, converted
from dealdb.store.foreign.frames import all_hashes, is_column
from dealdb.store.foreign.reading import Given, HashReading, ReadHashes, read_plainly, settled_by
from dealdb.store.foreign.view import given_by
from dealdb.store.hashes import Hash, as_dict
from dealdb.store.keys import Keys
from dealdb.store.upkeep.check import Difference, Problem

logger = logging.getLogger(__name__)
BATCH = 200
# against other writers, each of which may come in between
MAX_TRIES = 1000
T = TypeVar("T")


class Adopt(IntEnum):
    """How a hash is committed as it is; the numbers are those that ``commit.lua`` knows."""

    WHERE_IT_CHANGES = 0
    ALWAYS = 1
    # the row that it carries is another deal's
    WITH_NEW_ROW = 2


class Learned(NamedTuple):
    """All hashes as they were, and what they say."""

    raw: pl.DataFrame
    reading: HashReading

    def unreadable(self, deals: Collection[str]) -> list[Difference]:
        """Texts of these deals that no field could be made of."""
        ids, found = self.raw["id"], self.reading.derived(self.raw).unreadable
        return [
            Difference(deal=ids[row], problem=Problem.UNREADABLE, field=name)
            for row, name in found
            if ids[row] in deals
        ]


class Adopter:
    """
    Commits hashes of one collection as they are.

    Parameters
    ----------
    link, keys, definitions, writers
        The collection.
    read
        Knows what the hashes of another program say.
    all_raw
        Gives all hashes of the collection, as ``all_hashes`` does.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        definitions: Definitions,
        writers: Writers,
        read: ReadHashes = read_plainly,
        all_raw: Callable[[], pl.DataFrame] | None = None,
    ) -> None:
        self._link = link
        self._keys = keys
        self._definitions = definitions
        self._writers = writers
        self._read = read
        self._all_raw = all_raw or partial(all_hashes, link, keys)

    def hashes(self, ids: Sequence[str]) -> dict[str, Hash]:
        """Hashes of these deals, without those that are not there. One round trip."""
        replies = self._link.calls([("HGETALL", self._keys.deal(deal)) for deal in ids], retry=True)
        return {deal: as_dict(pairs) for deal, pairs in zip(ids, replies, strict=True) if pairs}

    def relearned(self, mapping: Mapping[str, str | None] | None) -> Learned | None:
        """What the hashes of an adopted collection say; None where each field stays what it is."""
        given, _ = given_by(self._link, self._keys)
        if not (given.is_settled or mapping):
            return None
        # nothing else becomes another field
        return self._learned(given._replace(is_settled=True), mapping)

    def learned(self, mapping: Mapping[str, str | None] | None) -> Learned:
        """What the hashes say that nobody has adopted. A read of all hashes, and some round trips."""
        given, _ = given_by(self._link, self._keys)
        return self._learned(given, mapping)

    def _learned(self, given: Given, mapping: Mapping[str, str | None] | None) -> Learned:
        before = set(given.added)
        if mapping:
            added = {*before, *filter(None, mapping.values())}
            known = {**given.mapping, **mapping}
            given = given._replace(mapping=known, added=added, asked=mapping)
        raw = self._all_raw()
        if asked := {*filter(None, (mapping or {}).values())} - before:
            self._check_free(raw, asked)
        reading = self._read(raw, given)
        self._definitions.refresh().declare(reading.fields)
        if reading.depends:
            # before the first deal: whoever goes on after an interruption has to do the same
            self._link.call("HSET", self._keys.meta, "mapping", settled_by(reading), retry=True)
        return Learned(raw, reading)

    def _check_free(self, raw: pl.DataFrame, names: Collection[str]) -> None:
        """Refuse to write over what hashes have."""
        for name in sorted(names):
            full = raw.height - raw[name].null_count() if name in raw.columns else 0
            if full:
                msg = f"no hash field can become {name!r}: hashes that have that field already: {full:,}"
                raise SchemaError(msg, field=name)

    def convert(self, learned: Learned, mapping: Mapping[str, str | None]) -> int:
        """Give every deal the fields that hash fields have become."""
        names = {
            name
            for name, of in learned.reading.depends.items()
            if not mapping.keys().isdisjoint(of)
        }
        ids = learned.raw["id"].to_list()
        return sum(
            self.batch(
                dict.fromkeys(batch, Adopt.WHERE_IT_CHANGES),
                learned.reading,
                dict.fromkeys(batch, names),
            )
            for batch in batches(ids)
        )

    def all(self, learned: Learned) -> int:
        """Commit all hashes that the log has never seen. Two round trips for each 200."""
        ids = learned.raw.filter(pl.col("_row").is_null())["id"].to_list()
        each = (dict.fromkeys(batch, Adopt.ALWAYS) for batch in batches(ids))
        return self._logged(sum(self.batch(batch, learned.reading) for batch in each))

    def one(self, deal_id: str) -> int:
        """Commit one hash as it is. Four round trips."""
        return self._logged(self.batch({deal_id: Adopt.ALWAYS}, None))

    def differing(self, differences: Sequence[Difference], learned: Learned | None) -> int:
        """Commit what a check has found to differ."""
        by_deal: dict[str, set[Problem]] = {}
        for difference in differences:
            by_deal.setdefault(difference.deal, set()).add(difference.problem)
        # an unreadable text is in the log already, as it is: adopting it again would change nothing
        wanted = {deal: kinds for deal, kinds in by_deal.items() if kinds != {Problem.UNREADABLE}}
        marks = {
            deal: Adopt.WITH_NEW_ROW if Problem.MISPLACED in kinds else Adopt.ALWAYS
            for deal, kinds in wanted.items()
        }
        reading = learned.reading if learned else None
        stale = _stale(differences, reading) if reading else None
        return self._logged(
            sum(
                self.batch({deal: marks[deal] for deal in batch}, reading, stale, clears=True)
                for batch in batches(marks)
            )
        )

    def batch(
        self,
        deals: Mapping[str, Adopt],
        reading: HashReading | None,
        stale: Mapping[str, Collection[str]] | None = None,
        *,
        clears: bool = False,
    ) -> int:
        """Commit these hashes as they are; ``stale`` and ``clears`` as for ``converted``."""
        done, left = 0, dict(deals)
        for _ in range(MAX_TRIES):
            hashes = self.hashes(list(left))
            names = {name.decode(errors="replace") for each in hashes.values() for name in each}
            schema = self._definitions.declare(
                _unknown_fields(names, self._definitions.refresh().schema)
            )
            made = (
                converted(hashes, list(left), reading, stale or {}, clears=clears)
                if reading
                else None
            )
            # like a save: the stages get a meaning before there are deals in them
            stages = [*_stages_of(hashes.values()), *(made.stages if made else ())]
            self._definitions.cover_stages(stages)
            fields = [name for name in schema if name != "id"]
            done += self.mend(list(left), fields, fields, list(left.values()), made)
            if made is None or done >= len(deals):
                return done
            after = self.hashes(list(left))
            left = {deal: left[deal] for deal in made.changed(hashes, after)}
            if not left:
                return done
        raise never_done(self._link, self._keys)

    def mend(
        self,
        ids: Sequence[str],
        fields: Sequence[str],
        sources: Sequence[str | None],
        marks: Sequence[int],
        made: Converted | None = None,
    ) -> int:
        """Give fields the values of others of the same hash; see ``commit.lua``. Returns the deals changed."""
        for _ in range(MAX_TRIES):
            version = self._definitions.version_of(self._definitions.schema)
            done = self.mend_once(version, ids, fields, sources, marks, made)
            if done is not None:
                return done
            self._definitions.refresh()
        raise never_done(self._link, self._keys)

    def mend_once(
        self,
        version: str,
        ids: Sequence[str],
        fields: Sequence[str],
        sources: Sequence[str | None],
        marks: Sequence[int],
        made: Converted | None = None,
    ) -> int | None:
        """As ``mend``, as long as the schema has this version; None where it has another one."""
        words: list[object] = [list(ids), list(fields), list(sources), list(marks)]
        payload = msgpack.packb([*words, *(made.words(fields) if made else ())], use_bin_type=False)
        reply = self._writers.commit(Change("mend", version, payload, ids))
        if reply.is_done:
            _, inserted, updated, _ = reply.counts
            return inserted + updated
        return None if reply.status == "stale" else 0

    def _logged(self, adopted: int) -> int:
        if adopted:
            logger.info("hashes of %r adopted: %d", self._keys.collection, adopted)
        return adopted


def never_done(link: Link, keys: Keys) -> StoreError:
    """Error where others came in between each time."""
    return StoreError(
        f"{link.settings.where}: others changed {keys.collection!r} each time that this was tried; "
        "try again when it is quieter"
    )


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Some at a time."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _stale(differences: Iterable[Difference], reading: HashReading) -> dict[str, Collection[str]]:
    """Added fields that are to be made again, by deal; without deals of which all are."""
    stale: dict[str, set[str]] = {}
    for each in differences:
        if each.field is not None:
            names = [name for name, of in reading.depends.items() if each.field in of]
            stale.setdefault(each.deal, set()).update(names)
    return dict(stale)


def _unknown_fields(names: Iterable[str], schema: Schema) -> list[Field]:
    unknown = [name for name in sorted(names) if is_column(name) and name not in schema]
    return [Field(name, FieldType.TEXT) for name in unknown]


def _stages_of(hashes: Iterable[Hash]) -> Iterator[str]:
    for each in hashes:
        # a text that can't be read stays in the hash until a person has mended it
        with suppress(UnicodeDecodeError):
            yield each.get(b"stage", b"").decode()
