"""
What a statement of ``sql()`` may be: one SELECT over ``deals``, checked on the tree that DuckDB itself parsed.

The tree comes from DuckDB's ``json_serialize_sql``, which parses and runs nothing. A second parser would read
some text differently (comments, quotes, casts), and what it had passed would not be what runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from dealdb.errors import QueryError
from dealdb.model.names import unknown
from dealdb.query.messages import fault
from dealdb.query.sql.bounds import MAX_TABLES, check_node
from dealdb.query.sql.functions import FUNCTIONS, TABLE_FUNCTIONS
from dealdb.query.sql.places import character_offset, offset_of

TABLE = "deals"
HISTORY = "history"

# everything that has a "type" and no "class" in the tree: query nodes, table references, modifiers, orders
_TYPES = frozenset(
    {
        "SELECT_NODE",
        "SET_OPERATION_NODE",
        "RECURSIVE_CTE_NODE",
        "CTE_NODE",
        "BASE_TABLE",
        "SUBQUERY",
        "JOIN",
        "EXPRESSION_LIST",
        "TABLE_FUNCTION",
        "PIVOT",
        "EMPTY",
        "ORDER_MODIFIER",
        "LIMIT_MODIFIER",
        "LIMIT_PERCENT_MODIFIER",
        "DISTINCT_MODIFIER",
        "ORDER_DEFAULT",
        "ASCENDING",
        "DESCENDING",
    }
)
_CLASSES = frozenset(
    {
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "LAMBDA",
        "OPERATOR",
        "PARAMETER",
        "POSITIONAL_REFERENCE",
        "STAR",
        "SUBQUERY",
        "TYPE",
        "WINDOW",
    }
)
# the word at which DuckDB could read no further
_NEAR = re.compile(r'syntax error at or near "(\w+)"')
# names that DuckDB takes for functions where no column has them
_BARE_FUNCTIONS = frozenset(
    ["current_catalog", "current_role", "current_schema", "current_user", "session_user", "user"]
)


@dataclass(slots=True)
class _Found:
    """What the walk has met: names that may be columns, aliases of tables, whether all columns are needed."""

    references: set[str] = field(default_factory=set)
    # the same as they are written
    spelled: set[str] = field(default_factory=set)
    # last parts of references: one that is a table's alias means its whole row
    wholes: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=lambda: {TABLE})
    everything: bool = False
    history: bool = False
    sides: Sequence[str] = ()
    # tables of the caller that are named, in lower case
    named: set[str] = field(default_factory=set)
    # how often a table is named, the same one too
    tables_named: int = 0

    def tables(self) -> list[str]:
        """Names of all tables."""
        return [TABLE, HISTORY, *self.sides]


@dataclass(frozen=True, slots=True)
class Needed:
    """What a statement needs: columns of ``deals``, tables of the caller, and whether it names ``history``."""

    columns: list[str]
    history: bool
    sides: list[str]


def needed_columns(
    tree: Any,
    statement: str,
    columns: Sequence[str],
    params: Collection[str] = (),
    sides: Mapping[str, Sequence[str]] | None = None,
) -> Needed:
    """
    Columns and tables that a statement needs, after everything in it has been allowed.

    Parameters
    ----------
    tree
        Statement as DuckDB's ``json_serialize_sql`` gives it.
    statement
        Its text.
    columns
        Columns that ``deals`` has.
    params
        Names of the parameters that have a value.
    sides
        Columns of the tables that the caller gave, by name.

    Returns
    -------
    Needed
        Columns in their order; at least one where there is any.

    Raises
    ------
    QueryError
        If the statement is more than one SELECT over ``deals``, or has other parameters; names what is refused.
    """
    found = _Found(sides=tuple(sides or ()))
    known = [*columns, *chain.from_iterable((sides or {}).values())]
    for node, tables in _nodes(tree):
        _check(node, tables, statement, known, found)
    _check_parameters(tree, statement, params)
    beside = [name for name in found.sides if name.casefold() in found.named]
    if found.everything or found.wholes & found.aliases:
        return Needed(list(columns), found.history, beside)
    needed = [name for name in columns if name.casefold() in found.references]
    needed = _told_apart(needed, found.spelled, statement)
    return Needed(needed or list(columns[:1]), found.history, beside)


def _told_apart(names: Sequence[str], spelled: Collection[str], statement: str) -> list[str]:
    """Of columns that differ in nothing but case, which DuckDB takes for one, that which is written so."""
    same: dict[str, list[str]] = {}
    for name in names:
        same.setdefault(name.casefold(), []).append(name)
    left_out = set()
    for key, alike in same.items():
        written = {name for name in spelled if name.casefold() == key}
        if len(alike) > 1 and (len(written) > 1 or written.isdisjoint(alike)):
            msg = (
                f"SQL can't tell the fields {alike[0]!r} and {alike[1]!r} apart: rename one of them"
            )
            raise QueryError(msg, text=statement)
        left_out |= set(alike) - written if len(alike) > 1 else set()
    return [name for name in names if name not in left_out]


def places_of(tree: Any, name: str, statement: str) -> list[int]:
    """Offsets in the text where a name is a column."""
    return [
        offset_of(node, statement)
        for node, _ in _nodes(tree)
        if name.casefold() in [str(part).casefold() for part in node.get("column_names") or ()]
    ]


def _nodes(tree: Any) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Every object of the tree, with the names of the CTEs that are visible there; no recursion."""
    stack: list[tuple[Any, frozenset[str]]] = [(tree, frozenset())]
    while stack:
        item, tables = stack.pop()
        if isinstance(item, list):
            stack.extend((each, tables) for each in item)
        elif isinstance(item, dict):
            ctes = (item.get("cte_map") or {}).get("map") or ()
            tables |= {str(cte["key"]).casefold() for cte in ctes}
            yield item, tables
            if item.get("type") == "TABLE_FUNCTION":
                # its call is checked with it, against another list than calls of functions
                item = {**item, "function": list(item["function"].values())}
            stack.extend((each, tables) for each in item.values())


