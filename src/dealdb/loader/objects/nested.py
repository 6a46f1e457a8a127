"""
Objects inside rows, as the interfaces of CRMs answer: owners, companies, stages, amounts with a currency.

An object that stands for something with a name becomes that name, under the header that it has; its id becomes a
column beside it (``Owner.Id``). Members that only wrap the columns of a row (HubSpot's ``properties``) are lifted.
What is none of these stays as it is, and becomes JSON text or a list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TypeAlias

from dealdb.errors import LoadError
from dealdb.loader.columns.aliases import names
from dealdb.loader.columns.headers import map_headers
from dealdb.loader.objects.odata import is_odata, without_annotations
from dealdb.model.schema import Schema

# more than any amount has
_MOST_DIGITS = 100

Row: TypeAlias = Mapping[str, object]

# members that wrap the columns of a row: HubSpot, Airtable, Attio, JSON:API, GraphQL, n8n, Elasticsearch
_WRAPPING = ("properties", "fields", "values", "attributes", "node", "json", "_source")
# what may stand beside them
_AROUND = {None, "id", "created", "updated"}
_NAMES = (
    "name", "fullname", "displayname", "displayvalue", "plaintext", "title", "label",
)  # fmt: skip
_IDS = ("id", "recordid", "value", "uuid", "key")
# members that only something with an identity has
_IDENTIFYING = {*_IDS, "attributes", "url", "href", "link", "links", "self", "module", "typename"}
# what HubSpot and others keep beside a value
_BESIDE_VALUE = {
    "value", "timestamp", "source", "sourceid", "sourcevid", "sourcelabel", "versions", "requestid",
    "updatedbyuserid", "usetimestampaspersistencetimestamp", "datasensitivity", "isencrypted",
}  # fmt: skip
_PEOPLE = {"email", "emails", "type", "active", "activeflag", "picture", "avatar"}
# in which Attio keeps a value, by type
_TYPED = (
    "currencyvalue", "status", "option", "fullname", "domain", "referencedactorid", "targetrecordid",
    "emailaddress", "value",
)  # fmt: skip
_CURRENCIES = ("currencycode", "currency", "currencyisocode", "code")
_AMOUNTS = ("amount", "value", "currencyvalue")
# objects in objects further down are left as they are
_DEEPEST = 4
_NOT_ONE = object()
_KINDS: frozenset[type] = frozenset({dict, list, tuple, bool})


def plain(row: Row) -> Row:
    """
    A row with one value under each name.

    Examples
    --------
    >>> owner = {"attributes": {"type": "User"}, "Id": "005", "Name": "Pat"}
    >>> plain({"Id": "006", "Owner": owner, "Tag": [{"name": "new", "id": "1"}]})
    {'Id': '006', 'Owner': 'Pat', 'Owner.Id': '005', 'Tag': ['new']}
    """
    if not _needs_work(row):
        return row
    row = _lifted(row)
    if is_odata(row):
        row = without_annotations(row)
    in_pairs = any(_is_pair(name, value) for name, value in row.items())
    beside = {bare(name) for name in row}
    found: dict[str, object] = {}
    for name, value in row.items():
        if name == "attributes" and _is_label(value):
            continue
        value, more = _value(name, value)
        # Odoo's word for nothing, where it can't mean no
        if value is False and (name.endswith("_id") or (in_pairs and _never_false(name))):
            value = None
        found[name] = value
        found |= {each: cell for each, cell in more.items() if bare(each) not in beside}
    return found


@lru_cache(maxsize=4096)
def standard(header: str) -> str | None:
    """Field that all collections have, or None where a header is a column of its own."""
    try:
        field = map_headers([header], None, Schema.standard())[header]
    except LoadError:
        return None
    return field if field in names() else None


def _needs_work(row: Row) -> bool:
    are_texts, explained = _names_say(tuple(row))
    return are_texts and (explained or not _KINDS.isdisjoint(map(type, row.values())))


@lru_cache(maxsize=1024)
def _names_say(names: tuple[str, ...]) -> tuple[bool, bool]:
    """Whether names are texts, and some of them annotations; a source has few sets of them."""
    are_texts = all(isinstance(name, str) for name in names)
    return are_texts, are_texts and is_odata(dict.fromkeys(names))


def _lifted(row: Row) -> Row:
    """Row of an answer that has all but the id in an object of its own."""
    for name in _WRAPPING:
        inner = _pairs_as_object(row.get(name)) if name == "properties" else row.get(name)
        if not isinstance(inner, dict) or _is_label(inner) or not _named(inner):
            continue
        around = {each: value for each, value in row.items() if each != name}
        if name == "properties" or {standard(each) for each in around} <= _AROUND:
            return _lifted({**_with_relationships(around), **inner})
    return row


def _with_relationships(row: Row) -> Row:
    """Row of JSON:API, which has the ids of other things in an object of its own."""
    others = row.get("relationships")
    if not isinstance(others, dict) or not _named(others):
        return row
    ids = {
        name: each["data"]
        for name, each in others.items()
        if isinstance(each, dict) and "data" in each
    }
    return {**{name: value for name, value in row.items() if name != "relationships"}, **ids}


def _pairs_as_object(value: object) -> object:
    """An object where a list has its names and values."""
    if not isinstance(value, list) or not value:
        return value
    found = {}
    for item in value:
        name = isinstance(item, dict) and (item.get("name") or item.get("property"))
        if not isinstance(name, str) or "value" not in item:
            return value
        found[name] = item["value"]
    return found


def _value(header: str, value: object) -> tuple[object, dict[str, object]]:
    """What a cell says, and cells beside it that belong to it, by header."""
    if isinstance(value, dict):
        return _of_object(header, value)
    if isinstance(value, list | tuple):
        if _is_pair(header, value):
            return value[1], {f"{header}.id": value[0]}
        if len(value) == 1 and isinstance(value[0], dict) and standard(header):
            return _of_object(header, value[0])
        return _of_list(header, value), {}
    return value, {}


def _of_object(header: str, value: Row) -> tuple[object, dict[str, object]]:
    if not _named(value):
        return value, {}
    field = standard(header)
    found = _meant(value, field)
    if found is _NOT_ONE:
        return value, {}
    members = {bare(name): name for name in value}
    if "amountmicros" in members or found is _amount(value):
        currency = _first(value, _CURRENCIES)
        code = _meant(currency, "currency") if isinstance(currency, dict) else currency
        return found, {f"{header}.currency": code} if isinstance(code, str) else {}
    number = _first(value, _IDS)
    name = next((members[each] for each in _IDS if each in members), "id")
    beside = field != "id" and _is_scalar(number) and number not in (None, found)
    # the value of a property is no id
    named = any(each in members for each in (*_NAMES, "firstname", "lastname"))
    word = "id" if bare(name) == "value" else name
    return found, {f"{header}.{word}": number} if beside and named else {}


def _of_list(header: str, items: Sequence[object]) -> object:
    field = standard(header)
    if field == "id" or not (field or any(isinstance(item, dict) for item in items)):
        return items
    meant = [_meant(item, field) if isinstance(item, dict) else item for item in items]
    if not all(map(_is_scalar, meant)):
        return items
    texts = [item for item in meant if item not in (None, "")]
    if field is None:
        return texts if all(isinstance(item, str) for item in texts) else items
    if len(texts) <= 1:
        return texts[0] if texts else None
    return ", ".join(map(str, texts))


def _meant(value: object, field: str | None, depth: int = 0) -> object:
    """The one value that an object stands for, or ``_NOT_ONE``."""
    if isinstance(value, list) and value and depth:
        parts = [_meant(item, field, depth + 1) for item in value]
        return ", ".join(map(str, parts)) if all(map(_is_scalar, parts)) else _NOT_ONE
    if not isinstance(value, dict):
        return value
    if depth > _DEEPEST or not _named(value):
        return _NOT_ONE
    for rule in (_extended, _micros, _typed, _code, _reference, _property):
        found = rule(value, field)
        if found is not _NOT_ONE:
            return _meant(found, field, depth + 1) if isinstance(found, dict | list) else found
    return _NOT_ONE


def _extended(value: Row, _field: str | None) -> object:
    """MongoDB's ``{"$oid": "..."}``."""
    (name, inner), *others = value.items() if value else [("", None)]
    return inner if name.startswith("$") and not others else _NOT_ONE


