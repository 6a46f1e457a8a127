"""Snapshots of partitions joined into one of the collection, in pieces that nobody copies."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

import polars as pl

from dealdb.connection.fork import renew_in_child
from dealdb.errors import StoreDamaged
from dealdb.model.columns import nulls
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, Schema
from dealdb.store.leaving import covers, holding_both
from dealdb.store.log.entry import Position
from dealdb.store.log.reader import News, news_command
from dealdb.store.partitions.partition import Partition
from dealdb.store.partitions.vector import vector_of
from dealdb.store.replica.changing import retyped
from dealdb.store.replica.row_log import TextState
from dealdb.store.replica.snapshot import Snapshot

# the head and the others are read one after the other, and a field may leave or come in between
_MAX_TRIES = 5


class JoinedColumns:
    """
    The deals of all partitions, as fresh as each of them is.

    Parameters
    ----------
    partitions
        All of them, the head first.
    """

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions
        self._start_empty()
        renew_in_child(self)

    def renew(self) -> None:
        """Begin empty in a forked child: another thread of the parent may have been in the middle of a change."""
        self._start_empty()

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str, ...] | None, Snapshot] = {}
        self._of: Sequence[Position] = ()

    def snapshot(
        self, newest: Sequence[Position], names: Collection[str] | None = None
    ) -> Snapshot:
        """
        All deals as of now, with these columns at least.

        Parameters
        ----------
        newest
            The last commit of each partition, as the caller has just seen them; of the head after all others.
        names
            As of ``LiveColumns.snapshot``.

        Raises
        ------
        StoreDamaged
            If a partition has what the head has not had yet.

        Cost
        ----
        None where nothing is new and the columns are at hand; one round trip where fewer than 100 commits are new in
        each partition, and one where one has got stages other than those that the head was seen with. At first that of
        a query of each, one after the other.
        """
        asked = None if names is None else tuple(sorted(name.casefold() for name in names))
        with self._lock:
            if newest != self._of:
                # given up first: a column that a frame refers to is copied before it is changed
                self._made.clear()
            elif asked in self._made:
                return self._made[asked]
            pieces = self._pieces(newest, names)
            made = joined(pieces, self._partitions[0].own_pipeline, asked)
            positions = [piece.position or Position() for piece in pieces]
            if positions != self._of:
                self._made.clear()
                self._of = positions
            self._made[asked] = made
            return made

    def _news(self, newest: Sequence[Position]) -> list[News]:
        """What is new in each partition, all asked for together."""
        read = [part.read_up_to for part in self._partitions]
        moved = [
            n
            for n, (since, now) in enumerate(zip(read, newest, strict=True))
            if since.seq and now.seq and since != now
        ]
        commands = [news_command(self._partitions[n].keys.log, read[n]) for n in moved]
        replies = self._partitions[0].link.calls(commands, retry=True)
        entries = dict(zip(moved, replies, strict=True))
        return [
            News(now, since, entries.get(n))
            for n, (since, now) in enumerate(zip(read, newest, strict=True))
        ]

    def _pieces(self, newest: Sequence[Position], names: Collection[str] | None) -> list[Snapshot]:
        stages = self._stages()
        pieces = [
            part.snapshot_of(news, names)
            for part, news in zip(self._partitions, self._news(newest), strict=True)
        ]
        for _ in range(_MAX_TRIES):
            if _is_behind(pieces) or self._have_others(stages):
                # a field, or a stage, has come since the head was read
                stages = self._stages()
                pieces[0] = self._partitions[0].snapshot(names)
            elif behind := _not_covered(pieces):
                # what they have of a field has gone, or become another one, since they were read
                for number in behind:
                    pieces[number] = self._partitions[number].snapshot(names)
            else:
                return pieces
        raise fields_ahead(self._partitions[0])

    def _stages(self) -> list[Pipeline]:
        """What each partition has of stages, as far as it was read."""
        return [part.own_pipeline for part in self._partitions]

    def _have_others(self, before: Sequence[Pipeline]) -> bool:
        """Whether a partition has got stages, since it had those of before, that are not those of the head."""
        head, *others = self._stages()
        return any(now not in (known, head) for known, now in zip(before[1:], others, strict=True))


def _is_behind(pieces: Sequence[Snapshot]) -> bool:
    """Whether the head is behind another partition."""
    head, *others = pieces
    return any(piece.schema.version > head.schema.version for piece in others)


def _not_covered(pieces: Sequence[Snapshot]) -> list[int]:
    """Partitions that have fields which the head has not, or narrower."""
    head = pieces[0].schema
    return [number for number, piece in enumerate(pieces) if not covers(head, piece.schema)]


def fields_ahead(head: Partition) -> StoreDamaged:
    """Error for a partition that has what the head has not had."""
    return StoreDamaged(
        f"{head.link.settings.where}: a partition of {head.keys.collection!r} has fields that the first one has not: "
        "a part of the collection was set back to an older state, or removed"
    )


def joined(
    pieces: Sequence[Snapshot], pipeline: Pipeline, asked: Collection[str] | None = None
) -> Snapshot:
    """
    One snapshot of those of all partitions: rows in the order of the partitions, columns as the head has them.

    Parameters
    ----------
    pieces
        Those of the partitions, the head's first. A column that one lacks is null there, and a narrower one gets wider.
        What the head lacks, as in a past that the clocks of nodes don't agree on, stands behind its columns.
    pipeline
        Stages as they are defined; none where nobody has.
    asked
        Columns to have, in lower case; None for all.
    """
    schema = _schema_of(pieces)
    columns = [
        _column(field, pieces, [piece.rows for piece in pieces])
        for field in schema.fields
        if asked is None or field.name.casefold() in asked
    ]
    heights = [piece.rows.height for piece in pieces]
    position = vector_of([piece.position or Position() for piece in pieces])
    has_all = all(piece.has_all for piece in pieces)
    return Snapshot(
        frame=pl.DataFrame(columns) if columns else pl.DataFrame(height=sum(heights)),
        kept=_kept(pieces, heights),
        schema=schema,
        pipeline=pipeline or _occurring(pieces),
        seq=position.seq,
        position=position,
        whole_rows=partial(_whole_rows, schema, pieces, heights) if has_all else None,
        text_states=_text_states(pieces),
    )


def _text_states(pieces: Sequence[Snapshot]) -> Sequence[TextState]:
    """Those of the pieces, one after the other; none where one is of no replica."""
    if not all(piece.text_states for piece in pieces):
        return ()
    return tuple(chain.from_iterable(piece.text_states for piece in pieces))


def _schema_of(pieces: Sequence[Snapshot]) -> Schema:
    """The head's, with the fields that others have besides, or wider: no deal loses what it was saved with."""
    schema = pieces[0].schema
    ahead = [piece.schema for piece in pieces if not covers(schema, piece.schema)]
    fields = dict(schema.by_name)
    for field in chain.from_iterable(each.fields for each in ahead):
        fields[field.name] = holding_both(fields.get(field.name, field), field)
    return replace(schema, fields=tuple(fields.values())) if ahead else schema


