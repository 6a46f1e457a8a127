"""Deals on their way to the server: columns of texts, and the commands and log entry that they become."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import polars as pl

from dealdb.errors import StoreDamaged
from dealdb.store.keys import Keys


class Batch:
    """
    Deals to be written together, as columns of texts.

    Parameters
    ----------
    frame
        String columns, ``id`` among them; each id once, and no other null clears more than its field.

    Attributes
    ----------
    following
        The batch that is likely written next, or None.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        self.following: Batch | None = None
        self._commands: pl.DataFrame | None = None
        self._ready: tuple[int, int, bytes] | None = None

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
        return [name for name in self.frame.columns if name != "id"]

    @cached_property
    def ids(self) -> list[str]:
        """Id of each deal."""
        return self.frame["id"].to_list()

    @property
    def repeats(self) -> bool:
        """Whether it names a deal twice."""
        return self.frame["id"].n_unique() < len(self)

    @property
    def columns(self) -> dict[str, list[str | None]]:
        """Texts of each field."""
        return {name: self.frame[name].to_list() for name in self.fields}

    def encode(self, keys: Keys) -> pl.DataFrame:
        """Do now the part of ``commands`` that needs nothing of the server; for many deals at once it is quicker."""
        if self._commands is None:
            head = [*_words(self.frame), *_bulk_of(_key(keys)), pl.lit(_bulk("_rev"))]
            tail = [part for name in self.fields for part in _pair(self.frame[name])]
            self._commands = self.frame.select(
                pl.concat_str(*head).alias("head"), pl.concat_str(pl.lit(""), *tail).alias("tail")
            )
        return self._commands

    def batches(self, size: int) -> Iterator[Batch]:
        """The same deals in batches of at most ``size``, encoded where this one is."""
        before: Batch | None = None
        for start in range(0, len(self), size):
            batch = Batch(self.frame.slice(start, size))
            if self._commands is not None:
                batch._commands = self._commands.slice(start, size)
                _ = batch.packed  # now, rather than while the server waits
                if before is not None:
                    before.following = batch
                before = batch
            yield batch

    def clearing(self, fields: Iterable[str]) -> Batch:
        """The same deals, with nothing in these fields too."""
        nothing = [pl.lit(None, pl.String).alias(name) for name in fields]
        batch = Batch(self.frame.with_columns(nothing))
        # what is null has no place in the commands
        batch._commands, batch._ready, batch.following = self._commands, self._ready, self.following
        return batch

    def only(self, places: Sequence[int]) -> Batch:
        """The deals at these places."""
        return Batch(self.frame[list(places)])

    def commands(self, keys: Keys, first_row: int, rev: int) -> bytes:
        """
        An ``HSET`` for each deal, packed.

        Parameters
        ----------
        first_row
            Row of the first deal; the others follow.
        rev
            Revision of them all.
        """
        ready, self._ready = self._ready, None
        if ready and ready[:2] == (first_row, rev):
            return ready[2]
        return self._built(keys, first_row, rev)

    def make_ready(self, keys: Keys, first_row: int, rev: int) -> None:
        """Make the commands beforehand, for when they are asked for with these numbers."""
        self._ready = (first_row, rev, self._built(keys, first_row, rev))

    def _built(self, keys: Keys, first_row: int, rev: int) -> bytes:
        encoded = self.encode(keys)
        middle = _bulk(str(rev)) + _bulk("_row")
        parts = [""] * (3 * len(self))
        parts[0::3] = encoded["head"].to_list()
        parts[1::3] = [middle + _bulk(str(row)) for row in range(first_row, first_row + len(self))]
        parts[2::3] = encoded["tail"].to_list()
        return "".join(parts).encode()

    @cached_property
    def packed(self) -> bytes:
        """Its columns as the log keeps them: an Arrow IPC stream, without columns that are all null."""
        given = [column for column in self.frame if column.null_count() < len(self)]
        return packed(pl.DataFrame(given))


def packed(frame: pl.DataFrame) -> bytes:
    """Inverse of ``unpacked``."""
    buffer = io.BytesIO()
    frame.rechunk().write_ipc_stream(buffer, compression="zstd")
    return buffer.getvalue()


def unpacked(data: bytes) -> pl.DataFrame:
    """
    Columns from ``Batch.packed``.

    Raises
    ------
    StoreDamaged
        If it is something else.
    """
    try:
        return pl.read_ipc_stream(data)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as problem:
        msg = "the log holds a commit of new deals that dealdb did not write"
        raise StoreDamaged(msg) from problem


def _words(frame: pl.DataFrame) -> list[pl.Expr]:
    """Number of words, and the first of them."""
    given = [pl.lit(6 + 2 * (frame.width - 1), pl.UInt32)]
    given += [
        -2 * pl.col(column.name).is_null().cast(pl.Int32) for column in frame if column.null_count()
    ]
    return [pl.lit("*"), pl.sum_horizontal(given).cast(pl.String), pl.lit("\r\n" + _bulk("HSET"))]


def _key(keys: Keys) -> pl.Expr:
    return pl.concat_str(pl.lit(keys.deal_prefix), "id")


def _pair(column: pl.Series) -> list[pl.Expr]:
    """Name and value of a field; nothing where it is null."""
    pair = [pl.lit(_bulk(column.name)), *_bulk_of(pl.col(column.name))]
    # one long concatenation costs half of many short ones
    return [pl.concat_str(*pair).fill_null("")] if column.null_count() else pair


def _bulk_of(text: pl.Expr) -> list[pl.Expr]:
    """A text as the protocol has it."""
    return [pl.lit("$"), text.str.len_bytes().cast(pl.String), pl.lit("\r\n"), text, pl.lit("\r\n")]


def _bulk(text: str) -> str:
    return f"${len(text.encode())}\r\n{text}\r\n"
