"""
Objects that hold the whole history of a deal, made into a row a change: answers of HubSpot and of Pipedrive.

The names of the columns say what they came from, so that the form of the source is told by its headers everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from dealdb.formats.exact_json import as_json
from dealdb.loader.objects.nested import bare, plain

_Row: TypeAlias = Mapping[str, object]

# what the columns of each form begin with
HUBSPOT = "propertiesWithHistory"
HUBSPOT_OLD = "versions"
PIPEDRIVE = "dealChange"


def unfolded(element: object) -> Iterable[object]:
    """
    Rows of an element: a row a change where it holds a history, else itself.

    Examples
    --------
    >>> history = {"amount": [{"value": "5", "timestamp": "2026-01-05T09:00:00.000Z"}]}
    >>> rows = list(unfolded({"id": "1", "propertiesWithHistory": history}))
    >>> [row.get("propertiesWithHistory.value") for row in rows]
    [None, '5']
    """
    if not isinstance(element, Mapping):
        return (element,)
    histories = element.get(HUBSPOT)
    if isinstance(histories, Mapping):
        return _of_hubspot(element, histories)
    properties = element.get("properties")
    if isinstance(properties, Mapping) and any(map(_has_versions, properties.values())):
        versions = {
            name: each[HUBSPOT_OLD] for name, each in properties.items() if _has_versions(each)
        }
        return _versions(element, versions)
    change = element.get("data")
    if isinstance(change, Mapping) and isinstance(element.get("object"), str):
        return (_of_pipedrive(element, change),)
    return (_plain(element),)


def _plain(row: _Row) -> _Row:
    """Row of a plain table whose value is what a column named as its field would say: its lists stay lists."""
    lists = [name for name, cell in row.items() if isinstance(cell, list | tuple)]
    if not any(_is_called(name, "value") for name in lists):
        return row
    field = next((cell for name, cell in row.items() if _is_called(name, "field")), None)
    if not isinstance(field, str):
        return row
    told = {
        name: _text(plain({field: row[name]}).get(field, row[name]))
        for name in lists
        if _is_called(name, "value")
    }
    return {**row, **told}


def _is_called(name: object, word: str) -> bool:
    return isinstance(name, str) and bare(name) == word


def _has_versions(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get(HUBSPOT_OLD), list)


def _of_hubspot(deal: _Row, histories: _Row) -> Iterator[_Row]:
    number = deal.get("id")
    # a deal without a change is a row too: the form has to be known
    yield _named(HUBSPOT, {"id": number, "property": None})
    if deal.get("archived") is True and deal.get("archivedAt"):
        yield _named(HUBSPOT, {"id": number, "op": "delete", "timestamp": deal["archivedAt"]})
    for name, versions in histories.items():
        if isinstance(versions, list):
            # the newest comes first
            for each in reversed(versions):
                if isinstance(each, Mapping):
                    yield _named(HUBSPOT, _version(number, name, each))


def _versions(deal: _Row, histories: Mapping[object, object]) -> Iterator[_Row]:
    number = next((deal[name] for name in ("dealId", "id", "objectId") if name in deal), None)
    yield _named(HUBSPOT_OLD, {"id": number, "property": None})
    for name, versions in histories.items():
        for each in reversed(versions if isinstance(versions, list) else []):
            if isinstance(each, Mapping):
                yield _named(HUBSPOT_OLD, _version(number, name, each))


def _version(number: object, name: object, each: _Row) -> _Row:
    return {
        "id": number,
        "property": name,
        "value": _text(each.get("value")),
        "timestamp": each.get("timestamp"),
        "sourceType": each.get("sourceType", each.get("source")),
        "sourceId": _text(each.get("sourceId")),
        "who": _text(each.get("updatedByUserId")),
    }


def _of_pipedrive(item: _Row, change: _Row) -> _Row:
    beside = change.get("additional_data")
    formatted = beside if isinstance(beside, Mapping) else {}
    return _named(
        PIPEDRIVE,
        {
            "object": item["object"],
            "id": change.get("item_id"),
            "field_key": change.get("field_key"),
            "old_value": _text(change.get("old_value")),
            "new_value": _text(change.get("new_value")),
            "old_formatted": _text(formatted.get("old_value_formatted")),
            "new_formatted": _text(formatted.get("new_value_formatted")),
            "time": change.get("log_time", item.get("timestamp")),
            "who": change.get("user_id"),
            "key": change.get("id"),
        },
    )


def _text(value: object) -> object:
    """What a cell says; an object with a value, as Pipedrive has for people, is the value."""
    if isinstance(value, Mapping):
        return _text(value.get("value", value.get("id")))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return as_json(value)
    return value if value is None or isinstance(value, str) else str(value)


def _named(form: str, row: _Row) -> _Row:
    return {f"{form}.{name}": value for name, value in row.items()}
