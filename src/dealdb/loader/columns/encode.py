"""Chunks of cells turned into the texts that the store keeps; rows with a cell that can't be are rejected."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import polars as pl

from dealdb.loader.cells.column_profile import without_nothing
from dealdb.loader.cells.currencies import currency_name
from dealdb.loader.cells.dates import dates, datetimes
from dealdb.loader.cells.lists import list_texts
from dealdb.loader.cells.numbers import (
    by_unique,
    decimals,
    floats,
    integers,
    probabilities,
    short,
    without_noise,
)
from dealdb.loader.cells.plain import plain_type
from dealdb.loader.cells.truth_words import FALSE_WORDS, TRUE_WORDS
from dealdb.loader.chunk import Chunk, Reject, filled_with
from dealdb.loader.columns import bad_cells
from dealdb.loader.columns.bad_cells import MORE, BadCells
from dealdb.loader.columns.deal_ids import are_plain, id_texts, waves
from dealdb.loader.columns.headers import CLOSE_DATE
from dealdb.loader.columns.money import in_units, name_currencies
from dealdb.loader.columns.plan import ColumnPlan, Plan, all_wide_enough, text_cells
from dealdb.model.schema import (
    MAX_SCALE,
    MAX_WHOLE_DIGITS,
    NUMBER_TYPES,
    Field,
    FieldType,
)
from dealdb.store.commit.batch import AT, Batch

_GROUP = "\0group"
_MOST_DIGITS = f"a number of at most {MAX_WHOLE_DIGITS} digits and {MAX_SCALE} decimals"
_EXPECTED = {
    FieldType.INT: ("not-an-integer", "a whole number of at most 64 bits"),
    FieldType.FLOAT: ("not-a-number", "a finite number"),
    FieldType.DECIMAL: ("not-a-number", _MOST_DIGITS),
    FieldType.BOOL: ("not-a-bool", "true or false"),
    FieldType.DATE: ("not-a-date", "a date such as 2026-01-31"),
    FieldType.DATETIME: ("not-a-datetime", "a date and time such as 2026-01-31T09:30:00Z"),
    FieldType.LIST: ("not-a-list", 'a list of texts such as ["renewal","EMEA"] or renewal;EMEA'),
}
_NO_ID = ("missing-id", "an id that is not empty")
_ROUNDED_ID = (
    "rounded-id",
    "an id of one deal, not one that a spreadsheet has rounded for several",
)
_PROBABILITY = ("not-a-probability", "a probability from 0 to 1, or from 0 to 100 in all rows")
_BOOLS = {**dict.fromkeys(TRUE_WORDS, "true"), **dict.fromkeys(FALSE_WORDS, "false")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """
    Rows of a chunk that are fit to be written.

    Attributes
    ----------
    ids
        Id of each row, in the order of the source.
    columns
        Texts by field.
    group
        For each row the number of its set of fields in ``given``.
    given
        Sets of fields that rows give; the others of ``columns`` stay as they are stored.
    fields
        Fields that the texts need, as wide as they need them.
    rejects
        Rows that are not fit.
    times_dropped
        Times of day that had no place in a date, by header.
    spared
        For each set in ``given`` the fields that bad cells leave as they are stored.
    bad_rows
        Rows with bad cells that were left out; they are among those that are fit.
    n_bad
        Such cells by header.
    """

    ids: pl.Series
    columns: Mapping[str, pl.Series]
    group: pl.Series
    given: Sequence[Collection[str]]
    fields: Sequence[Field]
    rejects: Sequence[Reject]
    times_dropped: Mapping[str, int]
    spared: Sequence[Collection[str]] = ()
    bad_rows: Sequence[Reject] = ()
    n_bad: Mapping[str, int] = field(default_factory=dict)

    def batches(
        self, size: int, *, likely_new: bool, all_new: bool = False, whole: bool = False
    ) -> Iterator[Batch]:
        """
        One write after another: each id once in a batch, later rows of an id in later ones.

        Parameters
        ----------
        size
            Deals in a batch, at most.
        likely_new
            Whether no deal of these ids is expected to exist.
        all_new
            Whether there were no deals at all. Then a field that isn't given is one that is empty, and rows of all
            shapes go together in the order of the source; for where one exists by then, a batch has ``parts``.
        whole
            Whether a field that isn't given is to be cleared anyway.
        """
        frame = pl.DataFrame([self.ids, *self.columns.values(), self.group])
        # rows of several shapes are taken from a wider window, so that batches stay large
        window = size * min(max(len(self.given), 1), 4)
        for number, wave in enumerate(waves(frame)):
            # the deals of later waves exist by then
            new = likely_new and number == 0
            if all_new and number == 0 and self._has_shapes(whole=whole):
                yield from self._mixed(wave, size, likely_new=new, whole=whole)
            else:
                yield from self._by_shape(wave, size, window, likely_new=new, whole=whole)

    def _has_shapes(self, *, whole: bool) -> bool:
        """Whether some rows leave fields as they are that others don't."""
        return any(self.spared) if whole else len(self.given) > 1

    def _mixed(
        self, rows: pl.DataFrame, size: int, *, likely_new: bool, whole: bool
    ) -> Iterator[Batch]:
        """Rows of all shapes in their order."""
        for some in rows.iter_slices(size):
            apart = partial(self._apart, some, whole=whole)
            yield Batch(some.drop(_GROUP), likely_new=likely_new, apart=apart)

    def _apart(self, rows: pl.DataFrame, *, whole: bool) -> list[Batch]:
        n = rows.height
        return list(self._by_shape(rows, n, n, likely_new=False, whole=whole))

    def _by_shape(
        self, rows: pl.DataFrame, size: int, window: int, *, likely_new: bool, whole: bool
    ) -> Iterator[Batch]:
        """Rows of a window put together by what they leave as it is."""
        if not self._has_shapes(whole=whole):
            given = self.given if len(self.given) == 1 else [list(self.columns)]
            yield from _batches(rows, [(0, rows.height)], given, size, likely_new=likely_new)
            return
        given, keeps = self.given, self.spared if whole else ()
        if whole:
            given = [bad_cells.without_spared(self.columns, left) for left in self.spared]
        runs = _grouped(rows, window)
        yield from _batches(*runs, given, size, likely_new=likely_new, keeps=keeps)


