"""
A small table with its versions: each change adds rows, and none takes any away.

So figures of the past can be made from what was known then. It is a text in the hash of the saved queries, so backups
and restores have it as they have these: ``{"version":1,"known":[ms,...],"rows":"..."}``, a time for each version, and
the rows as base64 of zlib of JSON: ``{"cleared":[n,...],"versions":[n,...],"columns":[[text,...],...]}``. A row has the
number of its version, from 1; the last row with a key counts, and one whose last column is null takes the key away.
Before a version that ``cleared`` names nothing counts.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Any

import polars as pl

from dealdb.connection import Link
from dealdb.errors import SchemaError, StoreDamaged, StoreError
from dealdb.store.bounds.wall import LAST_MS, Reading, whole
from dealdb.store.keys import Keys, wrong_format

# rows of a table, those that others replaced among them
MOST_ROWS = 100_000
# what so many rows unpack to at most, if every text is a long one
_MOST_BYTES = 64 * 2**20
_MOST_TEXT = 200
_MOST_VERSIONS = MOST_ROWS
_MAX_TRIES = 100
_VERSION = 1
_PUT = files("dealdb.store.tables").joinpath("put_table.lua").read_bytes()
_V = "_version"


@dataclass(frozen=True, slots=True, eq=False)
class KeptRows:
    """
    All that a table ever said.

    Attributes
    ----------
    rows
        ``_version`` and the columns, texts or null, oldest first.
    known
        When each version was loaded, milliseconds since 1970, UTC.
    cleared
        Versions before which nothing counts.
    """

    rows: pl.DataFrame
    known: tuple[int, ...] = ()
    cleared: tuple[int, ...] = ()

    @classmethod
    def nothing(cls, columns: Sequence[str]) -> KeptRows:
        """Table without rows."""
        texts: dict[str, Any] = dict.fromkeys(columns, pl.String)
        return cls(pl.DataFrame(schema={_V: pl.UInt32, **texts}))

    def live(self, at_ms: int | None = None) -> pl.DataFrame:
        """
        Rows that count, as they were known at a moment; None for now.

        Examples
        --------
        >>> kept = KeptRows.nothing(["key", "value"]).with_rows(
        ...     pl.DataFrame({"key": ["a", "b"], "value": ["1", "2"]})
        ... )
        >>> kept.live().rows()
        [('a', '1'), ('b', '2')]
        """
        last = None if at_ms is None else bisect_right(self.known, at_ms)
        rows = self.rows if last is None else self.rows.filter(pl.col(_V) <= last)
        first = max((n for n in self.cleared if last is None or n <= last), default=0)
        *key, value = (name for name in rows.columns if name != _V)
        counts = rows.filter(pl.col(_V) >= first).unique(key, keep="last", maintain_order=True)
        return counts.filter(pl.col(value).is_not_null()).drop(_V).sort(key)

    def with_rows(self, rows: pl.DataFrame) -> KeptRows:
        """Table after a version that says these rows besides."""
        number = len(self.known) + 1
        new = rows.select(pl.lit(number, dtype=pl.UInt32).alias(_V), pl.all().cast(pl.String))
        return KeptRows(pl.concat([self.rows, new]), self.known, self.cleared)

    def emptied(self) -> KeptRows:
        """Table after a version from which on none of its rows counts."""
        return KeptRows(self.rows, self.known, (*self.cleared, len(self.known) + 1))

    def parts(self) -> tuple[str, str]:
        """What the server keeps, before and behind the time of the newest version."""
        said = {
            "cleared": self.cleared,
            "versions": self.rows[_V].to_list(),
            "columns": [self.rows[name].to_list() for name in self.rows.columns if name != _V],
        }
        packed = zlib.compress(json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode())
        known = "".join(f"{ms}," for ms in self.known)
        rows = base64.b64encode(packed).decode()
        return f'{{"version":{_VERSION},"known":[{known}', f'],"rows":"{rows}"}}'

    @classmethod
    def from_text(cls, text: bytes, columns: Sequence[str]) -> KeptRows:
        """Inverse of ``parts`` with a time between them; ValueError or the like for anything else."""
        document = json.loads(text)
        if document["version"] != _VERSION:
            msg = "of another version"
            raise ValueError(msg)
        known = tuple(whole(ms, LAST_MS) for ms in document["known"])
        said = json.loads(_unpacked(document["rows"]))
        versions = [whole(n, len(known)) for n in said["versions"]]
        cleared = tuple(whole(n, len(known)) for n in said["cleared"])
        texts = [_texts(column, len(versions)) for column in said["columns"]]
        is_ordered = versions == sorted(versions) and list(known) == sorted(known)
        if len(texts) != len(columns) or len(known) > _MOST_VERSIONS or not is_ordered:
            msg = "not such a table"
            raise ValueError(msg)
        named = {
            name: pl.Series(t, dtype=pl.String) for name, t in zip(columns, texts, strict=True)
        }
        return cls(
            pl.DataFrame({_V: pl.Series(versions, dtype=pl.UInt32), **named}), known, cleared
        )


def _unpacked(rows: str) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        found = unpacking.decompress(base64.b64decode(rows, validate=True), _MOST_BYTES)
    except binascii.Error as problem:
        raise ValueError(str(problem)) from None
    if unpacking.unconsumed_tail or not unpacking.eof:
        msg = "more than a table has, or less"
        raise ValueError(msg)
    return found


def _texts(column: list[Any], height: int) -> list[str | None]:
    is_text = all(
        each is None or (type(each) is str and len(each) <= _MOST_TEXT) for each in column
    )
    if type(column) is not list or len(column) != height or height > MOST_ROWS or not is_text:
        msg = "not a column of texts"
        raise ValueError(msg)
    return column


class SmallTable:
    """
    One small table of a collection on its server.

    Parameters
    ----------
    link, keys
        Where it is kept.
    name
        ``"rates"`` or ``"quotas"``.
    columns
        Its columns; the last is the value, the others the key.
    ask
        Sends a read, and refuses a collection that is made otherwise by now.
    before_change
        Called before each change.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        name: str,
        columns: Sequence[str],
        *,
        ask: Callable[..., Any],
        before_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._ask = ask
        self._before_change = before_change
        self._link = link
        self._keys = keys
        self.name = name
        self.columns = tuple(columns)
        # no saved query has a colon in its name
        self._field = f"table:{name}"

    def read(self) -> KeptRows:
        """
        All that it ever said.

        Raises
        ------
        StoreDamaged
            If another program wrote what isn't one, or a later version did.

        Cost
        ----
        One round trip.
        """
        return self._parsed(self._text())

    def _text(self) -> bytes | None:
        found: bytes | None = self._ask("HGET", self._keys.queries, self._field)
        return found

    def _parsed(self, text: bytes | None) -> KeptRows:
        if text is None:
            return KeptRows.nothing(self.columns)
        with Reading(f"the {self.name} in {self._keys.queries!r}"):
            return KeptRows.from_text(text, self.columns)

    def change(self, change: Callable[[KeptRows], KeptRows | None]) -> None:
        """
        Add a version; what others load meanwhile stays, and the change is made again on top of it.

        Parameters
        ----------
        change
            Makes the next version of the present one, or None where there is nothing to change.

        Raises
        ------
        SchemaError
            If the table would have too many rows.
        StoreDamaged
            As for ``read``.

        Cost
        ----
        Two round trips.
        """
        self._before_change()
        sent: tuple[str, str] | None = None
        for _ in range(_MAX_TRIES):
            text = self._text()
            if sent and text and _is_between(text, *sent):
                # its answer was lost; made again on top of itself, the change would seem to be none
                return
            now = self._parsed(text)
            then = change(now)
            if then is None:
                return
            self._check_size(then)
            sent = then.parts()
            if self._put(text, now, sent):
                return
        msg = f"{self._link.settings.where}: the {self.name} did not settle"
        raise StoreError(msg)

    def forget(self) -> bool:
        """Remove it with its versions; whether there was one. One round trip, and another where there was none."""
        if self._link.call("HDEL", self._keys.queries, self._field, retry=True):
            return True
        self._ask("HLEN", self._keys.queries)
        return False

    def _check_size(self, table: KeptRows) -> None:
        if table.rows.height > MOST_ROWS:
            msg = (
                f"the {self.name} would have {table.rows.height:,} rows, those that were replaced among them, and "
                f"{MOST_ROWS:,} are the most: clear(forget=True) removes all of them, then load what is needed"
            )
            raise SchemaError(msg)

    def _put(self, text: bytes | None, now: KeptRows, then: tuple[str, str]) -> bool:
        known = "" if text is None else sha1(text, usedforsecurity=False).hexdigest()
        last = now.known[-1] if now.known else 0
        keys = (self._keys.queries, self._keys.meta)
        # run twice, it finds another table, and there is nothing left to change
        answer = self._link.call(
            "EVAL", _PUT, len(keys), *keys, self._field, known, *then, last, retry=True
        )
        if answer[0] == b"other":
            raise wrong_format(self._keys, answer[1])
        return bool(answer[0] == b"ok")


def _is_between(text: bytes, before: str, behind: str) -> bool:
    """Whether a text is what ``parts`` gives, with a time between them."""
    first, last = before.encode(), behind.encode()
    time = text[len(first) : len(text) - len(last)]
    return text.startswith(first) and text.endswith(last) and time.isdigit()


def as_damage(table: str) -> StoreDamaged:
    """Error for a table whose texts are not values of its columns."""
    return StoreDamaged(f"the {table} are not what dealdb wrote: clear(forget=True) removes them")
