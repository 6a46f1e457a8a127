"""What a collection of partitions can't do yet: each of these methods says so, and reads and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Never

from dealdb.errors import NotOnPartitions

if TYPE_CHECKING:
    import polars as pl

    from dealdb.model.schema import Field
    from dealdb.store.facts.assumed import Assume
    from dealdb.store.facts.facts import Facts
    from dealdb.store.history.feed import Feed
    from dealdb.store.history.feed_start import Since
    from dealdb.store.replica.snapshot import Snapshot
    from dealdb.store.upkeep.rename import Reshape
    from dealdb.store.upkeep.repair import RepairReport


def cannot(what: str) -> NotOnPartitions:
    """Error that says what is not possible yet."""
    return NotOnPartitions(
        f"{what} can't be had of a collection of several partitions yet; nothing was read or written"
    )


class NotYet:
    """
    Methods of ``Store`` that a collection of partitions has not got yet.

    Raises
    ------
    NotOnPartitions
        By each of them.
    """

    def _refuse(self, what: str) -> Never:
        raise cannot(what)

    def changes(self, until: int) -> pl.DataFrame:  # noqa: ARG002  # the store's signature
        """The changes of all deals."""
        self._refuse("the table of all changes")

    def feed(self, since: Since, timeout_s: float | None) -> Feed:  # noqa: ARG002  # likewise
        """The feed of commits."""
        self._refuse("the feed of changes")

    def after(self, seq: int) -> Snapshot:  # noqa: ARG002  # likewise
        """The deals after a commit."""
        self._refuse("the deals after a commit")

    def facts(self) -> Facts:
        """The history as it was recorded."""
        self._refuse("metrics on history")

    def event_facts(
        self,
        known: datetime | date | None = None,  # noqa: ARG002  # likewise
        assume: Assume = "birth",  # noqa: ARG002  # likewise
    ) -> Facts:
        """The history as it happened."""
        self._refuse("metrics on history")

    def event_as_of(self, when: datetime | date, known: datetime | date | None) -> Snapshot:  # noqa: ARG002  # likewise
        """The deals of a moment, as it is known."""
        self._refuse("as_of with time='event'")

    def known_facts(self) -> tuple[pl.DataFrame, pl.Series]:
        """Facts that were imported."""
        self._refuse("imported history")

    def spans(self) -> pl.DataFrame:
        """First and last facts."""
        self._refuse("the span of the history")

    def record(self, facts: pl.DataFrame, fields: Iterable[Field], stages: Iterable[str]) -> int:  # noqa: ARG002  # likewise
        """Facts of the past."""
        self._refuse("imported history")

    def repair(
        self,
        *,
        adopt: bool = False,  # noqa: ARG002  # likewise
        mapping: Mapping[str, str | None] | None = None,  # noqa: ARG002  # likewise
    ) -> RepairReport:
        """A repair."""
        self._refuse("a repair")

    def put_back(self) -> RepairReport:
        """A repair from the history."""
        self._refuse("a repair")

    def repair_facts(self) -> RepairReport:
        """A repair of what is kept for metrics."""
        self._refuse("a repair")

    def reshape(self) -> Reshape:
        """Another name or type of a field."""
        self._refuse("another name or type of a field, or its removal,")