def _column(field: Field, pieces: Sequence[Snapshot], frames: Sequence[pl.DataFrame]) -> pl.Series:
    """A column of rows of the pieces."""
    name = field.name
    parts = [
        retyped(frame[name], piece.schema.get(name), field)
        if name in frame.columns
        else nulls(field, frame.height)
        for piece, frame in zip(pieces, frames, strict=True)
    ]
    # without its name, which older collections may have as a pattern of names
    return pl.concat([part.alias("") for part in parts], rechunk=False).alias(name)


def _whole_rows(
    schema: Schema, pieces: Sequence[Snapshot], heights: Sequence[int], rows: pl.Series
) -> pl.DataFrame:
    """All columns of some rows, which are counted through all pieces, in the order given."""
    ends = pl.Series(heights).cum_sum()
    number = ends.search_sorted(rows, side="right")
    frames = [
        piece.rows[rows.filter(number == n) - (int(ends[n]) - piece.rows.height)]
        for n, piece in enumerate(pieces)
    ]
    columns = [_column(field, pieces, frames) for field in schema.fields]
    # they stand piece by piece
    stand = number.to_frame("n").with_row_index("at").sort("n", maintain_order=True)
    return pl.DataFrame(columns)[stand["at"].arg_sort()]


def _kept(pieces: Sequence[Snapshot], heights: Sequence[int]) -> pl.Series | None:
    if all(piece.kept is None for piece in pieces):
        return None
    return pl.concat(
        pl.repeat(value=True, n=height, eager=True).alias("kept")
        if piece.kept is None
        else piece.kept.alias("kept")
        for piece, height in zip(pieces, heights, strict=True)
    )


def _occurring(pieces: Sequence[Snapshot]) -> Pipeline:
    """Nobody has ever said what the stages mean: those that occur."""
    names = chain.from_iterable(piece.pipeline for piece in pieces)
    return Pipeline().covering(sorted({stage.name for stage in names}))