def _batches(
    frame: pl.DataFrame,
    runs: Sequence[tuple[int, int]],
    given: Sequence[Collection[str]],
    size: int,
    *,
    likely_new: bool,
    keeps: Sequence[Collection[str]] = (),
) -> Iterator[Batch]:
    """Batches of a frame that consists of runs of rows, each with the number of its group and its length."""
    begin = 0
    for number, n_rows in runs:
        # there may be a run a row, and an expression would cost more than the row
        run = frame[["id", *given[number]]].slice(begin, n_rows)
        kept = frozenset(keeps[number]) if keeps else None
        yield from Batch(run, likely_new=likely_new, keeps=kept).batches(size)
        begin += n_rows


def encode_chunk(
    chunk: Chunk,
    plan: Plan,
    closed_stages: Collection[str],
    *,
    leave_bad: bool = False,
    at: tuple[pl.Series, Mapping[str, BadCells]] | None = None,
) -> Encoded:
    """
    Texts of the good rows of a chunk, and a reject for each bad one.

    Parameters
    ----------
    chunk
        Cells.
    plan
        How its columns are read; a column that it lacks is not given by any of its rows.
    closed_stages
        Stages in which a close date is the actual one.
    leave_bad
        Whether a bad cell is left out alone, and its row kept.
    at
        Since when each row is so, and the cells that don't say it: their rows are rejected in any case.
    """
    chunk = plan.completed(chunk)
    present = [column for column in plan.columns if column.header in chunk.frame.columns]
    texts, bad, dropped = _texts(chunk, present)
    name_currencies(texts, chunk, present)
    plan.respell(texts)
    bad, left = bad_cells.divided(bad, present) if leave_bad else (bad, {})
    texts = bad_cells.emptied(texts, left, plan)
    if at:
        texts[AT], bad = at[0], {**bad, **at[1]}
    keep = bad_cells.fit(chunk.frame.height, bad)
    rejects = [*chunk.rejects, *bad_cells.rejects(chunk, bad, ~keep)]
    number, spared = bad_cells.spared(left, plan, chunk.frame.height)
    incomplete = keep & ~bad_cells.fit(chunk.frame.height, left)
    bad_rows = list(bad_cells.rejects(chunk, left, incomplete)) if left else []
    if not keep.all():
        texts = {name: column.filter(keep) for name, column in texts.items()}
    shape = chunk.shape.filter(keep) if chunk.shape is not None else None
    ids = texts.pop("id").alias("id")
    given_fields = {plan.field.name: plan.field for plan in present if plan.field.name in texts}
    fields = all_wide_enough(given_fields.values(), texts)
    given = [[*names, AT] if at else names for names in _given(chunk, present)]
    group = shape if shape is not None else filled_with(0, ids.len(), pl.Int32())
    if left:
        group = group * len(spared) + number.filter(keep)
        given = [bad_cells.without_spared(names, each) for names in given for each in spared]
        spared *= len(given) // len(spared)
    if CLOSE_DATE in texts:
        group, given = _split_close_date(texts, group, given, closed_stages)
        spared = [bad_cells.after_split(each) for each in spared for _ in range(2)]
    return Encoded(
        ids=ids,
        columns=texts,
        group=group.alias(_GROUP),
        given=given,
        fields=[field for field in fields if field.name != CLOSE_DATE],
        rejects=rejects,
        times_dropped=dropped,
        spared=spared,
        bad_rows=bad_rows,
        n_bad={header: int((cells.rows & keep).sum()) for header, cells in left.items()},
    )


