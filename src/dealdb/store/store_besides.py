"""What one collection has besides its deals: texts, tables, and what there is to say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

from dealdb.connection import Link
from dealdb.store.deal import DealPlace
from dealdb.store.hashes import as_texts
from dealdb.store.keys import FORMATS, Keys, check_format
from dealdb.store.upkeep.clock import times_to_come

if TYPE_CHECKING:
    from dealdb.connection.server.health import ServerHealth
    from dealdb.store.log.entry import Position
    from dealdb.store.tables.table import SmallTable
    from dealdb.store.upkeep.doctor import Finding

# keeps a saved query; or returns the format of a collection that this process does not know, and keeps nothing
_SAVE = """
local form = redis.call('HGET', KEYS[2], 'format')
if form and form ~= ARGV[3] and form ~= ARGV[4] then return form end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return false
"""


class StoreBesides:
    """
    What a store keeps besides the deals and their history.

    Attributes
    ----------
    link
        Way to the database.
    keys
        Of the collection.
    """

    link: Link
    keys: Keys

    @property
    def partitions(self) -> int:
        """One: all deals are in one piece."""
        return 1

    @property
    def pieces(self) -> Sequence[Self]:
        """The pieces that it is made of: itself."""
        return (self,)

    def piece_of(self, deal_id: str) -> int:  # noqa: ARG002  # that of a store of partitions
        """Number of the piece that a deal is in."""
        return 0

    def positions_of(self, position: Position) -> list[Position]:
        """The last commit of each piece: this one."""
        return [position]

    def announce_load(self, load: str, notes: Sequence[str]) -> None:
        """Nothing: the first commit of a load tells of it."""

    def times_to_come(self) -> str | None:
        """What to say where commits have times in the future, or None. One round trip."""
        return times_to_come(self.link, self.keys)

    def log_ahead(self) -> str | None:
        """What to say where the log is ahead of the state, or None; see ``ahead.log_ahead``. Two round trips."""
        from dealdb.store.upkeep.ahead import log_ahead

        return log_ahead(self.link, self.keys)

    def examine(self, health: ServerHealth, trouble: str | None) -> Iterator[Finding]:
        """What there is to say of the server and of the collection; see ``doctor.findings``."""
        # not at the top: it needs what reads the log
        from dealdb.store.upkeep.doctor import findings

        return findings(self.link, self.keys, health, trouble)

    def place_of(self, deal_id: str) -> DealPlace:
        """Where a deal is kept, or would be. No round trip, but for the map of a cluster."""
        key = self.keys.deal(deal_id)
        slot, node = self.link.node_of(key) or (None, None)
        return DealPlace(key, slot=slot, node=node)

    def table(self, name: str, columns: Sequence[str]) -> SmallTable:
        """A small table beside the deals; no round trip before it is used."""
        from dealdb.store.tables.table import SmallTable

        return SmallTable(self.link, self.keys, name, columns, ask=self.ask_besides)

    def ask_besides(self, *command: str) -> Any:
        """
        Reply to a read of what is kept besides the deals.

        One round trip.

        Raises
        ------
        StoreDamaged
            If the collection was emptied, and is made otherwise by now: what it has is kept elsewhere.
        """
        looks = [command, ("HGET", self.keys.meta, "format")]
        found, form = self.link.calls(looks, retry=True)
        check_format(self.keys, form)
        return found

    def saved_queries(self) -> dict[str, str]:
        """Texts of the saved queries by name. One round trip."""
        return as_texts(self.ask_besides("HGETALL", self.keys.queries))

    def save_query(self, name: str, text: str) -> None:
        """Keep a query's text, in place of one of the same name. One round trip; repeating it changes nothing."""
        keys = (self.keys.queries, self.keys.meta)
        other = self.link.call("EVAL", _SAVE, len(keys), *keys, name, text, *FORMATS, retry=True)
        check_format(self.keys, other)

    def forget_query(self, name: str) -> bool:
        """Remove a saved query; whether there was one. One round trip, and another where there was none."""
        if self.link.call("HDEL", self.keys.queries, name):
            return True
        self.ask_besides("HLEN", self.keys.queries)
        return False