def _micros(value: Row, field: str | None) -> object:
    """Amounts in millionths, and amounts with a currency."""
    members = set(map(bare, value))
    if "amountmicros" in members:
        return _millionths(_first(value, ("amountmicros",)))
    amount = _amount(value)
    if amount is not None:
        return amount if field == "amount" or len(value) <= 3 else _NOT_ONE
    # a currency without an amount: nobody has said how much it is
    is_empty = field == "amount" and not members.isdisjoint(_CURRENCIES)
    return None if is_empty and not members.isdisjoint(_AMOUNTS) else _NOT_ONE


def _millionths(number: object) -> object:
    if number is None:
        return None
    try:
        exact = Decimal(str(number)).scaleb(-6)
    except InvalidOperation:
        return _NOT_ONE
    # those of 1e999999 would all be written out
    if not exact.is_finite() or abs(exact.adjusted()) > _MOST_DIGITS:
        return _NOT_ONE
    return int(exact) if exact == exact.to_integral_value() else exact.normalize()


def _amount(value: Row) -> object:
    found = _first(value, _AMOUNTS)
    is_money = found is not None and _is_scalar(found) and _first(value, _CURRENCIES) is not None
    return found if is_money else None


def _typed(value: Row, _field: str | None) -> object:
    """A value that says under which member it is, as Notion's and Attio's."""
    kind = value.get("type")
    if "plain_text" in value:
        return value["plain_text"]
    if isinstance(kind, str) and kind in value and kind != "type":
        inner = value[kind]
        return inner.get("start", inner) if isinstance(inner, dict) else inner
    return _first(value, _TYPED) if "attribute_type" in value else _NOT_ONE


