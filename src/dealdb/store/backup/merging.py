"""
The commits of several partitions as one history.

Fields and stages are those of the head, at the moments when it got them: it had all of them before another partition,
and each holds the values that there were. Where it lost a field, or gave one another type, each partition had done so
before, by commits of its own. There all partitions are brought to that point first: what each did to its deals before
it comes before it. Of a partition that has lost what the head still has, the deals alone tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dealdb.errors import RestoreRefused
from dealdb.model.leaving import Leaving
from dealdb.model.schema import Schema
from dealdb.store.backup.piece import Backup
from dealdb.store.leaving import has_lost, holds_all
from dealdb.store.log.entry import Entry


def merged(sources: Sequence[Backup], head: Backup) -> Iterator[tuple[int, Entry]]:
    """
    Commits of partitions in an order that is that of each, with the place of the partition among them.

    Parameters
    ----------
    sources
        The partitions.
    head
        The first of all partitions, which may be among them.

    Raises
    ------
    RestoreRefused
        If the partitions don't go together: one has fields that the head never had, or still has what that has lost.
    """
    if len(sources) == 1:
        return ((0, entry) for entry in sources[0].entries())
    return _Merge(sources, head).run()


_ANOTHER = "the backup can't be restored into another number of partitions: "


@dataclass(slots=True)
class _Source:
    """
    A partition that is gone through.

    Attributes
    ----------
    place
        Its place among them.
    entries
        What comes behind ``next``.
    next
        Its next commit, those of stages left out; None at the end.
    time_ms
        Latest time of a commit up to it: the clock may have been set back, and the order is that of the commits.
    needs
        Definitions of the head that have to be there before its next commit.
    lost
        What leaves by the last of these, and has left this partition.
    has_any
        Whether it has a commit at all.
    """

    place: int
    entries: Iterator[Entry]
    next: Entry | None = None
    time_ms: int = 0
    needs: int = 0
    lost: frozenset[Leaving] = frozenset()
    has_any: bool = False

    def step(self) -> None:
        """Go to the next commit."""
        self.next = next((each for each in self.entries if each.kind != "pipeline"), None)
        if self.next is not None:
            self.has_any = True
            self.time_ms = max(self.time_ms, self.next.time_ms)


class _Definition(NamedTuple):
    """
    Fields or stages that the head got.

    Attributes
    ----------
    entry
        The commit.
    place
        Its place among them.
    time_ms
        When, not before what came before.
    schema
        All fields from then on.
    loses
        Whether values of before have no place in them.
    ended
        What leaves no more since.
    """

    entry: Entry
    place: int
    time_ms: int
    schema: Schema
    loses: bool
    ended: frozenset[Leaving]

    def is_behind(self, source: _Source) -> bool:
        """Whether a partition has come to it, or done by itself what the head does in it."""
        return source.needs > self.place or not self.ended.isdisjoint(source.lost)


class _Merge:
    def __init__(self, sources: Sequence[Backup], head: Backup) -> None:
        self._definitions: list[_Definition] = []
        # by the versions of their schemas, which no two have in common
        self._with_version: dict[int, _Definition] = {}
        self._note_definitions(head)
        self._n_emitted = 0
        self._sources = [_Source(n, each.entries()) for n, each in enumerate(sources)]
        for source in self._sources:
            source.step()

    def _note_definitions(self, head: Backup) -> None:
        schema, time_ms = Schema(0, ()), 0
        for entry in head.entries():
            time_ms = max(time_ms, entry.time_ms)
            if entry.kind not in ("schema", "pipeline"):
                continue
            before = schema
            schema = Schema.from_json(entry.data) if entry.kind == "schema" else before
            definition = _Definition(
                entry, len(self._definitions), time_ms, schema,
                loses=not holds_all(schema, before),
                ended=frozenset(before.leaving) - frozenset(schema.leaving),
            )  # fmt: skip
            self._definitions.append(definition)
            if entry.kind == "schema":
                self._with_version[schema.version] = definition

    def run(self) -> Iterator[tuple[int, Entry]]:
        while True:
            source = self._earliest(self._sources)
            left = self._definitions[self._n_emitted :][:1]
            if left and (source is None or left[0].time_ms <= source.time_ms):
                yield from self._define(self._n_emitted + 1)
            elif source is None:
                break
            else:
                yield from self._pass(source)
        begun = [source for source in self._sources if source.has_any]
        losses = [each for each in self._definitions if each.loses]
        if not all(loss.is_behind(source) for loss in losses for source in begun):
            raise RestoreRefused(
                f"{_ANOTHER}a field was being dropped, renamed or given another type in some of them when it was "
                "taken; restore it into as many, and end that there"
            )

    @staticmethod
    def _earliest(sources: Sequence[_Source]) -> _Source | None:
        """The partition whose next commit was the earliest."""
        found = [source for source in sources if source.next is not None]
        return min(found, key=lambda each: (each.time_ms, each.place), default=None)

    def _pass(self, source: _Source) -> Iterator[tuple[int, Entry]]:
        """The next commit of a partition, and before it what it needs."""
        entry = source.next
        if entry is None:
            return
        if entry.kind == "schema":
            self._note_schema(source, Schema.from_json(entry.data))
        else:
            yield from self._define(source.needs)
            yield source.place, entry
        source.step()

    def _note_schema(self, source: _Source, own: Schema) -> None:
        definition = self._with_version.get(own.version)
        if definition is None or not holds_all(definition.schema, own):
            raise RestoreRefused(f"{_ANOTHER}one of them has fields that the first never had")
        source.needs = definition.place + 1
        leaving = definition.schema.leaving
        source.lost = frozenset(each for each in leaving if has_lost(own, each))

    def _define(self, n: int) -> Iterator[tuple[int, Entry]]:
        """The first ``n`` definitions, as far as they have not come yet."""
        while self._n_emitted < n:
            definition = self._definitions[self._n_emitted]
            if definition.loses:
                # first what the others did before they lost the same
                yield from self._bring_to(definition)
            self._n_emitted += 1
            yield 0, definition.entry

    def _bring_to(self, loss: _Definition) -> Iterator[tuple[int, Entry]]:
        """All partitions to where they have lost what the head loses."""
        while behind := [each for each in self._sources if not loss.is_behind(each)]:
            source = self._earliest(behind)
            if source is None:
                return
            yield from self._pass(source)
