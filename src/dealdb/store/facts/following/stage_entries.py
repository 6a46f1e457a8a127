"""Since when some deals stand in their stages, without a look at the history of all others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import NamedTuple

import polars as pl

from dealdb.model.moments import epoch_ms
from dealdb.store.archive.deal_index import ids_in
from dealdb.store.encoding import unpacked_change
from dealdb.store.facts.event import event_facts
from dealdb.store.facts.facts import Facts
from dealdb.store.ledger.ledger import Beginning, Ledger
from dealdb.store.ledger.tables import TABLES, cells_of
from dealdb.store.log.entry import Entry, Position

# deals that are kept
_MOST_KEPT = 10_000
# comparing with one text after the other is quicker for so many
_FEW = 4
# commits that are of all deals, or of others than they name
_OF_ALL = ("schema", "pipeline", "mend")


class _Kept(NamedTuple):
    """The stage of a deal and the moment since when, None for no stage; and the row that the deal has had last."""

    entry: tuple[str, int] | None
    row: int | None


class StageEntries:
    """
    The stage of deals and the moment since when, kept until a commit says something of it.

    Not thread-safe: its log holds the lock.

    Attributes
    ----------
    position
        The last commit that was followed.
    """

    def __init__(self) -> None:
        self.position = Position()
        self._known: dict[str, _Kept] = {}
        # of the commits that what is kept was made of, and of those that were followed since
        self._last_ms = 0

    def clear(self, position: Position) -> None:
        """Forget all, and follow the commits after a position."""
        self.position, self._known, self._last_ms = position, {}, 0

    def follow(self, entries: Iterable[Entry]) -> None:
        """Forget what the next commits say something of."""
        for entry in entries:
            with entry.reading():
                self._forget(entry)
            self.position, self._last_ms = entry.position, entry.time_ms

    def _forget(self, entry: Entry) -> None:
        # where the clock was set back, commits of before count from an earlier moment on
        if entry.kind in _OF_ALL or entry.time_ms < self._last_ms:
            self._known = {}
        elif entry.kind == "set":
            ids, fields, _, *moments = unpacked_change(entry.data)
            # what is told of another moment may be older than what was known
            if moments or "stage" in fields:
                self._drop(ids)
            elif self._known:
                # in another row than it was in a deal begins anew
                rows = zip(ids, entry.rows, strict=True)
                self._drop(deal for deal, row in rows if self._row_of(deal) != row)
        elif entry.kind == "add":
            self._drop(entry.added["id"])
        else:
            self._drop(ids_in(entry.kind, entry.data))

    def _drop(self, ids: Iterable[str]) -> None:
        for deal in ids if self._known else ():
            self._known.pop(deal, None)

    def _row_of(self, deal: str) -> int | None:
        return self._known[deal].row if deal in self._known else None

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Those of some deals of which nothing is kept."""
        return [deal for deal in ids if deal not in self._known]

    def known(self, ids: Iterable[str]) -> dict[str, tuple[str, int]]:
        """What is kept of some deals, without those in no stage."""
        found = {deal: self._known[deal].entry for deal in ids if deal in self._known}
        return {deal: entry for deal, entry in found.items() if entry is not None}

    def read(self, ledger: Ledger, ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """
        Stage of each deal by its id, and since when, milliseconds since 1970; without those in none.

        Parameters
        ----------
        ledger
            With all commits that were followed, at least.
        ids
            The deals.
        """
        part = part_of(ledger, ids)
        found, later = _last_entries(event_facts(part).with_present_names())
        rows, times = _last_rows(part), ledger.table("commits")["time_ms"]
        self._last_ms = max([self._last_ms, *times.tail(1)])
        if len(self._known) > _MOST_KEPT:
            self._known = {}
        # what is told of a moment to come is so from then on, without a further commit
        self._known |= {
            deal: _Kept(found.get(deal), rows.get(deal)) for deal in ids if deal not in later
        }
        return {deal: found[deal] for deal in ids if deal in found}


def entries_in(ledger: Ledger, ids: Collection[str]) -> dict[str, tuple[str, int]]:
    """What ``StageEntries.read`` gives, without keeping any of it."""
    found, _ = _last_entries(event_facts(part_of(ledger, ids)).with_present_names())
    return {deal: found[deal] for deal in ids if deal in found}


def part_of(ledger: Ledger, ids: Collection[str]) -> Ledger:
    """
    What a ledger says of some deals, those with them whose rows other programs have mixed up with theirs.

    Examples
    --------
    >>> part_of(Ledger(), ["42"]).ids.table().height
    0
    """
    ledger.need(["ids", "gone"])
    ids, rows = _with_their_rows(ledger, ids)
    is_own = {"ids": _is_one_of("row", rows), "gone": _is_one_of("row", rows)}
    is_own["imported"] = _is_one_of("id", ids)
    of_all = ("commits", "pipelines")

    def load(names: Collection[str]) -> Mapping[str, pl.DataFrame]:
        ledger.need(names)
        tables = {name: ledger.table(name) for name in names}
        of_row = _is_one_of("row", rows)
        return {
            name: table if name in of_all else table.filter(is_own.get(name, of_row))
            for name, table in tables.items()
        }

    beginning = Beginning(
        position=ledger.position,
        schema=ledger.schema,
        tables=[*TABLES, *map(cells_of, ledger.fields)],
        load=load,
    )
    return Ledger(beginning)


def _with_their_rows(
    ledger: Ledger, ids: Collection[str]
) -> tuple[Collection[str], Collection[int]]:
    """The rows that deals have ever had, and all deals that have ever had these."""
    pairs = [ledger.ids.table().select("row", "id"), ledger.gone.table().select("row", "id")]
    deals, rows = set(ids), set[int]()
    new: Collection[str] = deals
    while new:
        of_new = {row for each in pairs for row in each.filter(_is_one_of("id", new))["row"]}
        of_rows = [each.filter(_is_one_of("row", of_new - rows)) for each in pairs]
        rows |= of_new
        new = {deal for each in of_rows for deal in each["id"]} - deals
        deals |= new
    return deals, rows


def _last_rows(part: Ledger) -> dict[str, int]:
    """The row that each deal was changed in last."""
    changes = part.all_ids(part.ids.table()["row"].unique())
    return dict(changes.sort("seq", maintain_order=True).select("id", "row").rows())


def _is_one_of(name: str, values: Collection[str] | Collection[int]) -> pl.Expr:
    if len(values) > _FEW:
        return pl.col(name).is_in(list(values))
    return reduce(or_, (pl.col(name) == value for value in values), pl.lit(value=False))


def _last_entries(facts: Facts) -> tuple[dict[str, tuple[str, int]], set[str]]:
    """The last entry of each deal that there is, by its id; and the deals of which more is told of a moment to come."""
    last = facts.commits["at"].max()
    # what the server has recorded is past, whatever its clock says
    now = max(epoch_ms(datetime.now(UTC)), last if isinstance(last, int) else 0) + 1
    named = facts.of("stage").join(facts.lives, on="life", maintain_order="left")
    later = set(named.filter((pl.col("at") >= now) | (pl.col("end") >= now))["id"])
    is_alive = (pl.col("end") >= now).fill_null(value=True)
    past = named.filter((pl.col("at") < now) & is_alive)
    rows = past.unique("life", keep="last", maintain_order=True).select("id", "value", "at").rows()
    # a deal whose stage was cleared stands in none
    return {deal: (stage, at) for deal, stage, at in rows if stage is not None}, later
