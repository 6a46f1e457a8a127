"""Values as a reader writes them: exact, and nothing that a table would not have room for."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dealdb.formats.cells import to_text
from dealdb.model.schema import NUMBER_TYPES, Field, FieldType

if TYPE_CHECKING:
    from dealdb.formats.locale import Locale

# a cell of a table shows no more of a text; the page of the deal has the whole
MOST_SHOWN = 120


def shown(value: Any, locale: Locale) -> str:
    """
    Text of a value; numbers with all their digits, moments by the clocks of a zone, which they name.

    Examples
    --------
    >>> from dealdb.formats.locale import Locale
    >>> german = Locale("de-DE")
    >>> (
    ...     shown(Decimal("1234.50"), german),
    ...     shown(date(2026, 1, 31), german),
    ...     shown(["a", "b"], german),
    ... )
    ('1.234,50', '31.1.2026', 'a, b')
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() | float() | Decimal():
            return _number(value, locale)
        case datetime():
            return locale.moment(value)
        case date():
            return locale.day(value)
        case list() | tuple():
            return ", ".join(map(str, value))
    return to_text(value)


def _number(value: float | Decimal, locale: Locale) -> str:
    is_finite = isinstance(value, int) or Decimal(str(value)).is_finite()
    return locale.number(value) if is_finite else str(value)


def in_table(value: Any, locale: Locale) -> str:
    """
    The same, of a long text its beginning.

    Examples
    --------
    >>> from dealdb.formats.locale import PLAIN
    >>> len(in_table("x" * 10_000, PLAIN))
    120
    """
    text = shown(value, locale)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def style_of(field: Field | None) -> str:
    """
    Class of the cells of a column.

    Examples
    --------
    >>> style_of(Field("amount", FieldType.DECIMAL, 2)), style_of(Field("name", FieldType.TEXT))
    ('number', '')
    """
    if field is None or field.name == "id":
        return ""
    if field.type in NUMBER_TYPES:
        return "number"
    return "day" if field.type in (FieldType.DATE, FieldType.DATETIME) else ""
