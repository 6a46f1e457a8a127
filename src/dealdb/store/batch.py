"""Deals on their way to the server: columns of texts, and the commands and log entry that they become."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import polars as pl

from dealdb.connection import packed as packed_command
from dealdb.errors import StoreDamaged
from dealdb.store.keys import Keys

# texts up to this many bytes have their lengths in a table
_LONGEST_LOOKED_UP = 4_096


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
        self._exists: bytes | None = None

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
            head = [*_words(self.frame), *_key(keys, self.frame["id"]), pl.lit(_bulk("_rev"))]
            tail = [part for name in self.fields for part in _pair(self.frame[name])]
            self._commands = self.frame.select(
                pl.concat_str(*head).alias("head"),
                pl.concat_str(*tail, pl.lit("\r\n")).alias("tail"),
            )
        return self._commands

    def batches(self, size: int) -> Iterator[Batch]:
        """The same deals in batches of at most ``size``, encoded where this one is."""
        before: Batch | None = None
        for start in range(0, len(self), size):
            batch = Batch(self.frame.slice(start, size))
            if self._commands is not None:
                batch._commands = self._commands.slice(start, size)
                _ = batch.packed, batch.ids  # now, rather than while the server waits
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

    def exists(self, keys: Keys) -> bytes:
        """The command, packed, that tells how many of its deals exist."""
        if self._exists is None:
            self._exists = packed_command(("EXISTS", *map(keys.deal, self.ids)))
        return self._exists

    def make_ready(self, keys: Keys, first_row: int, rev: int) -> None:
        """Make the commands beforehand, for when they are asked for with these numbers."""
        self._ready = (first_row, rev, self._built(keys, first_row, rev))
        if self.following is not None:
            self.following.exists(keys)

    def _built(self, keys: Keys, first_row: int, rev: int) -> bytes:
        encoded = self.encode(keys)
        middle = _bulk(str(rev)) + _bulk("_row")
        rows = map(str, range(first_row, first_row + len(self)))
        parts = [""] * (3 * len(self))
        parts[0::3] = encoded["head"].to_list()
        # the tail begins with the end of the line
        parts[1::3] = [f"{middle}${len(row)}\r\n{row}" for row in rows]
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
    frame.rechunk().write_ipc_stream(buffer, compression="lz4")
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
    most = 6 + 2 * (frame.width - 1)
    given = [pl.lit(most, pl.UInt32)]
    given += [
        -2 * pl.col(column.name).is_null().cast(pl.Int32) for column in frame if column.null_count()
    ]
    starts = pl.Series([f"*{n}\r\n{_bulk('HSET')}" for n in range(most + 1)])
    return [pl.lit(starts).gather(pl.sum_horizontal(given))]


def _key(keys: Keys, ids: pl.Series) -> list[pl.Expr]:
    prefix = keys.deal_prefix
    lengths = ids.str.len_bytes() + len(prefix.encode())
    return [pl.lit(_headings("", lengths)), pl.lit(prefix), pl.col("id"), pl.lit("\r\n")]


def _pair(column: pl.Series) -> list[pl.Expr]:
    """Name and value of a field; nothing where it is null."""
    headings = _headings("\r\n" + _bulk(column.name), column.str.len_bytes())
    pair = [pl.lit(headings), pl.col(column.name)]
    # one long concatenation costs half of many short ones
    return [pl.concat_str(*pair).fill_null("")] if column.null_count() else pair


def _headings(before: str, lengths: pl.Series) -> pl.Series:
    """What stands before texts of these lengths; looked up, as numbers become texts far more slowly."""
    longest = int(lengths.max() or 0)  # type: ignore[arg-type]  # lengths are integers
    if longest > _LONGEST_LOOKED_UP:
        return lengths.to_frame("n").select(pl.format(before + "${}\r\n", "n")).to_series()
    return pl.Series([f"{before}${n}\r\n" for n in range(longest + 1)]).gather(lengths)


def _bulk(text: str) -> str:
    return f"${len(text.encode())}\r\n{text}\r\n"
