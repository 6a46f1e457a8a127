"""Deals on their way to the server: columns of texts, and what the log and the commit script get of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    apart
        Gives the batches that are to be written instead where one of the deals exists: its null also stands for what
        a row doesn't give, which is the same in new deals alone. None where it does not.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        *,
        likely_new: bool = False,
        keeps: frozenset[str] | None = None,
        apart: Callable[[], Sequence[Batch]] | None = None,
    ) -> None:
        self.frame = frame
        self.likely_new = likely_new and AT not in frame.columns
        self.keeps = keeps
        self._apart = apart
        # of the group that all its deals are in, where that is known
        self._number: int | None = None

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
    def max_rev(self) -> int | None:
        """Latest revision that any of its deals may have: 0 where none may exist; None for any."""
        return None if self._apart is None else 0

    @property
    def parts(self) -> Sequence[Batch]:
        """The same deals in batches that may be written whether they exist or not."""
        return [self] if self._apart is None else self._apart()

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

    def split(self, number_of: Callable[[str], int], n: int) -> list[tuple[int, Batch]]:
        """
        The same deals in one batch for each group that has any, with the number of the group.

        Parameters
        ----------
        number_of
            Gives the group of a deal by its id.
        n
            How many groups there are.
        """
        if self._number is not None:
            return [(self._number, self)]
        places: list[list[int]] = [[] for _ in range(n)]
        for place, deal_id in enumerate(self.ids):
            places[number_of(deal_id)].append(place)
        found = [(number, some) for number, some in enumerate(places) if some]
        if len(found) == 1:
            return [(found[0][0], self)]
        return [(number, self._part(some, number, number_of, n)) for number, some in found]

    def _part(
        self, places: list[int], number: int, number_of: Callable[[str], int], n: int
    ) -> Batch:
        def apart() -> list[Batch]:
            every = (part.split(number_of, n) for part in self.parts)
            return [some for parts in every for group, some in parts if group == number]

        part = Batch(
            self.frame[places],
            likely_new=self.likely_new,
            keeps=self.keeps,
            apart=None if self._apart is None else apart,
        )
        part._number = number
        return part

    def only(self, places: Sequence[int]) -> Batch:
        """The deals at these places."""
        return Batch(self.frame[list(places)], keeps=self.keeps)
