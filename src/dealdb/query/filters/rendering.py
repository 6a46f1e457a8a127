"""Names and values as a filter's text has them: what a facet counts can be asked for again."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

from dealdb.errors import QueryError
from dealdb.model.schema import MAX_DECIMAL_DIGITS
from dealdb.model.values import Value

_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


# words that DuckDB takes for a part of the statement, not for a name
_WORDS = """
all analyse analyze and anti any array as asc asof asymmetric at both case cast check collate collation column
columns concurrently constraint create cross default deferrable desc describe distinct do else end except false
fetch for foreign freeze from full generated glob grant group having ilike in initially inner intersect into is
isnull join lambda lateral leading left like limit map natural not notnull null offset on only or order outer
overlaps pivot pivot_longer pivot_wider placing positional primary qualify references returning right row select
semi show similar some struct summarize symmetric table tablesample then to trailing true try_cast union unique
unpivot using values verbose when where window with
"""
_RESERVED = frozenset(_WORDS.split())


def spelled_name(name: str) -> str:
    """
    Column name as a filter has it: in double quotes where SQL reads it otherwise.

    Examples
    --------
    >>> spelled_name("amount"), spelled_name("Deal Type"), spelled_name("order")
    ('amount', '"Deal Type"', '"order"')
    """
    word = _SIMPLE.fullmatch(name) and name.lower() not in _RESERVED
    return name if word and _reads_as_column(name) else '"' + name.replace('"', '""') + '"'


def _reads_as_column(name: str) -> bool:
    # not at the top: the SQL parser takes long to import
    from dealdb.query.filters.parser import is_column, parse

    try:
        return is_column(parse(name))
    except QueryError:
        return False


def spelled_value(value: Value) -> str:
    """
    Constant as a filter has it.

    Examples
    --------
    >>> spelled_value("Ann's"), spelled_value(date(2026, 1, 31)), spelled_value(Decimal("1E+3"))
    ("'Ann''s'", "'2026-01-31'", '1000')
    """
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | Decimal():
            number = Decimal(value)
            if abs(number.adjusted()) < MAX_DECIMAL_DIGITS:
                return format(number, "f")
            return f"{number.normalize():E}"
        case datetime():
            return f"'{value.isoformat(sep=' ')}'"
        case date():
            return f"'{value.isoformat()}'"
    return "'" + str(value).replace("'", "''") + "'"
