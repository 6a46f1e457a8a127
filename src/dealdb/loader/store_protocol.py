"""What the loader needs of the parts below it and next to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

import polars as pl

from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, Schema
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.change import Mark
from dealdb.store.commit.durability import Durability
from dealdb.store.commit.load_notes import Marked
from dealdb.store.history.confirm import Seen
from dealdb.store.live.during_load import Settling
from dealdb.store.log.entry import Position

if TYPE_CHECKING:
    from dealdb.store.facts.facts import Facts


class _WithFrame(Protocol):
    """A result of a metric."""

    @property
    def frame(self) -> pl.DataFrame:
        """The table."""
        ...


class _WithTable(Protocol):
    """A facet."""

    @property
    def table(self) -> pl.DataFrame:
        """The table."""
        ...


class _WithItems(Protocol):
    """A page."""

    @property
    def items(self) -> pl.DataFrame:
        """The table."""
        ...


# what has a table
Tabular: TypeAlias = _WithFrame | _WithTable | _WithItems


@runtime_checkable
class KeepsTexts(Protocol):
    """Where saved queries and mappings are kept: texts by name."""

    def saved_queries(self) -> Mapping[str, str]:
        """All of them."""
        ...

    def save_query(self, name: str, text: str) -> None:
        """Keep one, in place of one of the same name."""
        ...

    def forget_query(self, name: str) -> bool:
        """Remove one; whether there was one."""
        ...


class RecordsFacts(Protocol):
    """Where what was so before is recorded."""

    def event_facts(self, *, assume: Literal["none"]) -> Facts:
        """What was so, as it happened."""
        ...

    def known_facts(self) -> tuple[pl.DataFrame, pl.Series]:
        """Facts that were recorded as such, and ids of deals that there ever were."""
        ...

    def record(self, facts: pl.DataFrame, fields: Iterable[Field], stages: Iterable[str]) -> int:
        """Write facts, which change no deal."""
        ...


class WriteCounts(Protocol):
    """What one commit did."""

    @property
    def inserted(self) -> int:
        """Deals inserted."""
        ...

    @property
    def updated(self) -> int:
        """Deals updated."""
        ...

    @property
    def unchanged(self) -> int:
        """Deals unchanged."""
        ...


class Revised(Protocol):
    """What the loader needs of ``dealdb.store.Deal``."""

    @property
    def rev(self) -> int:
        """Commit that changed it last."""
        ...


class Deals(Protocol):
    """What the loader needs of ``dealdb.store.replica.snapshot.Snapshot``."""

    @property
    def frame(self) -> pl.DataFrame:
        """One row a deal, one column a field."""
        ...

    @property
    def schema(self) -> Schema:
        """Fields of the columns."""
        ...

    @property
    def position(self) -> Position | None:
        """Last commit that is in it, of several pieces those of all as one; None for what was never committed."""
        ...


class LoadPiece(RecordsFacts, Protocol):
    """What the loader needs of one piece of a collection: all of it, or one partition."""

    def has(self, position: Position) -> bool:
        """Whether a commit is in the history."""
        ...

    def take_over(self, load: str) -> Marked | None:
        """Last mark of a load that died, whose process can't commit to this piece any more."""
        ...


class LoadTarget(Protocol):
    """What the loader needs of ``dealdb.store.Store``."""

    def schema(self) -> Schema:
        """Fields that exist."""
        ...

    def pipeline(self) -> Pipeline:
        """Stages that are defined."""
        ...

    def snapshot(self) -> Deals:
        """All deals as of now."""
        ...

    def get_many(self, ids: Sequence[str]) -> Sequence[Revised | None]:
        """Deals in the order asked for, None for those that are missing."""
        ...

    def declare(self, fields: Iterable[Field]) -> Schema:
        """Add or widen fields."""
        ...

    def redefine(self, change: Callable[[Pipeline], Pipeline]) -> Pipeline:
        """Make other stages of those in force."""
        ...

    @property
    def partitions(self) -> int:
        """How many pieces the collection is made of."""
        ...

    @property
    def pieces(self) -> Sequence[LoadPiece]:
        """The pieces."""
        ...

    def piece_of(self, deal_id: str) -> int:
        """Number of the piece that a deal is in."""
        ...

    def positions_of(self, position: Position) -> list[Position]:
        """The last commit of each piece, of those of all as one."""
        ...

    def split(self, batches: Iterable[Batch]) -> Sequence[Batch]:
        """Batches as those that are written whole or not at all; those of one id in their order."""
        ...

    def write(
        self,
        schema: Schema,
        batch: Batch,
        *,
        max_rev: int | None = None,
        mark: Mark | None = None,
    ) -> WriteCounts:
        """Commit a batch, unless one of its deals has a later revision (0: exists)."""
        ...

    def add(self, schema: Schema, batches: Sequence[Batch], marks: Sequence[Mark | None]) -> int:
        """Commit batches of new deals; how many, from the first on, had no other."""
        ...

    def delete_many(
        self, ids: Sequence[str], *, max_rev: int | None = None, mark: Mark | None = None
    ) -> int:
        """Delete deals, unless one has a later revision; how many there were."""
        ...

    def look(self) -> Seen:
        """Fields, stages, the last commit and the number of deals, all of one moment."""
        ...

    def depend(self) -> None:
        """Let this thread's commits fail where the server has lost an earlier one of them."""
        ...

    def promise(self, durability: Durability | None = None) -> None:
        """Refuse a durability that the server can't promise; None for the default."""
        ...

    def confirm(self, since: Position, durability: Durability | None = None) -> Position:
        """The last commit, after the server was found to have all of this thread's load where it is to be."""
        ...

    def announce_load(self, load: str, notes: Sequence[str]) -> None:
        """Have a mark of a load in each piece, before its first commit in any."""
        ...

    def forget_load(self, load: str) -> None:
        """Remove the mark of a load."""
        ...

    def settling(self) -> AbstractContextManager[Settling | None]:
        """What tidies up behind a load."""
        ...
