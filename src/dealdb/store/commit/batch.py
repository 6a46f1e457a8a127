"""Deals on their way to the server: columns of texts, and what the log and the commit script get of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgpack
import polars as pl

from dealdb.store.encoding import packed

# beside the fields: since when each deal is so, milliseconds since 1970
AT = "\0at"


class Batch:
    """
    Deals to be written together, as columns of texts.

    Parameters
    ----------
    frame
        String columns, ``id`` among them; each id once, and no other null clears more than its field. ``AT`` may be
        beside them.
    likely_new
        Whether none of them is expected to exist: then it is worth trying to add them; not with ``AT``.
    keeps
        Fields that stay as they are though it doesn't give them, where all others are cleared; None to clear none.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        *,
        likely_new: bool = False,
        keeps: frozenset[str] | None = None,
    ) -> None:
        self.frame = frame
        self.likely_new = likely_new and AT not in frame.columns
        self.keeps = keeps

    @classmethod
    def of(cls, ids: Sequence[str], columns: Mapping[str, Sequence[str | None]]) -> Batch:
        """Batch from lists of texts, each as long as ``ids``."""
        series = {"id": ids, **columns}
        return cls(pl.DataFrame(series, schema=dict.fromkeys(series, pl.String)))

    def __len__(self) -> int:
        return self.frame.height

    @property
    def fields(self) -> list[str]:
        """Fields that its deals give."""
        return [name for name in self.frame.columns if name not in ("id", AT)]

    @property
    def given(self) -> list[str]:
        """Fields that it has a value of."""
        return [name for name in self._given if name != "id"]

    @cached_property
    def ids(self) -> list[str]:
        """Id of each deal."""
        return self.frame["id"].to_list()

    @cached_property
    def repeats(self) -> bool:
        """Whether it names a deal twice."""
        return self.frame["id"].n_unique() < len(self)

    @property
    def columns(self) -> dict[str, list[str | None]]:
        """Texts of each field."""
        return {name: self.frame[name].to_list() for name in self.fields}

    @cached_property
    def packed(self) -> bytes:
        """Its columns as the log keeps new deals: an Arrow IPC stream, without columns that are all null."""
        return packed(self.frame[self._given])

    @cached_property
    def values(self) -> bytes:
        """The same for the commit script, without the ids: msgpack."""
        names = self.given
        values: bytes = msgpack.packb([names, [self.frame[name].to_list() for name in names]])
        return values

    @cached_property
    def _given(self) -> list[str]:
        """Columns that have a value."""
        nulls = self.frame.null_count().row(0) if self.frame.width else ()
        filled = zip(self.frame.columns, nulls, strict=True)
        return [name for name, n in filled if n < len(self) and name != AT]

    @property
    def ats(self) -> list[int] | None:
        """Since when each deal is so; None for now."""
        return self.frame[AT].to_list() if AT in self.frame.columns else None

    def make_ready(self) -> None:
        """Do now the part of adding the deals that needs no server."""
        _ = self.ids, self.repeats, self.packed, self.values

    def batches(self, size: int) -> Iterator[Batch]:
        """The same deals in batches of at most ``size``."""
        for start in range(0, len(self), size):
            frame = self.frame.slice(start, size)
            yield Batch(frame, likely_new=self.likely_new, keeps=self.keeps)

    def replacing(self, *, keeping: Iterable[str]) -> Batch:
        """The same deals, with nothing in all fields that it doesn't give, but for these."""
        return Batch(self.frame, likely_new=self.likely_new, keeps=frozenset(keeping))

    def within(self, fields: Iterable[str]) -> Batch:
        """
        The same deals as they are to be written where there are these fields.

        What is not there needs no clearing; what this replaces is cleared in all of them.
        """
        there = dict.fromkeys(fields)
        given = {"id", *self.given}
        absent = [name for name in self.fields if name not in there and name not in given]
        kept = {"id", *self.fields, *(there if self.keeps is None else self.keeps)}
        cleared = [pl.lit(None, pl.String).alias(name) for name in there if name not in kept]
        if not absent and not cleared:
            return self
        return Batch(self.frame.drop(absent).with_columns(cleared), likely_new=self.likely_new)

    def only(self, places: Sequence[int]) -> Batch:
        """The deals at these places."""
        return Batch(self.frame[list(places)], keeps=self.keeps)
