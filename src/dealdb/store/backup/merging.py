"""
The commits of several partitions as one history.

Fields and stages are those of the head, at the moments when it got them: it had all of them before another partition,
and its types only widen. Where it lost a field, or gave one another type, each partition had done so before, in commits
of its own. There all partitions are brought to that point first: what each did to its deals before it comes before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dealdb.errors import RestoreRefused, SchemaError
from dealdb.model.schema import Schema
from dealdb.store.backup.piece import Backup
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
        If a field was just being dropped or renamed in some of the partitions.
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
    level
        How often its fields have lost something.
    needs
        Definitions of the head that have to be there before its next commit.
    has_any
        Whether it has a commit at all.
    """

    place: int
    entries: Iterator[Entry]
    next: Entry | None = None
    time_ms: int = 0
    level: int = 0
    needs: int = 0
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
    time_ms
        When, not before what came before.
    level
        How often its fields had lost something by then.
    """

    entry: Entry
    time_ms: int
    level: int


class _Merge:
    def __init__(self, sources: Sequence[Backup], head: Backup) -> None:
        self._definitions: list[_Definition] = []
        # how many definitions there are up to the schema of this text
        self._up_to: dict[bytes, int] = {}
        self._note_definitions(head)
        self._n_emitted = 0
        self._sources = [_Source(n, each.entries()) for n, each in enumerate(sources)]
        for source in self._sources:
            source.step()

    def _note_definitions(self, head: Backup) -> None:
        before: Schema | None = None
        level = time_ms = 0
        for entry in head.entries():
            time_ms = max(time_ms, entry.time_ms)
            if entry.kind not in ("schema", "pipeline"):
                continue
            if entry.kind == "schema":
                schema = Schema.from_json(entry.data)
                level += before is not None and not _widens(before, schema)
                before = schema
                self._up_to[entry.data] = len(self._definitions) + 1
            self._definitions.append(_Definition(entry, time_ms, level))

    def run(self) -> Iterator[tuple[int, Entry]]:
        while True:
            source = self._earliest()
            left = self._definitions[self._n_emitted :][:1]
            if left and (source is None or left[0].time_ms <= source.time_ms):
                yield from self._define(self._n_emitted + 1)
            elif source is None:
                break
            else:
                yield from self._pass(source)
        last = self._definitions[-1].level if self._definitions else 0
        if any(source.has_any and source.level < last for source in self._sources):
            raise RestoreRefused(
                f"{_ANOTHER}a field was being dropped, renamed or given another type in some of them when it was "
                "taken; restore it into as many, and end that there"
            )

    def _earliest(self, level: int | None = None) -> _Source | None:
        """The partition whose next commit was the earliest; if a level is given, of those that have not come to it."""
        found = [
            source
            for source in self._sources
            if source.next is not None and (level is None or source.level < level)
        ]
        return min(found, key=lambda each: (each.time_ms, each.place), default=None)

    def _pass(self, source: _Source) -> Iterator[tuple[int, Entry]]:
        """The next commit of a partition, and before it what it needs."""
        entry = source.next
        if entry is None:
            return
        if entry.kind == "schema":
            if entry.data not in self._up_to:
                raise RestoreRefused(f"{_ANOTHER}one of them has fields that the first never had")
            source.needs = self._up_to[entry.data]
            source.level = self._definitions[source.needs - 1].level
        else:
            yield from self._define(source.needs)
            yield source.place, entry
        source.step()

    def _define(self, n: int) -> Iterator[tuple[int, Entry]]:
        """The first ``n`` definitions, as far as they have not come yet."""
        while self._n_emitted < n:
            definition = self._definitions[self._n_emitted]
            # first what the others did before they lost the same
            while (source := self._earliest(definition.level)) is not None:
                yield from self._pass(source)
            self._n_emitted += 1
            yield 0, definition.entry


def _widens(before: Schema, after: Schema) -> bool:
    """Whether a schema has all that another had, as wide or wider."""
    try:
        return after.with_fields(before.fields).fields == after.fields
    except SchemaError:
        return False
