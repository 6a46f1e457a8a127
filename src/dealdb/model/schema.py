"""
The fields of a collection and their types.

A schema is immutable and has a version; the server holds the current one, and a change of data is
refused when it was prepared with another version. Types only ever widen. How a value of each type
becomes text is in ``dealdb.model.values``; how a whole column does, in ``dealdb.model.columns``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from dealdb.errors import SchemaError
from dealdb.model.leaving import Leaving

MAX_NAME_LENGTH = 128
MAX_FIELDS = 512
# Polars and DuckDB hold decimals in 128 bits
MAX_DECIMAL_DIGITS = 38
DEFAULT_SCALE = 2
# of a stored number, before the point and after it: together no more than a column holds, or a number with a long
# fraction would push the long numbers that are there out of it
MAX_WHOLE_DIGITS = 20
MAX_SCALE = 18


class FieldType(StrEnum):
    """Type of a field."""

    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    DECIMAL = "decimal"
    BOOL = "bool"
    DATE = "date"
    DATETIME = "datetime"
    LIST = "list"


NUMBER_TYPES = frozenset({FieldType.INT, FieldType.FLOAT, FieldType.DECIMAL})


@dataclass(frozen=True, slots=True)
class Field:
    """
    One column of a collection.

    Attributes
    ----------
    name
        Column name; does not begin with ``_``, which marks internal fields.
    type
        What its values are.
    scale
        Digits after the decimal point; only decimals have any.

    Examples
    --------
    >>> Field("discount", FieldType.DECIMAL, 2)
    Field(name='discount', type=<FieldType.DECIMAL: 'decimal'>, scale=2)
    """

    name: str
    type: FieldType
    scale: int = 0

    def __post_init__(self) -> None:
        _check_storable(self.name)

    def describe(self) -> str:
        """
        Type as people write it.

        Examples
        --------
        >>> Field("amount", FieldType.DECIMAL, 2).describe()
        'decimal(2)'
        """
        return f"{self.type}({self.scale})" if self.type is FieldType.DECIMAL else str(self.type)


def parse_type(name: str, text: str) -> Field:
    """
    Field from a type as people write it: the inverse of ``Field.describe``.

    Parameters
    ----------
    name
        Column name.
    text
        ``text``, ``int``, ``float``, ``decimal``, ``decimal(4)``, ``bool``, ``date``, ``datetime`` or ``list``.

    Raises
    ------
    SchemaError
        If there is no such type, or it has more digits after the point than a column holds.

    Examples
    --------
    >>> parse_type("discount", "decimal(4)").scale
    4
    """
    kind, _, rest = text.strip().lower().partition("(")
    scale = rest.rstrip(")")
    try:
        field_type = FieldType(kind)
        digits = int(scale) if scale else DEFAULT_SCALE
    except ValueError:
        msg = f"field {name!r}: there is no type {text!r}; the types are {', '.join(FieldType)}"
        raise SchemaError(msg, field=name, expected=", ".join(FieldType)) from None
    field = Field(name, field_type, digits if field_type is FieldType.DECIMAL else 0)
    _check_scale(field)
    return field


def max_scale(name: str) -> int:
    """
    Most digits after the point that a decimal field of this name can have.

    Examples
    --------
    >>> max_scale("amount"), max_scale("probability")
    (18, 37)
    """
    # from 0 to 1: one digit is all that stands before the point
    return MAX_DECIMAL_DIGITS - 1 if name == "probability" else MAX_SCALE


def _check_scale(field: Field) -> None:
    most = max_scale(field.name)
    if not 0 <= field.scale <= most:
        msg = f"field {field.name!r}: a decimal has 0 to {most} digits after the point, not {field.scale}"
        raise SchemaError(msg, field=field.name, expected=f"0 to {most} digits after the point")


def check_field_name(name: str) -> None:
    """
    Refuse a name that can't be a column.

    Raises
    ------
    SchemaError
        If it is empty, too long, begins with ``_``, has control characters, or is a pattern of names.
    """
    _check_storable(name)
    if is_pattern(name):
        msg = f"{name[:40]!r} can't be a field name: it would stand for all names that it fits"
        raise SchemaError(msg, field=name[:40])


def is_pattern(name: str) -> bool:
    """
    Whether Polars takes a name for that of several columns: ``^amount$`` for a regular expression, ``*`` for all.

    Examples
    --------
    >>> is_pattern("^amount$"), is_pattern("*"), is_pattern("US$"), is_pattern("a*")
    (True, True, False, False)
    """
    return name == "*" or (name[:1] == "^" and name[-1:] == "$")


def _check_storable(name: str) -> None:
    """Refuse a name that no collection has; fields that are patterns were made before these were refused."""
    if not name or len(name) > MAX_NAME_LENGTH or name.startswith("_") or not name.isprintable():
        msg = (
            f"{name[:40]!r} can't be a field name: use 1 to {MAX_NAME_LENGTH} printable "
            "characters, the first not '_'"
        )
        raise SchemaError(msg, field=name[:40])


def widen(old: Field, new: Field) -> Field:
    """
    Narrowest field that holds the values of both; numbers widen, nothing ever narrows.

    Raises
    ------
    SchemaError
        If no type holds both exactly.

    Examples
    --------
    >>> widen(Field("n", FieldType.INT), Field("n", FieldType.DECIMAL, 3)).describe()
    'decimal(3)'
    """
    if old.type is new.type:
        return replace(old, scale=max(old.scale, new.scale))
    if {old.type, new.type} == {FieldType.INT, FieldType.DECIMAL}:
        return Field(old.name, FieldType.DECIMAL, max(old.scale, new.scale))
    if (old.type, new.type) == (FieldType.FLOAT, FieldType.INT):
        return old
    msg = f"field {old.name!r} holds {old.describe()}, which can't become {new.describe()}"
    raise SchemaError(msg, field=old.name, expected=old.describe())


_STANDARD: tuple[Field, ...] = (
    Field("id", FieldType.TEXT),
    Field("name", FieldType.TEXT),
    Field("company", FieldType.TEXT),
    Field("owner", FieldType.TEXT),
    Field("stage", FieldType.TEXT),
    Field("amount", FieldType.DECIMAL, DEFAULT_SCALE),
    Field("currency", FieldType.TEXT),
    # exact, so that amount x probability is exact too
    Field("probability", FieldType.DECIMAL, DEFAULT_SCALE),
    Field("created", FieldType.DATE),
    Field("expected_close", FieldType.DATE),
    Field("closed", FieldType.DATE),
    Field("source", FieldType.TEXT),
    Field("loss_reason", FieldType.TEXT),
    Field("updated", FieldType.DATETIME),
)
STANDARD_NAMES = frozenset(field.name for field in _STANDARD)


@dataclass(frozen=True, slots=True)
class Schema(Mapping[str, Field]):
    """
    The fields of a collection, in order, by name.

    Attributes
    ----------
    version
        Rises by one with each change, from 0 for a collection that holds nothing yet; a commit names the
        version that it was prepared with.
    fields
        All fields; ``id`` is the first.
    partitions
        How many partitions the collection is made of. A commit of a program that takes it to have another number is
        refused, as one that takes its fields to be others.
    leaving
        Fields that are being dropped, renamed or retyped in several partitions.

    Examples
    --------
    >>> Schema.standard()["amount"].describe()
    'decimal(2)'
    """

    version: int
    fields: tuple[Field, ...]
    partitions: int = 1
    leaving: tuple[Leaving, ...] = ()
    _by_name: dict[str, Field] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        object.__setattr__(self, "_by_name", {field.name: field for field in self.fields})

    @classmethod
    def standard(cls, partitions: int = 1) -> Schema:
        """Fields that every collection begins with."""
        return cls(0, _STANDARD, partitions)

    def __getitem__(self, name: str) -> Field:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    @property
    def by_name(self) -> Mapping[str, Field]:
        """The fields by name, to look up many: quicker than the schema itself."""
        return self._by_name

    def __len__(self) -> int:
        return len(self.fields)

    def with_fields(self, fields: Iterable[Field]) -> Schema:
        """
        Schema of the next version in which these fields exist, widened where they already do.

        Returns
        -------
        Schema
            This very schema when nothing changes.

        Raises
        ------
        SchemaError
            If a field would have to narrow, would have too many digits after the point or a name that no field can
            have, or there would be more than 512.

        Examples
        --------
        >>> Schema.standard().with_fields([Field("region", FieldType.TEXT)]).version
        1
        """
        merged = {field.name: field for field in self.fields}
        for field in fields:
            known = merged.get(field.name)
            if not known:
                check_field_name(field.name)
            merged[field.name] = widen(known, field) if known else field
            if field.name not in self or merged[field.name].scale != self[field.name].scale:
                _check_scale(merged[field.name])
        after = tuple(merged.values())
        if len(after) > MAX_FIELDS:
            msg = f"a collection has at most {MAX_FIELDS} fields; this would make it {len(after)}"
            raise SchemaError(msg, expected=f"at most {MAX_FIELDS} fields")
        return self if after == self.fields else self._with(after)

    def without(self, name: str) -> Schema:
        """
        Schema of the next version that lacks a field.

        Raises
        ------
        SchemaError
            If there is no such field, or every collection has it.
        """
        self.check_own(name)
        return self._with(tuple(f for f in self.fields if f.name != name))

    def retyped(self, field: Field) -> Schema:
        """
        Schema of the next version in which a field has another type.

        Raises
        ------
        SchemaError
            If there is no such field, or every collection has it.
        """
        self.check_own(field.name)
        _check_scale(field)
        fields = (field if each.name == field.name else each for each in self.fields)
        return self._with(tuple(fields))

    def _with(self, fields: tuple[Field, ...]) -> Schema:
        return replace(self, version=self.version + 1, fields=fields)

    def check_own(self, name: str) -> None:
        """
        Refuse a field that can't be renamed, retyped or dropped.

        Raises
        ------
        SchemaError
            If there is no such field, or every collection has it.
        """
        own = [field.name for field in self.fields if not _is_standard(field.name)]
        if name not in own:
            found = "every collection has it" if _is_standard(name) else "there is none"
            msg = f"field {name!r} can't be changed: {found}; own fields are {', '.join(own) or 'none'}"
            raise SchemaError(msg, field=name)

    def to_json(self) -> str:
        """Text under which the server keeps the schema."""
        fields = [[f.name, str(f.type), f.scale] for f in self.fields]
        document: dict[str, object] = {"version": self.version, "fields": fields}
        if self.partitions > 1:
            document["partitions"] = self.partitions
        if self.leaving:
            document["leaving"] = self.leaving
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Schema:
        """
        Schema from the text of ``to_json``.

        Raises
        ------
        ValueError
            If the text is not such a schema.
        """
        document = json.loads(text)
        fields = tuple(
            Field(name, FieldType(kind), scale) for name, kind, scale in document["fields"]
        )
        version, partitions = document["version"], document.get("partitions", 1)
        leaving = tuple(map(Leaving.from_json, document.get("leaving", ())))
        found = cls(version, fields, partitions, leaving)
        whole = len(found.by_name) == len(fields) <= MAX_FIELDS
        scales = all(type(f.scale) is int and 0 <= f.scale < MAX_DECIMAL_DIGITS for f in fields)
        # without fields for one that nothing was saved with yet
        has_id = not fields or fields[0] == Field("id", FieldType.TEXT)
        numbers = type(version) is int and type(partitions) is int
        whole = whole and all(each.name in found for each in leaving)
        if not (numbers and whole and scales and has_id):
            msg = "not a schema"
            raise ValueError(msg)
        return found


def _is_standard(name: str) -> bool:
    return any(field.name == name for field in _STANDARD)