def _texts(
    chunk: Chunk, columns: Sequence[ColumnPlan]
) -> tuple[dict[str, pl.Series], dict[str, BadCells], dict[str, int]]:
    """Texts by field, bad cells by header, and the times of day that were dropped by header."""
    texts: dict[str, pl.Series] = {}
    bad: dict[str, BadCells] = {}
    dropped: dict[str, int] = {}
    for column in columns:
        cells = chunk.frame[column.header]
        if column.field.name == "id":
            found = id_texts(chunk, column.header, whole=column.whole)
            if column.collapsed:
                rows = found.is_in(list(column.collapsed)).fill_null(value=False)
                bad[column.header + MORE] = BadCells(rows, *_ROUNDED_ID)
        elif column.field.type is FieldType.TEXT:
            found = text_cells(cells, chunk.types.get(column.header))
            if column.field.name == "currency":
                found = by_unique(found, currency_name)
        else:
            form = None if column.header in chunk.types else plain_type(cells)
            is_encoded = _is_encoded(chunk, column, form)
            cells = cells if is_encoded or form else without_nothing(cells)
            if chunk.types.get(column.header) in NUMBER_TYPES:
                # decimal commas are the way of texts, not of what was a number before
                column = replace(column, point=".")
            is_float = chunk.types.get(column.header) is FieldType.FLOAT
            if is_float and column.field.type in (FieldType.INT, FieldType.DECIMAL):
                cells = without_noise(cells)
            found, n_times = _typed(cells, column, is_encoded=is_encoded)
            if n_times:
                dropped[column.header] = n_times
            if found.null_count() > cells.null_count():
                misfits = found.is_null() & cells.is_not_null()
                is_chance = column.field.name == "probability"
                expected = _PROBABILITY if is_chance else _EXPECTED[column.field.type]
                bad[column.header] = BadCells(misfits, *expected)
        name = column.field.name
        texts[name] = (_later(texts[name], found) if name in texts else found).alias(name)
    if "id" not in texts:
        texts["id"] = _nothing(chunk.frame.height)
    if are_plain(texts["id"]):
        return texts, bad, dropped
    nameless = (texts["id"].str.strip_chars() == "").fill_null(value=True)
    if nameless.any():
        header = next((each.header for each in columns if each.field.name == "id"), "id")
        bad[header] = BadCells(nameless, *_NO_ID)
    return texts, bad, dropped


def _is_encoded(chunk: Chunk, column: ColumnPlan, form: FieldType | None) -> bool:
    """Whether its cells are the field's texts already: of probabilities that depends on what they count to."""
    is_changed = column.field.name == "probability" or column.minor_digits != 0
    declared = chunk.types.get(column.header) if column.header in chunk.encoded else None
    # plain decimals may have zeros behind them
    plain = None if form is FieldType.DECIMAL else form
    return not is_changed and column.field.type in (declared, plain)


