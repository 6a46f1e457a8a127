"""
Answers of programs in JSON: where the rows are in them.

An answer has its rows in an array, as a member of an object or of an object in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from dealdb.loader.objects.nested import bare, standard

Members: TypeAlias = Mapping[str, object]

# members under which programs answer with an array of deals: HubSpot, Pipedrive, Salesforce, Bitrix24 and the usual
WRAPPERS = (
    "results", "data", "records", "deals", "items", "value", "objects", "result", "opportunities", "rows", "list",
    "edges", "leads", "entries", "hits", "content",
)  # fmt: skip
# those that hold the member with the array
HOLDERS = (*WRAPPERS, "d", "response", "_embedded", "body", "payload", "output", "json")
# lists of objects that are about the rows
_NO_TABLES = {
    "columns", "fields", "errors", "warnings", "messages", "schema", "metadata", "included", "users", "stages",
    "pipelines", "filters", "links", "customfields", "relatedobjects",
}  # fmt: skip
# deeper than GraphQL's data, opportunities, edges
MOST_DEEP = 4


def may_be_table(name: str, depth: int, before: Members) -> bool:
    """
    Whether the rows may be the array under a name.

    Examples
    --------
    >>> (
    ...     may_be_table("results", 0, {}),
    ...     may_be_table("items", 0, {"id": 7}),
    ...     may_be_table("tags", 0, {}),
    ... )
    (True, False, False)
    """
    if _is_row(before):
        return False
    return name in WRAPPERS or (depth > 0 and bare(name) not in _NO_TABLES)


def may_hold_table(name: str, depth: int, before: Members) -> bool:
    """Whether the array with the rows may be in the object under a name."""
    known = name in HOLDERS or (depth > 0 and bare(name) not in _NO_TABLES)
    return known and depth < MOST_DEEP and not _is_row(before)


def is_answer(value: object) -> bool:
    """
    Whether an object is not a row, but has the rows in it.

    Examples
    --------
    >>> is_answer({"results": [{"id": "1"}], "paging": None})
    True
    """
    return isinstance(value, dict) and _table_in(value) is not None


def rows_in(value: object) -> Iterator[object]:
    """
    Rows of something that was read as a whole: of an answer, of a list of rows, or itself.

    Examples
    --------
    >>> list(rows_in({"data": {"deals": [{"id": 1}, {"id": 2}]}}))
    [{'id': 1}, {'id': 2}]
    """
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        yield from value
        return
    table = _table_in(value) if isinstance(value, dict) else None
    yield from [value] if table is None else table


def rows_of_object(members: Members, depth: int = 0) -> list[object]:
    """
    Rows of an object in which no array has them: it is one row, has one in it, or has a list for each column.

    Examples
    --------
    >>> rows_of_object({"data": {"id": 1}}), rows_of_object({"id": ["1", "2"], "name": ["A", "B"]})
    ([{'id': 1}], [{'id': '1', 'name': 'A'}, {'id': '2', 'name': 'B'}])
    """
    if (columns := _columns_as_rows(members)) is not None:
        return columns
    if not _is_row(members):
        held = [members[name] for name in members if name in HOLDERS]
        objects = [value for value in held if isinstance(value, dict) and value]
        if len(objects) == 1 and depth < MOST_DEEP:
            return rows_of_object(objects[0], depth + 1)
        if any(value == [] for value in held):
            return []
        named = list(members.values())
        if named and all(isinstance(value, dict) and _is_row(value) for value in named):
            return named
    return [dict(members)]


def _columns_as_rows(members: Members) -> list[object] | None:
    """Rows of a frame that was written column by column, where an object is one."""
    cells = [
        list(value.values()) if isinstance(value, dict) else value for value in members.values()
    ]
    if not _is_row(members) or not all(isinstance(each, list) for each in cells):
        return None
    # the id of Attio's records is an object of several ids
    same = {tuple(value) if isinstance(value, dict) else () for value in members.values()}
    lengths = {len(each) for each in cells if isinstance(each, list)}
    if len(same) > 1 or len(lengths) > 1 or len(members) < 2:
        return None
    return [
        dict(zip(members, row, strict=True))
        for row in zip(*(each for each in cells if isinstance(each, list)), strict=True)
    ]


def _table_in(members: Members, depth: int = 0) -> list[object] | None:
    before: dict[str, object] = {}
    found: list[object] | None = None
    for name, value in members.items():
        inner = None
        if isinstance(value, list) and may_be_table(name, depth, before):
            inner = value if all(isinstance(item, dict) for item in value) else None
        elif isinstance(value, dict) and may_hold_table(name, depth, before):
            inner = _table_in(value, depth + 1)
        if inner:
            return inner
        found = inner if found is None else found
        before[name] = value
    # an empty list in a row says nothing of rows
    return None if _is_row(before) else found


def _is_row(members: Members) -> bool:
    """Whether an object has an id, and is no envelope of an answer to a numbered question."""
    return "jsonrpc" not in members and any(standard(name) == "id" for name in members)
