"""What each column of a source is, decided from all its rows: so a file gives the same fields however it is cut."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy, deepcopy

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.cells.column_profile import (
    DAYS,
    ColumnProfile,
    SeenColumns,
    View,
    without_nothing,
)
from dealdb.loader.cells.decimal_point import decimal_point
from dealdb.loader.cells.numbers import greatest
from dealdb.loader.cells.plain import plain_type
from dealdb.loader.cells.width import Width
from dealdb.loader.chunk import Chunk, merged_type, without_nulls
from dealdb.loader.columns import headers
from dealdb.loader.columns.deal_ids import IdEvidence
from dealdb.loader.columns.fit import Fits
from dealdb.loader.columns.headers import public_name
from dealdb.loader.columns.money import MinorUnits, with_currency, with_default
from dealdb.loader.columns.plan import ColumnPlan, NamedCurrency, Plan
from dealdb.loader.columns.stage_flags import outcomes_in, stages_in
from dealdb.loader.load_options import ColumnOptions
from dealdb.model.pipeline import Kind
from dealdb.model.schema import (
    DEFAULT_SCALE,
    NUMBER_TYPES,
    Field,
    FieldType,
    Schema,
    parse_type,
)

# fractions that a field has room for, and that look like a group of digits
_DIGITS_OF_A_GROUP = 3


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
        self._headers: dict[str, None] = {}
        self._width = Width()
        self._columns = SeenColumns()
        self._fits = Fits()
        self._units = MinorUnits()
        self._unfit: frozenset[tuple[str, str]] = frozenset()
        self._mapping: dict[str, str | None] = {}
        # fields that columns may still turn out to be, beside those that the mapping says
        self._others: dict[str, set[str]] = {}
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
        later._headers, later._mapping = dict(self._headers), dict(self._mapping)
        later._width = deepcopy(self._width)
        later._columns = deepcopy(self._columns)
        later._fits, later._units = deepcopy(self._fits), deepcopy(self._units)
        later._ids = deepcopy(self._ids)
        later.stages, later.outcomes = dict(self.stages), deepcopy(self.outcomes)
        return later

    def add(self, chunk: Chunk) -> None:
        """
        Take in the rows of one more chunk.

        Raises
        ------
        LoadError
            If there are more columns than a table has.
        SchemaError
            If more of them have values than a collection has fields.
        """
        self._width.check(chunk.frame.columns)
        self._map(chunk)
        there = set(chunk.frame.columns)
        filled = self._width.filled_of(chunk.frame, self._mapping)
        for header, target in self._mapping.items():
            if target is None or header not in there:
                continue
            if target == "id":
                self._ids.add(chunk, header)
            if header not in filled:
                continue
            texts, declared = chunk.frame[header], chunk.types.get(header)
            if target == "stage":
                self.stages |= stages_in(texts)
            targets = (target, *self._others.get(header, ()))
            views = {self._view(header, each): each for each in targets}
            # all of them before the first takes in a cell
            seen = {each: self._columns.of(view) for view, each in views.items()}
            for each, profile in seen.items():
                is_encoded = header in chunk.encoded
                self._look(profile, each, texts, declared, is_encoded=is_encoded)
        for stage, kind in outcomes_in(chunk.frame, self._mapping):
            self.outcomes.setdefault(stage, set()).add(kind)

    @property
    def empty(self) -> set[str]:
        """Headers of the columns that have a value in no row."""
        return set(self._headers) - self._columns.filled()

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
        notes += self._fits.notes(self._mapping)
        self._settled = dict(self._mapping)
        mapping = {header: public_name(target) for header, target in self._mapping.items()}
        currency = self._named_currency(notes)
        if currency and any(column.named_currency for column in columns):
            # what the cells say wins over the header, which is left for the others
            columns, currency = with_default(columns, currency.code), None
        if currency:
            field_of_it = self._field("currency", ColumnProfile())
            columns = [column for column in columns if column.field.name != "currency"]
            columns.append(ColumnPlan(header=currency.header, field=field_of_it))
            mapping[currency.header] = "currency"
        return Plan(columns=tuple(columns), mapping=mapping, notes=tuple(notes), currency=currency)

    def _map(self, chunk: Chunk) -> None:
        """Choose the fields of the columns, with what the cells of one more chunk say."""
        new = [header for header in chunk.frame.columns if header not in self._headers]
        # once rows were written, what a header is can't change any more
        chosen = {**(self._options.mapping or {}), **self._settled}
        if new:
            self._headers |= dict.fromkeys(new)
            fixed = {headers.find_header(name, self._headers) for name in chosen}
            free = [header for header in self._headers if header not in fixed]
            self._fits.of(free, chosen.values())
        self._fits.add(chunk.frame)
        self._units.add(chunk.frame)
        unfit = self._fits.unfit()
        if not new and unfit == self._unfit:
            return
        self._unfit = unfit
        self._mapping = headers.map_headers(self._headers, chosen, self._schema, unfit)
        undecided = frozenset(self._fits.open_pairs())
        own = headers.map_headers(self._headers, chosen, self._schema, unfit | undecided)
        self._others = {}
        for header, target in undecided:
            self._others.setdefault(header, set()).update({target, own[header] or target})

    def _view(self, header: str, target: str) -> View:
        return View(header, self._known_type(target), target == "probability")

    def _named_currency(self, notes: list[str]) -> NamedCurrency | None:
        by_field = {target: header for header, target in self._mapping.items()}
        amounts, given = by_field.get("amount"), by_field.get("currency")
        code = headers.currency_of(amounts) if amounts else None
        if amounts is None or code is None:
            return None
        if given is not None and self._columns.of(self._view(given, "currency")).n_values:
            notes.append(f"currencies from {given!r}, though {amounts!r} names {code}")
            return None
        notes.append(f"currency {code} from the name of {amounts!r}")
        return NamedCurrency(amounts, code)

    def _look(
        self,
        seen: ColumnProfile,
        target: str,
        texts: pl.Series,
        declared: FieldType | None,
        *,
        is_encoded: bool,
    ) -> None:
        kind = self._known_type(target)
        if seen.take_text(texts, kind, None if target == "probability" else declared):
            return
        form = plain_type(texts) if declared is None else None
        if form and seen.take_plain(texts, form, kind):
            seen.greatest = max(seen.greatest, greatest(texts) if target == "probability" else 0.0)
            return
        # what has its final form leaves no question open
        is_encoded = is_encoded and kind in (None, declared)
        values = without_nulls(texts if is_encoded else without_nothing(texts))
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
        target = public_name(target) or target
        if target in self._schema:
            return self._schema[target].type
        return FieldType.TEXT if target.endswith("_id") else None

    def _overrides(self, *, missing_ok: bool = False) -> dict[str, Field]:
        found: dict[str, Field] = {}
        for name, text in (self._options.types or {}).items():
            header = headers.find_header(name, self._mapping)
            # a field may come from two columns
            targets = [
                each for each in self._mapping.values() if each and public_name(each) == name
            ]
            targets = targets or [self._mapping.get(header or "") or ""]
            if not targets[0] and missing_ok:
                continue
            if not targets[0]:
                msg = f"types: {headers.unknown_header(name, self._mapping)}"
                raise LoadError(msg)
            found |= {each: parse_type(public_name(each) or each, text) for each in targets}
        return found

    def _check_id(self) -> None:
        if self._mapping and "id" not in self._mapping.values():
            raise LoadError(headers.no_id(self._mapping, self._fits.no_ids()))

    def _is_wanted(self, header: str, target: str, overrides: Collection[str]) -> bool:
        # a column without a single value says nothing about its type, so it declares no field
        says_something = bool(self._columns.of(self._view(header, target)).n_values)
        return (
            says_something
            or public_name(target) in self._schema
            or target in overrides
            or target == headers.CLOSE_DATE
        )

    def _column(
        self, header: str, target: str, override: Field | None, notes: list[str]
    ) -> ColumnPlan:
        seen = self._columns.of(self._view(header, target))
        name = public_name(target) or target
        digits = self._minor_digits(header, target, seen, notes)
        chosen = override or self._field(name, seen, is_minor=digits > 0)
        if target == "id":
            return self._id_column(header, chosen, notes)
        if override is None and not digits and self._known_type(target) is None:
            point = self._options.decimal_point or self._settled_point(chosen, seen)
            if not seen.holds(chosen.type, point, self._options.dates):
                chosen = Field(name, FieldType.TEXT)
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
            minor_digits=digits if is_number else 0,
            seconds=seen.order.in_seconds,
            is_shown=seen.is_shown,
        )
        if not is_number:
            return plan
        return with_currency(plan, seen.named(), notes, has_currencies=self._has_currencies())

    def _id_column(self, header: str, chosen: Field, notes: list[str]) -> ColumnPlan:
        notes += self._ids.notes(header)
        if self._ids_are_whole is None and self._ids.n_values:
            self._ids_are_whole = self._ids.whole
        whole, collapsed = bool(self._ids_are_whole), self._ids.collapsed
        return ColumnPlan(header=header, field=chosen, whole=whole, collapsed=collapsed)

    def _has_currencies(self) -> bool:
        """Whether the source has a column of currencies with anything in it."""
        return any(
            target == "currency" and self._columns.of(self._view(header, target)).n_values
            for header, target in self._mapping.items()
        )

    def _minor_digits(self, header: str, target: str, seen: ColumnProfile, notes: list[str]) -> int:
        is_number = (
            self._known_type(target) in NUMBER_TYPES or merged_type(seen.types) in NUMBER_TYPES
        )
        digits = self._units.digits_of(header, target) if is_number else 0
        if digits:
            unit = {2: "cents", 6: "millionths", -3: "thousands", -6: "millions"}[digits]
            done = "divided" if digits > 0 else "multiplied"
            notes.append(f"{header!r} counts {unit}, and was {done} by {10 ** abs(digits):,}")
        return digits

    def _field(self, target: str, seen: ColumnProfile, *, is_minor: bool = False) -> Field:
        if target == headers.CLOSE_DATE:
            return Field(target, FieldType.DATE)
        if target in self._schema:
            return self._schema[target]
        kind = self._known_type(target) or merged_type(seen.types) or FieldType.TEXT
        kind = FieldType.DECIMAL if is_minor else kind
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
        order = seen.order
        us, eu = bool(order.us), order.day_first
        if not us and not eu and order.is_open:
            # another column of the same file, written by the same program, may decide
            us = any(column.order.us for column in self._columns.all())
            eu = any(column.order.day_first for column in self._columns.all())
        if (us and eu) or (order.is_open and not us and not eu):
            raise LoadError(order.question(header))
        if us or eu:
            notes.append(f"{'day' if eu else 'month'} first in dates of {header!r}")
        return "eu" if eu else "us"

    def _settled_point(self, chosen: Field, seen: ColumnProfile) -> str | None:
        if chosen.scale >= _DIGITS_OF_A_GROUP and not seen.point.comma:
            # such a field is known to have fractions of three digits
            return "."
        columns = self._columns.all()
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
