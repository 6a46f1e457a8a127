"""
What a statement of ``sql()`` may have of everything: characters, levels, tables, elements.

Planning takes DuckDB time with the square or the cube of some of these, and while it plans it doesn't look at
interrupts. The bounds keep that below a second or so; what people write by hand or by program is far from them.
"""

from __future__ import annotations

from typing import Any

from dealdb.query.messages import fault
from dealdb.query.sql.places import offset_of

MAX_SQL_LENGTH = 20_000
# parentheses; far below what the parser of DuckDB and the reader of its trees bear
MAX_NESTING = 100
# a join of 100 tables is planned within a second, one of 150 in six
MAX_TABLES = 100
# of a list, or of a call
MAX_ELEMENTS = 2_000
MAX_PIVOT_VALUES = 1_000
# deals.field.part.part: each is bound again by all before it
MAX_NAME_PARTS = 16
# CUBE of so many columns groups 256 times
MAX_GROUPING_SETS = 256


def check_text(statement: str) -> None:
    """
    Refuse a text that is too long or too deep, or that is none.

    Raises
    ------
    QueryError
        If it has too many characters or levels, a NUL, or half of a surrogate pair.

    Examples
    --------
    >>> check_text("SELECT 1")
    """
    if len(statement) > MAX_SQL_LENGTH:
        msg = f"a statement has at most {MAX_SQL_LENGTH:,} characters; this one has {len(statement):,}"
        raise fault(msg, statement, MAX_SQL_LENGTH)
    if "\0" in statement:
        # where a text ends must not depend on who reads it
        raise fault("a statement has no NUL characters", statement, statement.index("\0"))
    try:
        statement.encode()
    except UnicodeEncodeError as problem:
        msg = "a statement has no halves of surrogate pairs"
        raise fault(msg, statement, problem.start) from None
    depth = 0
    for place, character in enumerate(statement):
        depth += (character in "([{") - (character in ")]}")
        if depth > MAX_NESTING:
            msg = f"the statement is nested more than {MAX_NESTING} levels deep"
            raise fault(msg, statement, place)


def check_node(node: dict[str, Any], statement: str) -> None:
    """
    Refuse an object of the tree that has too many parts.

    Raises
    ------
    QueryError
        If it has; names the bound.
    """
    for key, most, what in _PARTS:
        parts = node.get(key)
        if isinstance(parts, list) and len(parts) > most:
            msg = f"{what} at most {most:,}; this has {len(parts):,}"
            raise fault(msg, statement, offset_of(node, statement))


# the values of an IN and the terms of an AND are in no list here: they take time by their number alone
_PARTS = (
    ("column_names", MAX_NAME_PARTS, "a name has parts:"),
    ("arguments", MAX_ELEMENTS, "a list or a call has elements:"),
    ("entries", MAX_PIVOT_VALUES, "PIVOT has values:"),
    ("group_sets", MAX_GROUPING_SETS, "GROUP BY has sets:"),
)
