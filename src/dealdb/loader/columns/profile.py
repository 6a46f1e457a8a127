"""
What each column of a source is, decided from all rows of a first pass, before anything is written.

So the same file gives the same fields however it is cut into chunks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy, deepcopy
from dataclasses import replace

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import Chunk, merged_type
from dealdb.loader.columns import headers
from dealdb.loader.columns.column_profile import DAYS, ColumnProfile, without_nothing
from dealdb.loader.columns.currencies import DOLLAR
from dealdb.loader.columns.decimal_point import decimal_point
from dealdb.loader.columns.numbers import greatest
from dealdb.loader.columns.plan import ColumnPlan, Plan
from dealdb.loader.columns.stage_flags import outcomes_in
from dealdb.loader.load_options import ColumnOptions
from dealdb.model.pipeline import Kind
from dealdb.model.schema import DEFAULT_SCALE, NUMBER_TYPES, Field, FieldType, Schema, parse_type

# fractions that a field has room for, and that look like a group of digits
_DIGITS_OF_A_GROUP = 3
_US_DOLLAR = "USD"


class Profile:
    """
    What the rows of a source say about its columns.

    Parameters
    ----------
    options
        Of the caller.
    schema
        Fields that exist; they keep their types.
    delimiter
        Character between the cells, or empty.
    """

    def __init__(self, options: ColumnOptions, schema: Schema, delimiter: str = "") -> None:
        self._options = options
        self._delimiter = delimiter
        self._schema = schema
        self._columns: dict[str, ColumnProfile] = {}
        self._mapping: dict[str, str | None] = {}
        self._settled: Mapping[str, str | None] = {}
        self._percent: bool | None = None
        self.stages: dict[str, None] = {}
        self.outcomes: dict[str, set[Kind]] = {}

    def going_on(self, schema: Schema) -> Profile:
        """Copy for rows that come later, with the fields that exist by now."""
        later = copy(self)
        later._schema = schema
        later._columns = deepcopy(self._columns)
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
        kind = kind or declared or seen.shape_of(values)
        seen.types.add(kind)
        if target == "probability":
            seen.greatest = max(seen.greatest, greatest(values))
        if not is_encoded:
            # no probability is large enough to have groups of digits
            grouped = target != "probability"
            seen.look(values, kind, is_number=declared in NUMBER_TYPES, grouped=grouped)

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
        if override is None and self._known_type(target) is None:
            point = self._options.decimal_point or self._settled_point(chosen, seen)
            if not seen.holds(chosen.type, point, self._options.dates):
                chosen = Field(target, FieldType.TEXT)
                if len(seen.named()) > 1:
                    notes.append(f"{header!r} is text: it has several currencies")
        is_number = chosen.type in NUMBER_TYPES
        plan = ColumnPlan(
            header=header,
            field=chosen,
            strict=override is not None,
            order=self._order(header, seen, notes) if chosen.type in DAYS else "us",
            point=self._point(header, chosen, seen, notes) if is_number else ".",
            of_hundred=target == "probability" and self._of_hundred(header, seen, notes),
            seconds=seen.order.in_seconds,
        )
        return self._with_currency(plan, seen, notes) if is_number else plan

    def _with_currency(self, plan: ColumnPlan, seen: ColumnProfile, notes: list[str]) -> ColumnPlan:
        named = seen.named()
        if plan.field.name != "amount":
            if len(named) > 1:
                notes.append(f"{plan.header!r} has several currencies; only 'amount' keeps them")
            return plan
        if not named:
            return plan
        # who writes decimals with commas has other dollars, or pesos
        dollar = _US_DOLLAR if plan.point == "." else DOLLAR
        if DOLLAR in named and dollar != DOLLAR:
            notes.append(f"'$' in {plan.header!r} is taken for {dollar}")
        named = sorted({dollar if each == DOLLAR else each for each in named})
        notes.append(f"currencies of {plan.header!r}: {', '.join(named)}")
        # a sheet may have the sign in its first row only
        only = None if self._has_currencies() or len(named) > 1 else named[0]
        return replace(plan, named_currency=True, currency=only, dollar=dollar)

    def _has_currencies(self) -> bool:
        """Whether the source has a column of currencies with anything in it."""
        return any(
            target == "currency" and self._columns[header].n_values
            for header, target in self._mapping.items()
        )

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
        if seen.order.in_seconds:
            notes.append(f"seconds since 1970 in {header!r}")
        if seen.order.short_years:
            notes.append(f"years with two digits in {header!r} are 1970 to 2069")
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

    def _settled_point(self, chosen: Field, seen: ColumnProfile) -> str | None:
        if chosen.scale >= _DIGITS_OF_A_GROUP and not seen.point.comma:
            # such a field is known to have fractions of three digits
            return "."
        columns = self._columns.values()
        return decimal_point(
            seen.point,
            (column.point for column in columns),
            european=self._delimiter == ";" or any(column.order.dotted for column in columns),
            english=any(column.order.us for column in columns),
        )

    def _point(self, header: str, chosen: Field, seen: ColumnProfile, notes: list[str]) -> str:
        point = self._options.decimal_point or self._settled_point(chosen, seen)
        if point is None:
            msg = (
                f"numbers in column {header!r} can be read with points or with commas before the fraction; "
                "say decimal_point='.' or decimal_point=','"
            )
            raise LoadError(msg)
        if point == ",":
            grouped = seen.point.either_point and not seen.point.commas
            found = "points in {!r} separate thousands" if grouped else "decimal commas in {!r}"
            notes.append(found.format(header))
        elif seen.point.comma:
            notes.append(
                f"{header!r} writes decimals with points and with commas; those with commas are rejected"
            )
        elif seen.point.commas:
            notes.append(f"commas in {header!r} separate thousands")
        return point

    def _of_hundred(self, header: str, seen: ColumnProfile, notes: list[str]) -> bool:
        if self._percent is None and seen.n_values:
            self._percent = seen.greatest > 1
        if self._percent:
            notes.append(f"{header!r} counts from 0 to 100")
        return bool(self._percent)
