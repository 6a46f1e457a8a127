"""Cells that can't be loaded: their rows are rejected, or, where the caller chose so, only the cells are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

import polars as pl

from dealdb.loader.chunk import Chunk, Reject, filled_with
from dealdb.loader.columns.headers import CLOSE_DATE
from dealdb.loader.columns.plan import ColumnPlan, Plan

# after a header, also repeatedly: another thing that can be wrong with its cells
MORE = "\0more"
# lines that are shown of each column
MAX_LINES = 3


@dataclass(frozen=True, slots=True)
class BadCells:
    """
    Cells of one column that can't be loaded.

    Attributes
    ----------
    rows
        A boolean for each row.
    code, expected
        As the rejects file says it.
    """

    rows: pl.Series
    code: str
    expected: str


@dataclass(slots=True)
class CellCounts:
    """Cells that were left out, by header, and the first lines with one."""

    n: Counter[str] = field(default_factory=Counter)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, rejects: Sequence[Reject], bad: Mapping[str, int]) -> None:
        """Take in the cells of one more chunk."""
        # rows that are rejected for another cell leave none
        self.n.update({header: n for header, n in bad.items() if n})
        for reject in rejects:
            for header in (reject.column, *reject.others):
                lines = self.lines.setdefault(header, [])
                if len(lines) < MAX_LINES:
                    lines.append(reject.line)

    def described(self) -> Iterator[str]:
        """
        A text for each column.

        Examples
        --------
        >>> list(CellCounts(Counter({"Amount": 5}), {"Amount": [2, 7, 9]}).described())
        ['Amount 5 (lines 2, 7, 9 ...)']
        """
        for header, n in self.n.items():
            lines = self.lines[header]
            word = "line" if n == 1 else "lines"
            more = " ..." if n > len(lines) else ""
            yield f"{header} {n:,} ({word} {', '.join(map(str, lines))}{more})"


def fit(height: int, bad: Mapping[str, BadCells]) -> pl.Series:
    """Whether each row is without a bad cell."""
    keep = filled_with(value=True, height=height, dtype=pl.Boolean())
    for cells in bad.values():
        keep = keep & ~cells.rows
    return keep


def divided(
    bad: Mapping[str, BadCells], columns: Sequence[ColumnPlan]
) -> tuple[dict[str, BadCells], dict[str, BadCells]]:
    """Bad cells that take their row with them, as an id does, and those that can be left out alone."""
    ids = {each.header for each in columns if each.field.name == "id"} | {"id"}
    fatal = {key: cells for key, cells in bad.items() if key.split(MORE)[0] in ids}
    return fatal, {key: cells for key, cells in bad.items() if key not in fatal}


def rejects(chunk: Chunk, bad: Mapping[str, BadCells], chosen: pl.Series) -> Iterator[Reject]:
    """A reject for each chosen row, by its first bad cell; it names the headers of the others."""
    if not chosen.any():
        return
    rows = chosen.arg_true().to_list()
    places = chunk.locate(rows)
    faults = zip(*(cells.rows.gather(rows).to_list() for cells in bad.values()), strict=True)
    values = {
        header: chunk.frame[header].gather(rows).to_list()
        for header in {key.split(MORE)[0] for key in bad} & set(chunk.frame.columns)
    }
    for n, (place, is_bad) in enumerate(zip(places, faults, strict=True)):
        found = list(compress(bad, is_bad))
        cause = bad[found[0]]
        header = found[0].split(MORE)[0]
        yield Reject(
            line=place.line,
            column=header,
            value=(values[header][n] if header in values else None) or "",
            code=cause.code,
            message=f"expected {cause.expected}",
            raw=place.raw,
            offset=place.offset,
            others=tuple(key.split(MORE)[0] for key in found[1:]),
        )


def spared(
    bad: Mapping[str, BadCells], plan: Plan, height: int
) -> tuple[pl.Series, list[tuple[str, ...]]]:
    """
    For each row the number of its set of fields that bad cells leave as they are stored, and these sets.

    A bad amount also leaves the currency alone that it would have given.
    """
    number = filled_with(0, height, pl.Int32())
    sets: list[tuple[str, ...]] = [()]
    by_header = {each.header: each for each in plan.columns}
    for header, cells in bad.items():
        names = _fields_of(by_header[header], plan)
        step = len(sets)
        number = number + cells.rows.cast(pl.Int32) * step
        sets += [tuple(dict.fromkeys((*each, *names))) for each in sets]
        number, sets = _dense(number, sets)
    return number, sets


def emptied(
    texts: Mapping[str, pl.Series], bad: Mapping[str, BadCells], plan: Plan
) -> dict[str, pl.Series]:
    """Texts by field, with nothing where a cell of the field is bad: what another column gave is not its value."""
    texts, by_header = dict(texts), {each.header: each for each in plan.columns}
    for header, cells in bad.items():
        for name in _fields_of(by_header[header], plan):
            if name in texts:
                text = texts[name]
                texts[name] = text.zip_with(~cells.rows, text.clear(text.len())).alias(name)
    return texts


def _fields_of(column: ColumnPlan, plan: Plan) -> list[str]:
    """Fields that a column gives: an amount also the currency, where no other column does."""
    other = plan.currency.header if plan.currency else ""
    has_own = any(each.field.name == "currency" and each.header != other for each in plan.columns)
    names_it = column.named_currency or (plan.currency and plan.currency.amounts == column.header)
    return [column.field.name, *(["currency"] if names_it and not has_own else [])]


def _dense(
    number: pl.Series, sets: Sequence[tuple[str, ...]]
) -> tuple[pl.Series, list[tuple[str, ...]]]:
    """The same with the sets that occur: a source with many bad columns has far fewer than there could be."""
    used = [0, *sorted(set(number.unique().to_list()) - {0})]
    return (
        number.replace_strict(used, range(len(used)), return_dtype=pl.Int32),
        [sets[each] for each in used],
    )


def without_spared(given: Collection[str], left: Collection[str]) -> list[str]:
    """Fields that a row gives, but for those that a bad cell leaves alone."""
    return [name for name in given if name not in left]


def after_split(left: Sequence[str]) -> tuple[str, ...]:
    """Fields that are left alone once the close date has become two."""
    if CLOSE_DATE not in left:
        return tuple(left)
    return (*(name for name in left if name != CLOSE_DATE), "closed", "expected_close")
