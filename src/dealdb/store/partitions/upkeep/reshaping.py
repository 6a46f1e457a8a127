"""
Renaming, retyping and dropping a column of a collection of partitions.

The head's schema says first what leaves, then each partition loses it as a collection of one piece does, and the head
last, in one commit with which it leaves no more. Whoever finds something that leaves goes on with it: all of it can be
done twice, and by several processes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

from polars.selectors import by_name

from dealdb.errors import SchemaError
from dealdb.model.leaving import Leaving
from dealdb.model.schema import Field, Schema
from dealdb.store.commit.definitions import Defined
from dealdb.store.leaving import has_lost, holds, marked, stayed, type_after
from dealdb.store.partitions.partition import Leading, Partition
from dealdb.store.replica.snapshot import Snapshot
from dealdb.store.upkeep.adopter import MAX_TRIES, Adopt, Adopter, batches
from dealdb.store.upkeep.rename import AnyReshape, kept_changing, moving
from dealdb.store.upkeep.retype import (
    changing_deals,
    check_fit,
    converted_texts,
    new_texts,
    texts_in,
    with_digits,
)


class PartitionedReshape(AnyReshape):
    """
    Changes of the columns of a collection of partitions; see ``Reshape``.

    Parameters
    ----------
    partitions
        All of them, the head first.
    look
        Gives the deals of all of them as of now, with these columns at least.

    Raises
    ------
    StoreError
        By each method, if other writers keep changing deals; repeated, it goes on.

    Cost
    ----
    Of each method: some eight round trips for each partition, and one for every 200 deals that have a value there.
    """

    def __init__(
        self, partitions: Sequence[Partition], look: Callable[[Collection[str] | None], Snapshot]
    ) -> None:
        self._head, *self._others = partitions
        self._leading: Leading = self._head.leading
        super().__init__(self._leading, look)

    def rename(self, old: str, new: str) -> None:
        """Give a column another name; see ``Reshape.rename``."""
        if not self._has_finished(Leaving(old, 0, into=new)):
            super().rename(old, new)

    def drop(self, name: str) -> None:
        """Remove a column and its values; see ``Reshape.drop``."""
        if not self._has_finished(Leaving(name, 0)):
            super().drop(name)

    def retype(self, field: Field, *, clears: bool = False) -> None:
        """Give a column another type; see ``Retype.retype``. It is one of texts meanwhile."""
        name = field.name
        for _ in range(MAX_TRIES):
            self.finish()
            self._leading.schema.check_own(name)
            snapshot = self._look(["id", name])
            known = snapshot.schema[name]
            texts = texts_in(snapshot, known)
            wanted = with_digits(texts, field)
            if known == wanted:
                return
            if not clears:
                check_fit(snapshot, texts, converted_texts(texts, wanted), wanted)
            if holds(wanted, known):
                self._leading.reform(partial(_widened, known=known, wanted=wanted))
                for part in self._others:
                    # else it takes values of the type of before from who has not heard of the new one
                    part.follow()
            else:
                self._leave(Leaving(name, 0, type=wanted.describe(), clears=clears))
        raise kept_changing(name)

    def finish(self) -> list[Leaving]:
        """
        Go on with whatever leaves, by whomever, until nothing does; returns what did.

        A field that can't get its new type, since others have saved what doesn't fit, stays one of texts.
        """
        done: list[Leaving] = []
        while leaving := self._leading.refresh().schema.leaving:
            self._through(leaving[0])
            done.append(leaving[0])
        return done

    def _has_finished(self, wanted: Leaving) -> bool:
        """Go on with whatever leaves; whether this has, which another process began and maybe died of."""
        return any(each.is_as(wanted) for each in self.finish())

    def _empty(self, name: str, *, into: str | None) -> None:
        self._leave(Leaving(name, 0, into=into))

    def _leave(self, leaving: Leaving) -> None:
        """Have the head say that it leaves, and then leave it."""
        is_marked = False

        def change(schema: Schema) -> Schema | None:
            nonlocal is_marked
            under_way = [each for each in schema.leaving if each.name == leaving.name]
            is_marked = is_marked or any(each.is_as(leaving) for each in under_way)
            if under_way or (is_marked and leaving.name not in schema):
                # something else by another process is to be done first
                return None
            after = marked(schema, leaving)
            is_marked = True
            return after

        while not is_marked:
            self._leading.reform(change)
            self.finish()

    def _through(self, leaving: Leaving) -> None:
        # the head last: it says what leaves until all others have lost it
        for part in (*self._others, self._head):
            self._lose(part, leaving)

    def _lose(self, part: Partition, leaving: Leaving) -> None:
        """Have a partition lose what leaves, once no deal of it has it any more."""
        definitions, adopter = part.definitions, part.others.adopter()
        for _ in range(MAX_TRIES):
            own, head = definitions.follow()
            if leaving not in head.schema.leaving:
                # another process was quicker
                return
            if part is not self._head and has_lost(own.schema, leaving):
                return
            snapshot = part.snapshot(["id", leaving.name])
            if leaving.name not in snapshot.schema:
                continue
            try:
                n_left, n_moved = self._step(part, adopter, leaving, own, snapshot)
            except SchemaError:
                if leaving.type is None:
                    raise
                # what doesn't fit came after all were looked at
                self._leading.reform(partial(_given_up, leaving=leaving))
                return
            if n_left and not n_moved:
                # the hashes have no such values: other programs removed or replaced them
                part.others.audit().repair()
            if not n_left and self._is_lost(part, leaving, own, snapshot.seq):
                return
        raise kept_changing(leaving.name)

    def _is_lost(self, part: Partition, leaving: Leaving, own: Defined, seq: int) -> bool:
        definitions = part.definitions
        if part is self._head:
            return definitions.lose(leaving, own, seq=seq)
        with part.writers.beforehand():
            done = definitions.lose(leaving, own, seq=seq)
        part.writers.assure()
        return done

    def _step(
        self,
        part: Partition,
        adopter: Adopter,
        leaving: Leaving,
        own: Defined,
        snapshot: Snapshot,
    ) -> tuple[int, int]:
        """Mend the deals that have not lost it, as long as the partition has this schema; how many had, and were."""
        name, field = leaving.name, type_after(leaving)
        table: dict[str, str | None] = {}
        if field is None:
            deals = snapshot.frame.filter(by_name(name).is_not_null())["id"].to_list()
            fields, sources = moving(name, leaving.into)
            if leaving.into == "stage":
                stages = snapshot.frame[name].drop_nulls().unique().sort()
                part.definitions.cover_stages(stages.to_list())
        else:
            texts = texts_in(snapshot, snapshot.schema[name])
            table = converted_texts(texts, field)
            if not leaving.clears:
                check_fit(snapshot, texts, table, field)
            deals = changing_deals(snapshot, texts, table)
            fields, sources = [name], [name]
        n_moved = 0
        for batch in batches(deals):
            made = new_texts(adopter, batch, name, table) if field else None
            marks = [Adopt.WHERE_IT_CHANGES] * len(batch)
            with part.writers.beforehand():
                done = adopter.mend_once(own.schema_version, batch, fields, sources, marks, made)
            if done is None:
                # it has another schema by now: whether this still leaves is to be asked again
                return len(deals), len(deals)
            n_moved += done
        return len(deals), n_moved


def _widened(schema: Schema, *, known: Field, wanted: Field) -> Schema | None:
    return schema.retyped(wanted) if schema.get(known.name) == known else None


def _given_up(schema: Schema, *, leaving: Leaving) -> Schema | None:
    return stayed(schema, leaving) if leaving in schema.leaving else None
