"""The form of a deal: an input for each field, by its type; and what was written in one, read without guessing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dealdb.errors import SchemaError
from dealdb.formats.cells import to_text
from dealdb.model.schema import NUMBER_TYPES, Field, FieldType

if TYPE_CHECKING:
    from dealdb.formats.locale import Locale
    from dealdb.model.pipeline import Pipeline

# set by the server, or the name of the deal itself
FIXED = ("id", "updated")
_KINDS = {
    FieldType.BOOL: "yes-no",
    FieldType.DATE: "date",
    FieldType.DATETIME: "moment",
    FieldType.LIST: "list",
} | dict.fromkeys(NUMBER_TYPES, "number")
_LIST_HINT = "one a line"
# for readers who write a comma where a number here has a point
_NUMBER_HINT = "with a point, such as 1234.50"
# from here on, or with a line break, a text has a box of several lines
_LONG = 80
# digits in groups of three by points: a thousand to some readers, a fraction to others
_TWO_READINGS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """
    An input.

    Attributes
    ----------
    name
        Of the field.
    kind
        ``text``, ``long``, ``number``, ``date``, ``moment``, ``yes-no``, ``list`` or ``choice``.
    value
        Its text as the input has it.
    choices
        Of a choice.
    hint
        What is expected.
    """

    name: str
    kind: str
    value: str
    choices: Sequence[str] = ()
    hint: str = ""


def form_fields(
    fields: Sequence[Field], deal: Mapping[str, Any], pipeline: Pipeline, locale: Locale
) -> list[FormField]:
    """
    The inputs of a deal, in the order of its fields.

    Examples
    --------
    >>> from datetime import date
    >>> from dealdb.model.pipeline import Pipeline
    >>> fields = [Field("id", FieldType.TEXT), Field("closed", FieldType.DATE)]
    >>> from dealdb.formats.locale import PLAIN
    >>> shown = form_fields(fields, {"closed": date(2026, 1, 31)}, Pipeline(), PLAIN)
    >>> [(each.kind, each.value) for each in shown]
    [('date', '2026-01-31')]
    """
    hints = {"list": _LIST_HINT, "number": _NUMBER_HINT if _has_comma(locale) else ""}
    return [
        _input(field, deal.get(field.name), pipeline, hints)
        for field in fields
        if field.name not in FIXED
    ]


def _has_comma(locale: Locale) -> bool:
    return "," in locale.number(1.5)


def _input(field: Field, value: Any, pipeline: Pipeline, hints: Mapping[str, str]) -> FormField:
    if field.name == "stage" and len(pipeline):
        names = [stage.name for stage in pipeline]
        more = [value] if value is not None and value not in names else []
        return FormField(name="stage", kind="choice", value=value or "", choices=[*names, *more])
    kind = _KINDS.get(field.type, "text")
    text = _text(value, kind)
    if kind == "text" and (len(text) > _LONG or "\n" in text):
        kind = "long"
    return FormField(name=field.name, kind=kind, value=text, hint=hints.get(kind, ""))


def _text(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "list":
        return "\n".join(value)
    # the input of a browser has no zone
    return to_text(value).removesuffix("Z") if kind == "moment" else to_text(value)


def check_numbers(
    changes: Mapping[str, object], fields: Mapping[str, Field], locale: Locale
) -> None:
    """
    Refuse a number that its writer may have meant otherwise.

    Raises
    ------
    SchemaError
        If the reader's language groups thousands by points and a number may be meant so: ``1.234``.

    Examples
    --------
    >>> from dealdb.formats.locale import Locale
    >>> fields = {"amount": Field("amount", FieldType.DECIMAL, 2)}
    >>> check_numbers({"amount": "1.234"}, fields, Locale("en-US"))
    >>> check_numbers({"amount": "1.234"}, fields, Locale("de-DE"))
    Traceback (most recent call last):
    dealdb.SchemaError: field 'amount': this number can be read in two ways; expected digits with a point and no groups
    """
    if not _has_comma(locale):
        return
    for name, value in changes.items():
        field = fields.get(name)
        if field is None or field.type not in NUMBER_TYPES or not isinstance(value, str):
            continue
        if _TWO_READINGS.fullmatch(value.strip()):
            expected = "digits with a point and no groups"
            msg = f"field {name!r}: this number can be read in two ways; expected {expected}"
            raise SchemaError(msg, field=name, expected=expected)
