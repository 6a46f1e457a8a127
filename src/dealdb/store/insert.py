"""
New deals in bulk: a transaction that does what the commit script would do, for a third of the server's time.

The script is the only judge of a change. But when nothing else has been committed since the last look, all that it
would find out is known beforehand: then the same writes go as plain commands in MULTI/EXEC, under a WATCH of what the
judgement rests on. Whatever is otherwise than expected, the script decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from dealdb.connection import Argument, packed
from dealdb.store.keys import Keys

if TYPE_CHECKING:
    from dealdb.store.batch import Batch
    from dealdb.store.marks import Mark

# of a collection; ``commit.lua`` has it too
FORMAT = b"1"
_META = ("format", "version", "seq", "hash", "rows", "deals", "time", "genesis")


@dataclass(frozen=True, slots=True, kw_only=True)
class Insertion:
    """
    One commit of new deals, on the assumption that its writer's last commit is the collection's last one.

    Attributes
    ----------
    keys
        The collection.
    batch
        The deals.
    version
        Of the schema that they were encoded with.
    writer, counter, actor
        As the commit script takes them.
    seq
        Number of the writer's last commit.
    mark
        Note to keep with the commit, or None.
    """

    keys: Keys
    batch: Batch
    version: str
    writer: str
    counter: int
    actor: str
    seq: int
    mark: Mark | None = None

    @property
    def watched(self) -> list[str]:
        """Keys that must not change between the look and the writes."""
        # a void of this writer changes nothing but its place among the writers
        return [self.keys.meta, self.keys.log, self.keys.writers]

    def look(self) -> list[bytes]:
        """Commands that read what the judgement rests on, packed."""
        keys = self.keys
        fields = ("schema_version" if name == "version" else name for name in _META)
        return [
            packed(("HMGET", keys.meta, *fields)),
            packed(("HGET", keys.writers, self.writer)),
            packed(("XRANGE", keys.log, f"({self.seq}-0", "+", "COUNT", 1)),
            self.batch.exists(keys),
            packed(("TIME",)),
        ]

    def look_ahead(self) -> list[bytes]:
        """The look of the commit that follows this one; nothing where its batch is not known."""
        following = self.batch.following
        return replace(self, batch=following, seq=self.seq + 1).look() if following else []

    def writes(self, found: list[Any]) -> tuple[bytes, int] | None:
        """The commit as packed commands and how many, or None where the script has to decide."""
        meta, place, later, n_existing, now = found
        state = dict(zip(_META, meta, strict=True))
        if n_existing or later or not self._is_as_expected(state, place):
            return None
        before = self._header(state, now)
        rows = int(state["rows"])
        commands = self.batch.commands(self.keys, rows, self.seq + 1)
        after = self._footer(before, rows, int(state["deals"]))
        entry = ("XADD", self.keys.log, f"{self.seq + 1}-0", *self._entry(before, rows))
        return b"".join([packed(entry), commands, *map(packed, after)]), len(self.batch) + 3

    def make_next_ready(self, found: list[Any]) -> None:
        """Make the commands of the batch that follows, on the assumption that this one is carried out."""
        if self.batch.following is not None:
            rows = int(found[0][_META.index("rows")])
            self.batch.following.make_ready(self.keys, rows + len(self.batch), self.seq + 2)

    @property
    def answer(self) -> str:
        """What the script would answer."""
        return f"{self.seq + 1} {len(self.batch)} 0 0"

    def _is_as_expected(self, state: dict[str, Any], place: Any) -> bool:
        known = (FORMAT, self.version.encode(), b"%d" % self.seq)
        found = (state["format"], state["version"], state["seq"])
        # behind a void, the writer's rights may never have been tried
        is_next = place is not None and place.startswith(b"%d " % (self.counter - 1))
        return known == found and is_next and not place.endswith(b" void")

    def _header(self, state: dict[str, Any], now: list[bytes]) -> dict[str, str]:
        """Chain hash and time, as ``commit.lua`` makes them."""
        time = max(int(state["time"]), int(now[0]) * 1000 + int(now[1]) // 1000)
        text = f"{state['hash'].decode()} {self.seq + 1} {self.writer} {self.counter} {time}"
        chain = sha1(text.encode(), usedforsecurity=False).hexdigest()[:16]
        return {"hash": chain, "time": str(time)}

    def _entry(self, header: dict[str, str], rows: int) -> list[Argument]:
        fields: dict[str, Argument] = {
            **header,
            "writer": self.writer,
            "counter": self.counter,
            "actor": self.actor,
            "kind": "add",
            "height": rows,
            "rows": "",
            "data": self.batch.packed,
        }
        return [word for pair in fields.items() for word in pair]

    def _footer(self, header: dict[str, str], rows: int, deals: int) -> list[tuple[Argument, ...]]:
        n = len(self.batch)
        meta: dict[str, Argument] = {
            **header,
            "seq": self.seq + 1,
            "rows": rows + n,
            "deals": deals + n,
        }
        place = f"{self.counter} {self.answer}"
        return [
            ("HSET", self.keys.meta, *(word for pair in meta.items() for word in pair)),
            ("HSET", self.keys.writers, self.writer, place, *self._note(place)),
        ]

    def _note(self, place: str) -> tuple[str, ...]:
        if self.mark is None:
            return ()
        return self.keys.load(self.mark.name), f"{self.writer} {place} {self.mark.note}"
