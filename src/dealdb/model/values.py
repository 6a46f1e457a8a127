"""
How one value becomes text in Redis, and back.

Each value has exactly one text, whatever path it came by, so that the server can tell by comparing
bytes that a save changes nothing. ``dealdb.model.columns`` writes the same texts a column at a time.

=========  =======================================  =================================
type       text                                     example
=========  =======================================  =================================
text       itself, UTF-8                            ``Acme renewal``
int        digits                                   ``-42``
float      shortest text that reads back the same   ``0.1``
decimal    plain digits, no trailing zeros          ``125000``, ``0.125``
bool       ``true``, ``false``                      ``true``
date       ISO 8601                                 ``2026-01-31``
datetime   ISO 8601, UTC, fraction only if any      ``2026-01-31T09:30:00Z``
list       JSON array of texts, no blanks           ``["renewal","EMEA"]``
=========  =======================================  =================================

Null is the absence of the field; empty text is a value.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import TypeAlias

from dealdb.errors import SchemaError
from dealdb.model.decimals import (
    A_NUMBER,
    A_PROBABILITY,
    DoesNotFit,
    check_digits,
    check_probability,
    decode_decimal,
    encode_decimal,
    number_of,
    scale_of,
    share_of,
)
from dealdb.model.moments import as_utc, midnight
from dealdb.model.schema import (
    DEFAULT_SCALE,
    Field,
    FieldType,
)

Value: TypeAlias = str | int | float | Decimal | bool | date | datetime | list[str] | None

INT64 = range(-(2**63), 2**63)
# no number, date or bool has so many characters
_MAX_SHORT = 400
# of a list as JSON: what it is read into can take twenty times as much
_MAX_LIST = 2**22
# characters of a value that an error looks at
_LOOKED_AT = 1_000


def encode(value: object, field: Field, *, deal: str | None = None) -> str:
    """
    Text of a value; the value must not be None.

    Parameters
    ----------
    value
        A value of the field's type, or text that reads as one.
    field
        Type to encode as.
    deal
        Id to name in an error.

    Raises
    ------
    SchemaError
        If the value doesn't fit; the message names deal, field and what was expected, not the value.

    Examples
    --------
    >>> encode("20.10", Field("amount", FieldType.DECIMAL, 2))
    '20.1'
    >>> encode(date(2026, 1, 31), Field("closed", FieldType.DATE))
    '2026-01-31'
    """
    is_probability = field.name == "probability"
    try:
        text = _ENCODERS[field.type](share_of(value) if is_probability else value)
        if is_probability:
            check_probability(text)
        if field.type is FieldType.DECIMAL:
            check_digits(text, field.name)
    except DoesNotFit as problem:
        expected = problem.args[0]
        if is_probability and expected == A_NUMBER:
            expected = A_PROBABILITY
        where = f"deal {deal!r}, field {field.name!r}" if deal else f"field {field.name!r}"
        msg = f"{where}: expected {expected}, got {_kind_of(value)}"
        raise SchemaError(msg, deal=deal, field=field.name, expected=expected) from None
    return text


def decode(text: str, field: Field) -> Value:
    """
    Value of a text that ``encode`` made; decimals come with the scale of their field.

    Raises
    ------
    ValueError
        If another program wrote a text that this type doesn't have.

    Examples
    --------
    >>> decode("20.1", Field("amount", FieldType.DECIMAL, 2))
    Decimal('20.10')
    """
    if len(text) > _MAX_SHORT and field.type in _SHORT_TYPES:
        msg = f"too long for the type {field.type}"
        raise ValueError(msg)
    return _DECODERS[field.type](text, field)


def infer(name: str, value: object) -> Field:
    """
    Narrowest field for a value of a column that has not been declared.

    Text is never guessed to be a number or a date here: only the type of the object counts.

    Raises
    ------
    SchemaError
        If values of that kind can't be stored.

    Examples
    --------
    >>> infer("seats", 12).describe()
    'int'
    """
    match value:
        case str():
            return Field(name, FieldType.TEXT)
        case bool():
            return Field(name, FieldType.BOOL)
        case int():
            return Field(name, FieldType.INT if value in INT64 else FieldType.DECIMAL)
        case float():
            return Field(name, FieldType.FLOAT)
        case Decimal():
            return Field(name, FieldType.DECIMAL, max(DEFAULT_SCALE, scale_of(value)))
        case datetime():
            return Field(name, FieldType.DATETIME)
        case date():
            return Field(name, FieldType.DATE)
        case list() | tuple():
            return Field(name, FieldType.LIST)
    expected = "text, a number, a bool, a date, a datetime or a list of texts"
    msg = f"field {name!r}: expected {expected}, got {_kind_of(value)}"
    raise SchemaError(msg, field=name, expected=expected)


def widened(field: Field, value: object) -> Field:
    """
    Field, widened where it must be to hold this value as it is saved; unchanged where the value doesn't fit at all.

    Examples
    --------
    >>> widened(Field("seats", FieldType.INT), Decimal("1.5")).describe()
    'decimal(2)'
    """
    if field.type is FieldType.INT and isinstance(value, int | float | Decimal):
        number = number_of(value) if isinstance(value, float) else value
        if number is None:
            return field
        wide = infer(field.name, number)
        return field if wide.type in (FieldType.BOOL, FieldType.INT) else wide
    # an integer has no fraction that a decimal could be too narrow for
    if field.type is FieldType.DECIMAL and not isinstance(value, int):
        number = number_of(value)
        scale = 0 if number is None else scale_of(number)
        if scale > field.scale:
            return Field(field.name, FieldType.DECIMAL, scale)
    return field


def encode_id(value: object) -> str:
    """
    Text of a deal's id: text as it is, an integer as its digits.

    Raises
    ------
    SchemaError
        If it is empty or something else.

    Examples
    --------
    >>> encode_id(42)
    '42'
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = _digits_of(value)
    try:
        text = _encode_text(value)
    except DoesNotFit:
        text = ""
    if text:
        return text
    msg = f"a deal needs an id: expected non-empty text or an integer, got {_kind_of(value)}"
    raise SchemaError(msg, field="id", expected="non-empty text or an integer")


