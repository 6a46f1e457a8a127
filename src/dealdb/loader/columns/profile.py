"""
What each column of a source is, decided from all rows of a first pass, before anything is written.

So the same file gives the same fields however it is cut into chunks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy, deepcopy
from dataclasses import dataclass, field

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import Chunk, merged_type
from dealdb.loader.columns import headers
from dealdb.loader.columns.dates import DATE_SHAPE, MOMENT_SHAPE, OrderEvidence
from dealdb.loader.columns.deal_ids import IdEvidence
from dealdb.loader.columns.numbers import PointEvidence, greatest
from dealdb.loader.columns.plan import ColumnPlan, Plan
from dealdb.loader.columns.stage_flags import outcomes_in
from dealdb.loader.load_options import ColumnOptions
from dealdb.model.pipeline import Kind
from dealdb.model.schema import DEFAULT_SCALE, NUMBER_TYPES, Field, FieldType, Schema, parse_type

DAYS = frozenset({FieldType.DATE, FieldType.DATETIME})

# what exports write for "nothing" in columns that are not text, whatever the case
_NOTHING = ("", "null", "none", "n/a", "na", "#n/a", "-", "--", "–", "—", "nan", "nat", r"\n")  # noqa: RUF001
_SAMPLE_ROWS = 100
_SHAPES: tuple[tuple[FieldType, str], ...] = (
    (FieldType.BOOL, r"^(?i:true|false)$"),
    (FieldType.INT, r"^(?:0|-?[1-9][0-9]{0,17})$"),
    (
        FieldType.DECIMAL,
        r"^-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?$"
        r"|^[-(]?(?:[$€£¥₹] ?)?-?[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}(?:\.[0-9]+)?\)?$"
        r"|^[-(]?[$€£¥₹] ?-?[0-9]+(?:[.,][0-9]+)?\)?$"
        r"|^-?(?:[$€£¥₹] ?)?[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+(?: ?[$€£¥₹])?$",
    ),
    (FieldType.DATE, DATE_SHAPE),
    (FieldType.DATETIME, MOMENT_SHAPE),
)


@dataclass(slots=True)
class ColumnProfile:
    """
    What the rows seen so far say about one column.

    Attributes
    ----------
    n_values
        Cells that are not empty.
    types
        Types that its chunks have.
    greatest
        Greatest number in it; only kept for probabilities.
    """

    n_values: int = 0
    types: set[FieldType] = field(default_factory=set)
    point: PointEvidence = field(default_factory=PointEvidence)
    order: OrderEvidence = field(default_factory=OrderEvidence)
    greatest: float = 0.0


class Profile:
    """
    What the rows of a source say about its columns.

    Parameters
    ----------
    options
        Of the caller.
    schema
        Fields that exist; they keep their types.
    """

    def __init__(self, options: ColumnOptions, schema: Schema) -> None:
        self._options = options
        self._schema = schema
        self._columns: dict[str, ColumnProfile] = {}
        self._mapping: dict[str, str | None] = {}
        self._settled: Mapping[str, str | None] = {}
        self._percent: bool | None = None
        self._ids = IdEvidence()
        # once rows were written, ids can't be read otherwise any more
        self._ids_are_whole: bool | None = None
        self.stages: dict[str, None] = {}
        self.outcomes: dict[str, set[Kind]] = {}

    def going_on(self, schema: Schema) -> Profile:
        """Copy for rows that come later, with the fields that exist by now."""
        later = copy(self)
        later._schema = schema
        later._columns = deepcopy(self._columns)
        later._ids = deepcopy(self._ids)
        later._mapping = dict(self._mapping)
        later.stages, later.outcomes = dict(self.stages), deepcopy(self.outcomes)
        return later

    def add(self, chunk: Chunk) -> None:
        """Take in the rows of one more chunk."""
        new = [header for header in chunk.frame.columns if header not in self._columns]
        if new:
            self._columns |= {header: ColumnProfile() for header in new}
            # once rows were written, what a header is can't change any more
            chosen = {**(self._options.mapping or {}), **self._settled}
            self._mapping = headers.map_headers(self._columns.keys(), chosen, self._schema)
        for header, target in self._mapping.items():
            if target is not None and header in chunk.frame.columns:
                if target == "id":
                    self._ids.add(chunk, header)
                texts = chunk.frame[header]
                declared, is_encoded = chunk.types.get(header), header in chunk.encoded
                self._look(self._columns[header], target, texts, declared, is_encoded=is_encoded)
        for stage, kind in outcomes_in(chunk.frame, self._mapping):
            self.outcomes.setdefault(stage, set()).add(kind)

    def plan(self) -> Plan:
        """
        The decision.

        Raises
        ------
        LoadError
            If no column is the id, an option names a column that isn't there, or dates could be read both ways.
        """
        self._check_id()
        overrides = self._overrides()
        notes: list[str] = []
        columns = [
            self._column(header, target, overrides.get(target), notes)
            for header, target in self._mapping.items()
            if target is not None and self._is_wanted(header, target, overrides)
        ]
        if headers.CLOSE_DATE in self._mapping.values():
            notes.append("close dates split by outcome into 'closed' and 'expected_close'")
        self._settled = dict(self._mapping)
        return Plan(columns=tuple(columns), mapping=self._settled, notes=tuple(notes))

    def _look(
        self,
        seen: ColumnProfile,
        target: str,
        texts: pl.Series,
        declared: FieldType | None,
        *,
        is_encoded: bool,
    ) -> None:
        if target == "stage":
            self.stages |= dict.fromkeys(texts.drop_nulls().unique(maintain_order=True).to_list())
        kind = self._known_type(target)
        if kind is FieldType.TEXT or (not seen.types.isdisjoint({FieldType.TEXT}) and not kind):
            seen.n_values += texts.len() - texts.null_count()
            return
        # what has its final form leaves no question open
        is_encoded = is_encoded and kind in (None, declared)
        values = (texts if is_encoded else without_nothing(texts)).drop_nulls()
        if values.is_empty():
            return
        seen.n_values += values.len()
        kind = kind or declared or _shape_of(values)
        seen.types.add(kind)
        if target == "probability":
            seen.greatest = max(seen.greatest, greatest(values))
            values = values.str.strip_chars(" %")
        if is_encoded:
            return
        if kind in NUMBER_TYPES and declared not in NUMBER_TYPES:
            seen.point.add(values)
        elif kind in DAYS:
            seen.order.add(values)

    def _known_type(self, target: str) -> FieldType | None:
        if target == headers.CLOSE_DATE:
            return FieldType.DATE
        override = self._overrides(missing_ok=True).get(target)
        if override:
            return override.type
        if target in self._schema:
            return self._schema[target].type
        return FieldType.TEXT if target.endswith("_id") else None

    def _overrides(self, *, missing_ok: bool = False) -> dict[str, Field]:
        found = {}
        for name, text in (self._options.types or {}).items():
            header = headers.find_header(name, self._mapping)
            target = name if name in self._mapping.values() else self._mapping.get(header or "")
            if target is None and missing_ok:
                continue
            if target is None:
                msg = f"types: {headers.unknown_header(name, self._mapping)}"
                raise LoadError(msg)
            found[target] = parse_type(target, text)
        return found

    def _check_id(self) -> None:
        if self._mapping and "id" not in self._mapping.values():
            msg = (
                "no column is the id of the deals; name it with mapping={'<column>': 'id'}, or what makes one with "
                "id_from; "
                f"{headers.nearest_header('deal_id', self._mapping)}"
            )
            raise LoadError(msg)

    def _is_wanted(self, header: str, target: str, overrides: Collection[str]) -> bool:
        # a column without a single value says nothing about its type, so it declares no field
        says_something = bool(self._columns[header].n_values)
        return (
            says_something
            or target in self._schema
            or target in overrides
            or target == headers.CLOSE_DATE
        )

    def _column(
        self, header: str, target: str, override: Field | None, notes: list[str]
    ) -> ColumnPlan:
        seen = self._columns[header]
        chosen = override or self._field(target, seen)
        if target == "id":
            return self._id_column(header, chosen, notes)
        return ColumnPlan(
            header=header,
            field=chosen,
            strict=override is not None,
            order=self._order(header, seen, notes) if chosen.type in DAYS else "us",
            point=self._point(header, seen, notes) if chosen.type in NUMBER_TYPES else ".",
            of_hundred=target == "probability" and self._of_hundred(header, seen, notes),
        )

    def _id_column(self, header: str, chosen: Field, notes: list[str]) -> ColumnPlan:
        notes += self._ids.notes(header)
        if self._ids_are_whole is None and self._ids.n_values:
            self._ids_are_whole = self._ids.whole
        whole = bool(self._ids_are_whole)
        return ColumnPlan(header=header, field=chosen, whole=whole, collapsed=self._ids.collapsed)

    def _field(self, target: str, seen: ColumnProfile) -> Field:
        if target == headers.CLOSE_DATE:
            return Field(target, FieldType.DATE)
        if target in self._schema:
            return self._schema[target]
        kind = self._known_type(target) or merged_type(seen.types) or FieldType.TEXT
        return Field(target, kind, DEFAULT_SCALE if kind is FieldType.DECIMAL else 0)

    def _order(self, header: str, seen: ColumnProfile, notes: list[str]) -> str:
        if seen.order.epoch:
            notes.append(f"milliseconds since 1970 in {header!r}")
        if self._options.dates:
            return self._options.dates
        us = bool(seen.order.us)
        eu = bool(seen.order.eu)
        if not us and not eu and seen.order.either:
            # another column of the same file, written by the same program, may decide
            us = any(column.order.us for column in self._columns.values())
            eu = any(column.order.eu for column in self._columns.values())
        if (us and eu) or (seen.order.either and not us and not eu):
            found = "both month first and day first" if us and eu else "either month or day first"
            msg = f"dates in column {header!r} can be read as {found}; say dates='us' or dates='eu'"
            raise LoadError(msg)
        if us or eu:
            notes.append(f"{'day' if eu else 'month'} first in dates of {header!r}")
        return "eu" if eu else "us"

    def _point(self, header: str, seen: ColumnProfile, notes: list[str]) -> str:
        point = self._options.decimal_point or seen.point.decimal_point()
        if point == ",":
            notes.append(f"decimal commas in {header!r}")
        elif seen.point.comma:
            notes.append(
                f"{header!r} writes decimals with points and with commas; those with commas are rejected"
            )
        elif seen.point.either or seen.point.point:
            notes.append(f"commas in {header!r} separate thousands")
        return point

    def _of_hundred(self, header: str, seen: ColumnProfile, notes: list[str]) -> bool:
        if self._percent is None and seen.n_values:
            self._percent = seen.greatest > 1
        if self._percent:
            notes.append(f"{header!r} counts from 0 to 100")
        return bool(self._percent)


def without_nothing(texts: pl.Series) -> pl.Series:
    """
    Column with null for each cell that stands for nothing in a column that is not text.

    Examples
    --------
    >>> without_nothing(pl.Series(["12", "N/A", " - ", "NaN"])).to_list()
    ['12', None, None, None]
    """
    odd = texts.filter(~texts.str.contains(r"^-?[0-9]"))
    if not odd.str.strip_chars().str.to_lowercase().is_in(_NOTHING).any():
        return texts
    frame = texts.to_frame("text")
    cell = pl.col("text")
    nothing = cell.str.strip_chars().str.to_lowercase().is_in(_NOTHING)
    return frame.select(pl.when(~nothing).then(cell).alias(texts.name)).to_series()


def _shape_of(values: pl.Series) -> FieldType:
    sample = values.head(_SAMPLE_ROWS)
    for kind, pattern in _SHAPES:
        if sample.str.contains(pattern).all() and values.str.contains(pattern).all():
            return kind
    return FieldType.TEXT