def _check(
    node: dict[str, Any],
    tables: frozenset[str],
    statement: str,
    columns: Sequence[str],
    found: _Found,
) -> None:
    kind, group = node.get("type"), node.get("class")
    if isinstance(group, str):
        if group not in _CLASSES:
            raise fault(_refusal(group), statement, offset_of(node, statement))
    elif isinstance(kind, str) and kind not in _TYPES:
        raise fault(_refusal(kind), statement, offset_of(node, statement))
    check_node(node, statement)
    if kind in ("BASE_TABLE", "TABLE_FUNCTION"):
        found.tables_named += 1
        if found.tables_named > MAX_TABLES:
            msg = f"a statement names tables at most {MAX_TABLES} times"
            raise fault(msg, statement, offset_of(node, statement))
    if kind == "BASE_TABLE":
        _check_table(node, tables, statement, found)
    elif kind == "TABLE_FUNCTION":
        called = {"query_location": node.get("query_location"), **_called(node["function"])}
        _check_function(called, TABLE_FUNCTIONS, statement)
    elif "function_name" in node and group in ("FUNCTION", "WINDOW"):
        _check_function(node, FUNCTIONS, statement)
    elif kind == "COLUMN_REF":
        _note_reference(node, statement, columns, found)
    if kind in ("STAR", "PIVOT", "POSITIONAL_REFERENCE") or node.get("ref_type") == "NATURAL":
        found.everything = True
    using = {str(name) for name in node.get("using_columns") or ()}
    found.spelled |= using
    found.references |= {name.casefold() for name in using}
    if isinstance(node.get("alias"), str) and group is None:
        found.aliases.add(node["alias"].casefold())


def _check_parameters(tree: Any, statement: str, params: Collection[str]) -> None:
    used = {}
    for node, _ in _nodes(tree):
        if node.get("class") == "PARAMETER":
            used[str(node.get("identifier"))] = offset_of(node, statement)
    for name, place in used.items():
        if name not in params:
            msg = f"the parameter :{name[:80]} has no value; give it in params"
            raise fault(msg, statement, place)
    unused = set(params) - set(used)
    if unused:
        msg = f"the statement has no parameter :{min(unused)[:80]}; params has a value for it"
        raise QueryError(msg, text=statement)