def _digits_of(number: int) -> str:
    """Digits of an integer; empty where Python refuses to write so many."""
    try:
        return str(number)
    except ValueError:
        return ""


def _kind_of(value: object) -> str:
    # what was found is told by its kind: values of deals stay out of messages and logs
    if isinstance(value, str):
        if any(unicodedata.category(letter) == "Sc" for letter in value[:_LOOKED_AT]):
            return "text with a currency sign"
        return "other text" if value else "empty text"
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "infinity"
    return f"a value of type {type(value).__name__}"


def _encode_text(value: object) -> str:
    if not isinstance(value, str):
        raise DoesNotFit("text")
    try:
        if not value.isascii():
            value.encode()
    except UnicodeEncodeError:
        raise DoesNotFit("text that UTF-8 can encode (no lone surrogates)") from None
    return value


def _encode_int(value: object) -> str:
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise DoesNotFit("an integer") from None
    if not isinstance(value, int) or isinstance(value, bool):
        raise DoesNotFit("an integer")
    if value not in INT64:
        raise DoesNotFit("an integer of at most 64 bits")
    return str(value)


def _encode_float(value: object) -> str:
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        try:
            value = float(value)
        except (ValueError, OverflowError):
            raise DoesNotFit("a number") from None
    if not isinstance(value, float) or not math.isfinite(value):
        raise DoesNotFit("a finite number")
    return repr(value)


def _encode_bool(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value in ("true", "false"):
        return str(value)
    raise DoesNotFit("true or false")


def _encode_date(value: object) -> str:
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise DoesNotFit("a date such as 2026-01-31") from None
    if isinstance(value, datetime):
        if value.time() != time():
            raise DoesNotFit("a date without a time of day")
        value = value.date()
    if not isinstance(value, date):
        raise DoesNotFit("a date such as 2026-01-31")
    return value.isoformat()


def _encode_datetime(value: object) -> str:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise DoesNotFit("a date and time such as 2026-01-31T09:30:00Z") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = midnight(value)
    if not isinstance(value, datetime):
        raise DoesNotFit("a date and time such as 2026-01-31T09:30:00Z")
    moment = as_utc(value)
    text = moment.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if moment.microsecond else text) + "Z"


def _encode_list(value: object) -> str:
    if isinstance(value, str):
        try:
            value = _list_of(value)
        except ValueError:
            raise DoesNotFit("a list of texts") from None
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise DoesNotFit("a list of texts")
    text = _encode_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    if len(text) > _MAX_LIST:
        raise DoesNotFit(f"a list of at most {_MAX_LIST:,} characters")
    return text


def _list_of(text: str) -> list[str]:
    """Texts of a JSON array; ValueError for anything else."""
    if len(text) > _MAX_LIST:
        msg = "too long for a list"
        raise ValueError(msg)
    try:
        items = json.loads(text)
    except RecursionError:
        msg = "a list of lists of lists"
        raise ValueError(msg) from None
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        msg = "not a list of texts"
        raise ValueError(msg)
    # an escape can say what no UTF-8 can: half a character
    "".join(items).encode()
    return items


def _decode_int(text: str, _field: Field) -> int:
    number = int(text)
    if number not in INT64:
        msg = "more than 64 bits"
        raise ValueError(msg)
    return number


def _decode_float(text: str, _field: Field) -> float:
    number = float(text)
    if not math.isfinite(number):
        msg = "not a finite number"
        raise ValueError(msg)
    return number


def _decode_bool(text: str, _field: Field) -> bool:
    if text not in ("true", "false"):
        msg = "neither true nor false"
        raise ValueError(msg)
    return text == "true"


_ENCODERS: dict[FieldType, Callable[[object], str]] = {
    FieldType.TEXT: _encode_text,
    FieldType.INT: _encode_int,
    FieldType.FLOAT: _encode_float,
    FieldType.DECIMAL: encode_decimal,
    FieldType.BOOL: _encode_bool,
    FieldType.DATE: _encode_date,
    FieldType.DATETIME: _encode_datetime,
    FieldType.LIST: _encode_list,
}
_DECODERS: dict[FieldType, Callable[[str, Field], Value]] = {
    FieldType.TEXT: lambda text, _: text,
    FieldType.INT: _decode_int,
    FieldType.FLOAT: _decode_float,
    FieldType.DECIMAL: decode_decimal,
    FieldType.BOOL: _decode_bool,
    FieldType.DATE: lambda text, _: date.fromisoformat(text),
    FieldType.DATETIME: lambda text, _: datetime.fromisoformat(text),
    FieldType.LIST: lambda text, _: _list_of(text),
}
_SHORT_TYPES = frozenset(FieldType) - {FieldType.TEXT, FieldType.LIST}
