"""Giving hashes back what the history says of them, where something else than a commit has changed them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

import msgpack

from dealdb.connection import Link
from dealdb.store.commit.change import Change, Condition
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.writers import Writers
from dealdb.store.foreign.conversion import Converted
from dealdb.store.hashes import Hash
from dealdb.store.keys import Keys
from dealdb.store.live.columns import LiveColumns
from dealdb.store.upkeep.adopter import MAX_TRIES, Adopt, Adopter, batches, never_done
from dealdb.store.upkeep.check import Logged, Problem, compare

logger = logging.getLogger(__name__)


class FromHistory:
    """
    Puts hashes of one collection back to what its commits say.

    What the history does not know stays: a hash that no commit knows, and a field that no schema has.

    Parameters
    ----------
    link, keys, definitions, writers, live
        The collection.
    adopter
        Commits its hashes.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        definitions: Definitions,
        writers: Writers,
        live: LiveColumns,
        adopter: Adopter,
    ) -> None:
        self._link = link
        self._keys = keys
        self._definitions = definitions
        self._writers = writers
        self._live = live
        self._adopter = adopter

    def put_back(self, deals: Sequence[str]) -> set[str]:
        """
        Put hashes back, each in one commit that changes all of its fields; returns those that were.

        Cost
        ----
        Two round trips for every 200 deals, one more for each whose hash is gone.
        """
        done = {deal for batch in batches(deals) for deal in self._batch(batch)}
        if done:
            logger.info("hashes of %r put back: %d", self._keys.collection, len(done))
        return done

    def _batch(self, deals: Sequence[str]) -> set[str]:
        done: set[str] = set()
        left = list(deals)
        for _ in range(MAX_TRIES):
            schema = self._definitions.refresh().schema
            hashes = self._adopter.hashes(left)
            logged = Logged(*self._live.snapshot_with_rows(), only=left)
            if logged.schema != schema:
                continue
            known = logged.last_texts(hashes, left)
            gone = [deal for deal in known if deal not in hashes]
            done.update(deal for deal in gone if self._set(deal, known[deal]))
            wrong = _wrong(hashes, logged, known)
            if not wrong:
                return done
            # done once a further look finds nothing: another program may have come in between
            self._mend(wrong, hashes, known, logged)
            done.update(wrong)
            left = list(wrong)
        raise never_done(self._link, self._keys)

    def _mend(
        self,
        wrong: Mapping[str, Collection[str]],
        hashes: Mapping[str, Hash],
        known: Mapping[str, Mapping[str, str]],
        logged: Logged,
    ) -> None:
        """Commit what the history has, as far as the hashes are still what they were."""
        fields = [name for name in logged.schema if name != "id"]
        at_home = logged.texts_of({deal: hashes[deal] for deal in wrong})
        marks = [
            Adopt.WHERE_IT_CHANGES if deal in at_home else Adopt.WITH_NEW_ROW for deal in wrong
        ]

        def text_of(deal: str, name: str) -> str | bool | None:
            # False clears it, None leaves it as it is
            return known[deal].get(name, False) if name in wrong[deal] else None

        guards = [*fields, "_row"]
        made = Converted(
            sources=guards,
            olds=[[hashes[deal].get(name.encode()) for deal in wrong] for name in guards],
            texts={name: [text_of(deal, name) for deal in wrong] for name in fields},
        )
        self._adopter.mend(list(wrong), fields, fields, marks, made)

    def _set(self, deal: str, texts: Mapping[str, str]) -> bool:
        """Save a deal whose hash is gone, unless somebody has saved it by now; its old row remains in the log."""
        fields = list(texts)
        reply = self._writers.commit(
            Change(
                kind="set",
                version=self._definitions.version_of(self._definitions.schema),
                payload=msgpack.packb([[deal], fields, [[texts[name]] for name in fields]]),
                ids=[deal],
                condition=Condition.none_later_than(0),
            )
        )
        return reply.is_done


def _wrong(
    hashes: Mapping[str, Hash], logged: Logged, known: Mapping[str, Mapping[str, str]]
) -> dict[str, set[str]]:
    """Fields to be put back, by deal: all of them where the hash is not in the deal's row."""
    fields = set(logged.schema) - {"id"}
    wrong: dict[str, set[str]] = {}
    for each in compare(dict(hashes), logged):
        if each.deal not in known:
            continue
        if each.problem in (Problem.UNLOGGED, Problem.MISPLACED):
            wrong[each.deal] = fields
        elif each.problem is Problem.CHANGED and each.field in fields:
            wrong.setdefault(each.deal, set()).add(each.field)
    return wrong
