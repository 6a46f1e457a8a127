"""The ledgers of all partitions as one, whose commits and rows have numbers that none other has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from dealdb.model.schema import Schema
from dealdb.store.ledger.ledger import Beginning, Ledger
from dealdb.store.ledger.tables import FOLLOWED, TABLES, Pieces, schema_of
from dealdb.store.log.entry import Position
from dealdb.store.partitions.vector import vector_of

_COMMITS: dict[str, pl.DataType] = {**TABLES["commits"], "at": pl.Int64()}
_NO_COMMIT, _NO_FIELDS = Position(), Schema(0, ())
# what a partition takes over from the head
_DEFINITIONS = ("schema", "pipeline")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPart:
    """
    What a checkpoint has kept of a partition.

    Attributes
    ----------
    position, time_ms
        The last commit that is in it, and its time.
    schema
        In force after that.
    tables
        Names of the tables that have rows.
    at_most
        From when on its commits count at the latest, where the clock was set back after them; or None.
    """

    position: Position = _NO_COMMIT
    time_ms: int = 0
    schema: Schema = _NO_FIELDS
    tables: Collection[str] = ()
    at_most: int | None = None


class JoinedLedger(Ledger):
    """
    All that the commits of all partitions say.

    Row ``r`` of partition ``p`` of ``P`` is row ``r * P + p``. Commits are numbered as they are taken in, which need
    not be the order of their moments: the clocks of nodes differ. Fields and stages are those of the head.

    Parameters
    ----------
    kept
        What it begins with, of each partition.
    load
        Gives some tables of each partition that has any of them, as they were kept, by the number of the partition.

    Attributes
    ----------
    read
        The last commit of each partition that is in it.
    versions
        Versions of the schemas of the partitions.
    stages
        Text of the pipeline that the head has, as far as commits say that came after what it begins with.
    """

    def __init__(
        self,
        kept: Sequence[KeptPart],
        load: Callable[[Collection[str]], Mapping[int, Mapping[str, pl.DataFrame]]],
    ) -> None:
        tables = dict.fromkeys(name for part in kept for name in part.tables)
        self.read = [part.position for part in kept]
        super().__init__(
            Beginning(
                position=vector_of(self.read),
                schema=kept[0].schema,
                tables=list(tables),
                load=partial(_joined_tables, kept, load),
            )
        )
        has_kept = "commits" in tables
        self._tables["commits"] = Pieces(
            _COMMITS, partial(self._loaded, "commits") if has_kept else None
        )
        self.versions = [part.schema.version for part in kept]
        self.stages: str | None = None
        self._last_ms = [
            part.time_ms if part.at_most is None else min(part.time_ms, part.at_most)
            for part in kept
        ]

    def copy(self) -> JoinedLedger:
        """The same, to be continued; shares the tables."""
        found = object.__new__(JoinedLedger)
        found.__dict__.update(self.__dict__)
        found.read, found.versions, found._last_ms = (
            [*each] for each in (self.read, self.versions, self._last_ms)
        )
        found._tables = {name: table.copy() for name, table in self._tables.items()}
        return found

    def follow(self, news: Mapping[int, Ledger]) -> bool:
        """
        Take in what is new, by the number of the partition.

        Returns
        -------
        bool
            False, and nothing was taken in, where a clock was set back: then commits of before count from another
            moment on.
        """
        if not news:
            return True
        commits = {n: _commits_of(n, ledger) for n, ledger in news.items()}
        if any(table["time_ms"].min() < self._last_ms[n] for n, table in commits.items()):  # type: ignore[operator]  # no part is empty
            return False
        # in the order of time, as far as it is not too late for that
        joined = pl.concat(
            table.with_columns(_part=pl.lit(n)).with_row_index("_place")
            for n, table in commits.items()
        ).sort("at", "_part", "_place")
        numbers = joined.select("_part", "_place").with_row_index(
            "_number", offset=self.position.seq + 1
        )
        self._append("commits", joined)
        for n, ledger in news.items():
            own = numbers.filter(pl.col("_part") == n).sort("_place")["_number"]
            self._take_part(n, ledger, own.cast(pl.UInt32))
        self.position = vector_of(self.read)
        return True

    def _take_part(self, number: int, ledger: Ledger, numbers: pl.Series) -> None:
        first = self.read[number].seq + 1
        for name, table in ledger.tables.items():
            if name != "commits" and counts(name, number):
                seqs = numbers.gather(table["seq"].cast(pl.Int64) - first)
                self._append(name, _placed(table, number, len(self.read), seqs))
        if ledger.schema.fields:
            self.versions[number] = ledger.schema.version
            if number == 0:
                self.schema = ledger.schema
        if number == 0:
            self.stages = stages_in(ledger) or self.stages
        self.read[number] = ledger.position
        self._last_ms[number] = ledger.table("commits")["time_ms"][-1]

    # moments ---------------------------------------------------------------------------------------

    def until(self, ms: int | None) -> int:
        """How many commits count at a moment; all of them for None."""
        return self.position.seq if ms is None else int((self.commits()["at"] <= ms).sum())

    def upto(self, seq: int) -> Ledger:
        """The same as of the first so many commits, in the order of their moments; with the schema of now."""
        if seq >= self.position.seq:
            return self
        at = self.commits()["at"]
        if at.is_sorted():
            return super().upto(seq)
        order = at.to_frame("at").with_row_index("row").sort("at", maintain_order=True)["row"]
        counted = order.head(seq)
        numbers = pl.repeat(None, at.len(), dtype=pl.UInt32, eager=True).scatter(
            counted, pl.int_range(1, counted.len() + 1, dtype=pl.UInt32, eager=True)
        )

        def load(names: Collection[str]) -> Mapping[str, pl.DataFrame]:
            self.need(names)
            return {name: _renumbered(self.table(name), counted, numbers) for name in names}

        return Ledger(
            Beginning(
                position=Position(counted.len()), schema=self.schema, tables=self._tables, load=load
            )
        )


def _commits_of(number: int, ledger: Ledger) -> pl.DataFrame:
    """The commits of a partition, with the moments from which on they count."""
    table = ledger.table("commits")
    return _told(number, table).with_columns(at=pl.col("time_ms").cum_min(reverse=True))


def _told(number: int, commits: pl.DataFrame) -> pl.DataFrame:
    if not number:
        return commits
    # the other partitions only repeat what the head has said
    kind = pl.when(pl.col("kind").is_in(_DEFINITIONS)).then(pl.lit(FOLLOWED)).otherwise("kind")
    return commits.with_columns(kind.alias("kind"))


def stages_in(ledger: Ledger) -> str | None:
    """Text of the last pipeline that the commits of one partition define; None where none does."""
    texts = ledger.table("pipelines")["value"]
    return texts[-1] if texts.len() else None


def counts(name: str, number: int) -> bool:
    """Whether a table of a partition is a part of that of all: the pipelines are those of the head."""
    return name != "pipelines" or not number


def _joined_tables(
    kept: Sequence[KeptPart],
    load: Callable[[Collection[str]], Mapping[int, Mapping[str, pl.DataFrame]]],
    names: Collection[str],
) -> Mapping[str, pl.DataFrame]:
    """Some tables of what was kept, of all partitions, whose commits are numbered one partition after the other."""
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in names}
    before, of_part = 0, load(names)
    for number, part in enumerate(kept):
        for name, table in of_part.get(number, {}).items():
            if name == "commits":
                at = pl.col("time_ms").cum_min(reverse=True)
                at = at if part.at_most is None else pl.min_horizontal(at, part.at_most)
                parts[name].append(_told(number, table).with_columns(at=at.cast(pl.Int64)))
            else:
                seqs = (table["seq"] + before).cast(pl.UInt32)
                parts[name].append(_placed(table, number, len(kept), seqs))
        before += part.position.seq
    schemas = {name: _COMMITS if name == "commits" else schema_of(name) for name in names}
    return {
        name: pl.concat(found) if found else pl.DataFrame(schema=schemas[name])
        for name, found in parts.items()
    }


def _placed(table: pl.DataFrame, number: int, partitions: int, seqs: pl.Series) -> pl.DataFrame:
    """A table of a partition with the numbers that its commits and rows have among those of all."""
    found = table.with_columns(seqs.alias("seq"))
    if "row" not in found.columns:
        return found
    return found.with_columns((pl.col("row") * partitions + number).cast(pl.UInt32).alias("row"))


def _renumbered(table: pl.DataFrame, counted: pl.Series, numbers: pl.Series) -> pl.DataFrame:
    """Rows of a table that commits say which count, with their numbers among these."""
    if "seq" not in table.columns:
        # a row of the commits has its number by its place
        return table[counted]
    seqs = numbers.gather(table["seq"].cast(pl.Int64) - 1)
    return table.with_columns(seqs.alias("seq")).filter(pl.col("seq").is_not_null())