def _later(one: pl.Series, other: pl.Series) -> pl.Series:
    """The later of two dates, as texts, or the one that is there: a deal may have been lost before it was won."""
    is_other = (other > one).fill_null(value=False) | one.is_null()
    return other.zip_with(is_other, one)


def _nothing(height: int) -> pl.Series:
    return filled_with(None, height, pl.String())


def _typed(cells: pl.Series, column: ColumnPlan, *, is_encoded: bool) -> tuple[pl.Series, int]:
    if is_encoded:
        return short(cells) if column.field.type is FieldType.DECIMAL else cells, 0
    if column.minor_digits:
        cells = in_units(cells, column.point, column.minor_digits)
        column = replace(column, point=".")
    if column.field.name == "probability":
        return probabilities(cells, column.point, of_hundred=column.of_hundred), 0
    match column.field.type:
        case FieldType.INT if column.strict:
            return integers(cells, column.point), 0
        case FieldType.INT:
            return _whole_or_decimal(cells, column.point), 0
        case FieldType.FLOAT:
            return floats(cells, column.point), 0
        case FieldType.DECIMAL:
            # a share of hundred is no amount of money
            percent = column.field.name != "amount"
            return short(decimals(cells, column.point, percent=percent)), 0
        case FieldType.BOOL:
            words = cells.str.strip_chars().str.to_lowercase()
            return words.replace_strict(_BOOLS, default=None), 0
        case FieldType.DATE:
            return dates(cells, column.order, seconds=column.seconds)
        case FieldType.LIST:
            return list_texts(cells), 0
    return datetimes(cells, column.order, seconds=column.seconds), 0


def _whole_or_decimal(cells: pl.Series, point: str) -> pl.Series:
    """Integers; a column that has fractions too becomes one of decimals, so these count as good."""
    whole = integers(cells, point)
    if whole.null_count() == cells.null_count():
        return whole
    number = short(decimals(cells, point))
    return number if number.str.contains(".", literal=True).any() else whole


def _given(chunk: Chunk, columns: Sequence[ColumnPlan]) -> list[list[str]]:
    shapes = [set(chunk.frame.columns)] if chunk.shape is None else chunk.shapes
    given = []
    for shape in shapes:
        there = [column for column in columns if column.header in shape]
        names = [column.field.name for column in there if column.field.name != "id"]
        if any(column.named_currency for column in there):
            names.append("currency")
        given.append(list(dict.fromkeys(names)))
    return given


def _split_close_date(
    texts: dict[str, pl.Series],
    group: pl.Series,
    given: list[list[str]],
    closed_stages: Collection[str],
) -> tuple[pl.Series, list[list[str]]]:
    """
    Turn the close date into ``closed`` for closed deals and ``expected_close`` for open ones.

    What was expected of a closed deal is history, and stays as it is stored; an open deal is not closed.
    """
    day = texts.pop(CLOSE_DATE)
    nothing = _nothing(day.len())
    stage = texts.get("stage", nothing)
    closed = stage.is_in(list(closed_stages)).fill_null(value=False)
    texts["closed"] = day.zip_with(closed, nothing).alias("closed")
    texts["expected_close"] = nothing.zip_with(closed, day).alias("expected_close")
    split: list[list[str]] = []
    for names in given:
        rest = [name for name in names if name != CLOSE_DATE]
        dated = len(rest) < len(names)
        split.append([*rest, "closed", "expected_close"] if dated else rest)
        split.append([*rest, "closed"] if dated else rest)
    return group * 2 + closed.cast(pl.Int32), split


def _grouped(frame: pl.DataFrame, window: int) -> tuple[pl.DataFrame, list[tuple[int, int]]]:
    """Rows of each window put together by group, and the group and length of each run of them."""
    place = pl.int_range(pl.len()) // window
    ordered = frame.with_columns(place.alias("\0window")).sort(
        "\0window", _GROUP, maintain_order=True
    )
    runs = ordered.group_by("\0window", _GROUP, maintain_order=True).len()
    return ordered, list(zip(runs[_GROUP].to_list(), runs["len"].to_list(), strict=True))