def _check_table(
    node: dict[str, Any], tables: frozenset[str], statement: str, found: _Found
) -> None:
    name = str(node["table_name"])
    path = (node.get("qualified_name") or {}).get("path") or [name]
    elsewhere = len(path) > 1 or node.get("schema_name") or node.get("catalog_name")
    named = found.tables()
    if elsewhere or name.casefold() not in tables | {each.casefold() for each in named}:
        shown = ".".join(str(part) for part in path)[:80]
        msg = f"there is no table {shown!r} here: the tables are {', '.join(named[:-1])} and {named[-1]}"
        raise fault(msg, statement, offset_of(node, statement))
    found.named.add(name.casefold())
    found.history |= name.casefold() == HISTORY and HISTORY not in tables
    if node.get("at_clause"):
        raise fault("a table has no AT here", statement, offset_of(node, statement))
    if node.get("column_name_alias"):
        # deals(a, b) names columns by their place
        found.everything = True


def _called(function: dict[str, Any]) -> dict[str, Any]:
    """Call of a table function, without its place: DuckDB keeps that in the table reference."""
    return {key: value for key, value in function.items() if key != "query_location"}


def _check_function(node: dict[str, Any], allowed: frozenset[str], statement: str) -> None:
    name = str(node["function_name"])
    path = (node.get("qualified_name") or {}).get("path") or [name]
    qualified = len(path) > 1 or node.get("schema") or node.get("catalog")
    if qualified or name.casefold() not in allowed:
        shown = ".".join(str(part) for part in path)[:80]
        msg = f"{shown}() can't be called here: only functions that compute from their arguments"
        raise fault(msg, statement, offset_of(node, statement))


def _note_reference(
    node: dict[str, Any], statement: str, columns: Sequence[str], found: _Found
) -> None:
    names = [str(name).casefold() for name in node.get("column_names") or ()]
    known = {name.casefold() for name in columns}
    if len(names) == 1 and names[0] in _BARE_FUNCTIONS and names[0] not in known:
        raise fault(unknown("column", names[0], columns), statement, offset_of(node, statement))
    found.references.update(names)
    found.spelled |= {str(name) for name in node.get("column_names") or ()}
    found.wholes.update(names[-1:])


_REFUSALS = {
    "SHOW_REF": "DESCRIBE, SHOW and SUMMARIZE aren't part of sql(); write a SELECT",
    "DEFAULT": "DEFAULT has no place in a SELECT",
}


def _refusal(kind: str) -> str:
    if kind.endswith("_QUERY_NODE"):
        return f"{kind.split('_')[0]} changes data; sql() takes one SELECT"
    return _REFUSALS.get(kind, f"{kind.replace('_', ' ').lower()} isn't part of sql()")


def refused_statement(
    statement: str, error: dict[str, Any], columns: Collection[str] = ()
) -> QueryError:
    """
    Error for a text that DuckDB can't read as one SELECT.

    Parameters
    ----------
    statement
        The text.
    error
        What DuckDB says of it.
    columns
        Names that a word of SQL at fault may be meant as.
    """
    if error.get("error_type") == "not implemented":
        words = statement.split(None, 1)
        first = words[0].upper()[:20] if words else ""
        if "PIVOT" in statement.upper():
            msg = (
                "PIVOT needs its values: PIVOT deals ON stage IN ('won', 'lost') USING sum(amount)"
            )
        else:
            msg = f"sql() takes one SELECT, not {first}"
        return fault(msg, statement, 0)
    words = str(error.get("error_message", "")).splitlines()
    message = words[0] if words else "this can't be read"
    near = _NEAR.search(message)
    if near and near[1].casefold() in {name.casefold() for name in columns}:
        message += f'; that is a word of SQL: the column stands in double quotes, "{near[1]}"'
    return fault(
        message,
        statement,
        character_offset(error.get("position"), statement),
    )