def _code(value: Row, field: str | None) -> object:
    found = _first(value, _CURRENCIES) if field == "currency" else None
    if field == "id" and found is None:
        found = _first(value, ("recordid", "id", "uuid"))
    return _NOT_ONE if found is None else found


def _reference(value: Row, field: str | None) -> object:
    """What has a name, or at least an id."""
    keys = set(map(bare, value))
    identified = bool(field) or not keys.isdisjoint(_IDENTIFYING)
    others = keys - set(_NAMES) - _IDENTIFYING - _PEOPLE
    name = _first(value, _NAMES)
    if name is not None:
        return name if identified or not others else _NOT_ONE
    parts = [_first(value, (each,)) for each in ("firstname", "lastname")]
    if any(parts) and (identified or not others - {"firstname", "lastname"}):
        return " ".join(str(part) for part in parts if part)
    email = _first(value, ("email",))
    if email is not None and identified:
        return email
    number = _first(value, _IDS)
    return number if number is not None and (field or not others) else _NOT_ONE


def _property(value: Row, field: str | None) -> object:
    """A value among notes on where it comes from, as HubSpot's older interface has it."""
    if "value" in value and (field or set(map(bare, value)) <= _BESIDE_VALUE):
        return value["value"] or None
    return _NOT_ONE


def _first(value: Row, names: Sequence[str]) -> object:
    """First member of these names that says something."""
    members = {bare(name): each for name, each in value.items()}
    return next((members[name] for name in names if members.get(name) not in (None, "", [])), None)


def _is_pair(header: object, value: object) -> bool:
    """Whether it is Odoo's ``[5, "Ann"]``."""
    if not isinstance(value, list | tuple) or len(value) != 2 or not isinstance(header, str):
        return False
    number, name = value
    is_pair = type(number) is int and isinstance(name, str)
    return is_pair and (header.endswith("_id") or bool(standard(header)))


def _never_false(header: str) -> bool:
    return bool(standard(header)) or "date" in header


def _is_label(value: object) -> bool:
    """Whether it is what Salesforce puts beside the columns of each record."""
    return isinstance(value, dict) and "type" in value and value.keys() <= {"type", "url"}


def _is_scalar(value: object) -> bool:
    return value is not _NOT_ONE and not isinstance(value, dict | list | tuple)


def _named(value: Mapping[str, object]) -> bool:
    return all(isinstance(name, str) for name in value)


@lru_cache(maxsize=4096)
def bare(name: str) -> str:
    """A name without case, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", name).casefold()
