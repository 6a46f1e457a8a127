"""Errors of DuckDB as ours: with a place in the statement, and without values."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from dealdb.errors import QueryError
from dealdb.model.names import unknown
from dealdb.query.messages import pointed
from dealdb.query.sql.check import places_of
from dealdb.query.sql.places import character_offset

_UNKNOWN_COLUMN = re.compile(
    r'(?:Referenced column|does not have a column named) "(.+?)"(?: not found|$)', re.MULTILINE
)
# errors about values quote them, so ours are written here
_ABOUT_VALUES = {
    "Conversion": "a value doesn't convert to the type asked for; TRY_CAST gives null instead",
    "Out of Range": "a result is outside the range of its type; cast its parts to a wider one first",
    "Invalid Input": "a function was given a value that it doesn't take",
    "Mismatch Type": "a value doesn't convert to the type asked for; TRY_CAST gives null instead",
}
# after these DuckDB answers no further statement
_FATAL = ("FatalException", "InternalException")
_ABOUT_STATEMENTS = ("Binder", "Catalog", "Parser", "Not implemented", "Syntax")


def is_fatal(error: Exception) -> bool:
    """Whether the database can't be used after an error."""
    return type(error).__name__ in _FATAL


def translated(error: Exception, statement: str, tree: Any, columns: Sequence[str]) -> QueryError:
    """Error for one of DuckDB's: its place, and no value."""
    kind, _, rest = str(error).partition(" Error: ")
    message, place = rest, None
    if rest.startswith("{"):
        detail = json.loads(rest)
        kind, message = detail["exception_type"], detail["exception_message"]
        place = (
            character_offset(detail.get("position"), statement) if "position" in detail else None
        )
    missing = _UNKNOWN_COLUMN.search(message)
    if missing:
        places = places_of(tree, missing[1], statement)
        message = unknown("column", missing[1], columns)
        place = places[0] if places else place
    elif kind in _ABOUT_VALUES:
        message = _ABOUT_VALUES[kind]
    elif kind in _ABOUT_STATEMENTS:
        lines = message.partition("\n\nLINE ")[0].splitlines() or [kind]
        message = lines[0][:300]
    else:
        message = f"the statement failed ({kind})"
    message = message[:1].lower() + message[1:].rstrip(".!")
    if place is None:
        return QueryError(message, text=statement)
    return QueryError(f"{message}\n{pointed(statement, place)}", text=statement, position=place)
