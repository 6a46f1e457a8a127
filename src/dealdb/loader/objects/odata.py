"""Rows as OData has them, which is how Dynamics answers: names of stages and owners are annotations of their ids."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ANNOTATION = re.compile(r"^(.*)@(?:odata|microsoft)\.(.*)$", re.IGNORECASE)
_LOOKUP = re.compile(r"^_(.+?)(?:id)?_value$")
# what Dynamics calls in its interface otherwise than in its exports
_WORDS = {
    "statecode": "status", "statuscode": "status reason", "stepname": "pipeline stage",
    "estimatedvalue": "opportunity value", "closeprobability": "probability",
    "parentaccount": "account", "parentcontact": "contact", "transactioncurrency": "currency",
}  # fmt: skip
# a currency has three letters at most beside its digits
_WORD = re.compile(r"[^\W\d_]{4}|^[^\W\d_]+$")


def is_odata(row: Mapping[str, object]) -> bool:
    """Whether a row has annotations."""
    return any("@" in name and _ANNOTATION.match(name) for name in row)


def without_annotations(row: Mapping[str, object]) -> dict[str, object]:
    """
    A row in which names stand in place of the ids and numbers that they explain.

    Examples
    --------
    >>> formatted = "@OData.Community.Display.V1.FormattedValue"
    >>> without_annotations(
    ...     {
    ...         "_ownerid_value": "0-1",
    ...         f"_ownerid_value{formatted}": "Ann",
    ...         "statecode": 1,
    ...         f"statecode{formatted}": "Won",
    ...         "actualvalue": 5,
    ...         f"actualvalue{formatted}": "$5.00",
    ...     }
    ... )
    {'owner': 'Ann', 'owner.id': '0-1', 'status': 'Won', 'actualvalue': 5}
    """
    shown, cells = {}, {}
    for name, value in row.items():
        found = _ANNOTATION.match(name)
        if found is None:
            cells[name] = value
        elif found[2].endswith("FormattedValue"):
            shown[found[1]] = value
    rows: dict[str, object] = {}
    for name, value in cells.items():
        lookup = _LOOKUP.match(name)
        word = lookup[1] if lookup else name
        header = _WORDS.get(word, word)
        header = name if header in cells and header != name else header
        text = shown.get(name)
        if lookup and text is not None:
            rows |= {header: text, f"{header}.id": value}
        else:
            rows[header] = text if _is_option(value, text) else value
    return rows


def _is_option(value: object, text: object) -> bool:
    """Whether a number is one of a list of choices, whose word is the text."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number and isinstance(text, str) and bool(_WORD.search(text))
