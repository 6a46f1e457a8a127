"""Notes on main fields that no column is: figures would be 0 without them, and nobody would know why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dealdb.loader.columns.aliases import key_of
from dealdb.loader.columns.headers import candidates_of, public_name
from dealdb.model.schema import NUMBER_TYPES, FieldType

_DAYS = frozenset({FieldType.DATE, FieldType.DATETIME})
_TEXTS = frozenset({FieldType.TEXT})
# what the key of a column that is meant may contain, and what its cells are then
_LIKELY = {
    "amount": (
        r"amount|value|revenue|price|worth|betrag|wert|umsatz|importe|monto|montant|valeur|valor|importo|bedrag",
        NUMBER_TYPES,
    ),
    "stage": (r"stage|phase|status|etapa|etape|fase|stadi", _TEXTS),
    "owner": (
        r"owner|salesrep|seller|agent|manager|propriet|besitzer|verantwort|respons|eigenaar",
        _TEXTS,
    ),
    "created": (r"creat|creado|creac|erstell|angelegt|aangemaakt|criad|criac|opened|added", _DAYS),
}
# the words of columns that are something else
_UNLIKELY = r"weighted|forecast|probab|percent|count|number|email|phone|id$|by$|reason|lead|contact|previous|last"
# figures need these two; a source that has this many of the other main fields has whole deals
_NEEDED = ("amount", "stage")
_MAIN = (
    "name",
    "company",
    "owner",
    "stage",
    "amount",
    "created",
    "expected_close",
    "closed",
    "close_date",
)
_WHOLE_DEALS = 3


def missing_notes(
    mapping: Mapping[str, str | None], types: Mapping[str, FieldType]
) -> Iterator[str]:
    """
    Main fields that no column is, each with the column that is probably meant.

    Parameters
    ----------
    mapping
        Field by header, None for a column that is left out.
    types
        What the columns that have values hold, by header.

    Examples
    --------
    >>> fields = {"id": "id", "Name": "name", "Phase": "stage", "Rep": "owner", "Worth": "worth"}
    >>> list(missing_notes(fields, {"Worth": FieldType.INT}))
    ["no column is the amount; did you mean mapping={'Worth': 'amount'}?"]
    """
    given = {public_name(target) for target in mapping.values()}
    left_out = {
        one.field for header in mapping if mapping[header] is None for one in candidates_of(header)
    }
    for field, (words, kinds) in _LIKELY.items():
        if field in given or field in left_out:
            continue
        meant = [header for header in types if types[header] in kinds and _is_likely(header, words)]
        if meant:
            yield f"no column is the {field}; did you mean mapping={{{meant[0]!r}: {field!r}}}?"
        elif field in _NEEDED and len(given.intersection(_MAIN)) >= _WHOLE_DEALS:
            yield f"no column is the {field}; mapping={{'<column>': {field!r}}} names one"


def _is_likely(header: str, words: str) -> bool:
    key = key_of(header)
    return bool(re.search(words, key)) and not re.search(_UNLIKELY, key)
