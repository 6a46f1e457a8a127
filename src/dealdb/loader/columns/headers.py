"""
The field that each header of a source is.

A header is compared without case, spaces, punctuation, accents and a leading ``property_`` or ``Deal - ``. Where two
headers of a source could be one field, the one that comes first in the list of that field (``headers.toml``) gets it,
unless its cells don't fit (``fit.py``); the other becomes a column of its own name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from dealdb.errors import LoadError, SchemaError
from dealdb.loader.chunk import marked
from dealdb.loader.columns.aliases import (
    WEAK,
    Candidate,
    currencies,
    key_of,
    loose_key,
    loose_places,
    places,
)
from dealdb.loader.columns.units import without_minor, without_units
from dealdb.model.names import nearest, unknown
from dealdb.model.schema import MAX_NAME_LENGTH, Schema, check_field_name

# the close date of exports that have only one: the expected one of an open deal, the actual one of a closed one
CLOSE_DATE = "close_date"
# the dates of exports that have one for deals that were won and one for those that were lost
WON_DATE = "closed (won)"
LOST_DATE = "closed (lost)"

# SuiteCRM's date of all deals, and Odoo's of closed ones
_DATE_CLOSED = "dateclosed"
# Bitrix24's flag for deals that are won or lost, and its date of all deals, which closing a deal sets
_BITRIX_FLAG = "dealclosed"
_BITRIX_DATES = ("expectedclosedate", "enddate")
# Pipedrive calls a deal so in English, German and Dutch, in French, Portuguese, Spanish and Italian
_BEFORE_ALL = re.compile(
    r"^_*property_|^(?:deal|affaire|neg[óo]cio|trato|affare|trattativa) [-\u2013] ", re.IGNORECASE
)
# places behind the names that stand in the lists, of which there are not more; weak ones stay among themselves
_SUFFIXED = 300
_SUFFIXED_WEAK = 0.5
_PREFIXED = 600
_FORMATTED = "@odata.community.display.v1.formattedvalue"
# what Odoo puts behind the name of a column that refers to another record
_REFERENCE = re.compile(r"(?<=\w)/(?:\.?id|name|display_name)$")
# what people write short: "Opp Name", "OppStage"
_LONG_FORM = re.compile(r"^[Oo][Pp][Pp][Ss]?(?=[\W_]|[A-Z][a-z])")
# and what the makers of sheets put behind a name: "Deal Owner (DropDown)"
_FORM_NOTE = re.compile(
    r"(?<=\w)\s*[(\[](?:drop[\s-]*down|formula|calculated|required|optional|mandatory|(?:multi[\s-]*)?select|pick[\s-]?list|"
    r"look[\s-]?up|text|auto|list|pflichtfeld|auswahl|formel|obligatorio|opcional|lista|obligatoire|facultatif|liste|"
    r"obbligatorio|verplicht|obrigat[óo]rio)[)\]]$",
    re.IGNORECASE,
)
# databases write this for nothing, so that it is a cell, no name
_NO_NAME = r"\N"
# what only cells say: an amount, a day with a year, an address of mail; "2026" and "2026-01" may head a column
_CELL = re.compile(
    r"^\\N(?: \([0-9]+\))?$|^-?[0-9][0-9.,]*[.,][0-9]+$|^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:\D|$)"
    r"|^[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}\b|^\S+@\S+\.\w+$|^-?[0-9]{5,}$"
)
_CELLS_IN_A_DEAL = 2
_IN_PERCENT = re.compile(r"\bin\s*%", re.IGNORECASE)
_NUMBERS_AND_DATES = frozenset(
    ("amount", "probability", "created", "expected_close", "closed", CLOSE_DATE, WON_DATE, LOST_DATE, "updated")
)  # fmt: skip


def map_headers(
    headers: Collection[str],
    mapping: Mapping[str, str | None] | None,
    schema: Schema,
    unfit: Collection[tuple[str, str]] = (),
) -> dict[str, str | None]:
    """
    Field of each header of a source.

    Parameters
    ----------
    headers
        As the source has them.
    mapping
        Fields that the caller chose, by header; None leaves a column out.
    schema
        Fields that exist: a header that is the very name of one is that field.
    unfit
        Headers with a field that each is not, as its cells show.

    Returns
    -------
    dict
        Field by header; ``close_date`` stands for the date that is still to be split by outcome,
        ``closed (won)`` and ``closed (lost)`` for those that together are ``closed``.

    Raises
    ------
    LoadError
        If ``mapping`` names a header that isn't there, or one field twice.

    Examples
    --------
    >>> map_headers(["Record ID", "Deal Name", "owner_id", "_synced"], None, Schema.standard())
    {'Record ID': 'id', 'Deal Name': 'name', 'owner_id': 'owner', '_synced': 'synced'}
    """
    chosen = _chosen(headers, mapping or {})
    fields = dict(chosen)
    free = [header for header in headers if header not in fields]
    taken_by_choice = set(fields.values())
    # a field of the collection's own may have a name that elsewhere stands for another
    fields |= {
        name: name
        for name in free
        if name in schema and name not in taken_by_choice and (name, name) not in unfit
    }
    free = [header for header in free if header not in fields]
    wanted = [(one, header) for header in free for one in candidates_of(header)]
    for one, header in sorted(wanted, key=lambda pair: pair[0].place):
        taken = header in fields or one.field in fields.values()
        if not taken and (header, one.field) not in unfit:
            fields[header] = one.field
    if split := _date_of_bitrix([h for h in headers if h not in chosen], fields, unfit):
        fields[split] = CLOSE_DATE
    _settle_dates(fields)
    used = {name for name in fields.values() if name}
    for header in headers:
        if header not in fields:
            fields[header] = _own_name(header, schema, used, unfit)
            used |= {fields[header] or ""}
    return {header: fields[header] for header in headers}


@lru_cache(maxsize=4096)
def candidates_of(header: str) -> tuple[Candidate, ...]:
    """
    Fields that a header could be by its name, the likeliest first.

    Examples
    --------
    >>> [one.field for one in candidates_of("Importe (EUR)")], candidates_of("Deal Type")
    (['amount'], ())
    """
    bare, known = _in_full(_bare(header)), places()
    is_formatted = bare.casefold().endswith(_FORMATTED)
    bare = bare[: -len(_FORMATTED)] if is_formatted else bare
    if bare == _NO_NAME:
        return ()
    core = _REFERENCE.sub("", bare).replace("#", " no ")
    key = key_of(core)
    if "%" in bare:
        return _shares(key_of(_IN_PERCENT.sub("", core)))
    if key in known:
        is_id = bare.casefold().endswith("/id")
        return tuple(_ranked(one, is_formatted=is_formatted, is_id=is_id) for one in known[key])
    if loose_key(core) in loose_places():
        return loose_places()[loose_key(core)]
    if (plain := without_units(bare)) != bare:
        amounts = (one for one in candidates_of(plain) if one.field == "amount")
        return tuple(Candidate(one.field, one.place + _SUFFIXED_WEAK) for one in amounts)
    money = tuple(
        Candidate(one.field, one.place + (_SUFFIXED if one.place < WEAK else _SUFFIXED_WEAK))
        for one in known.get(_money_key(bare), ())
        if one.field == "amount"
    )
    if money:
        return money
    rest = re.sub(r"^(?:deal|opportunity|opportunities|potential|lead)(?=..)", "", key)
    found = tuple(Candidate(one.field, one.place + _PREFIXED) for one in known.get(rest, ()))
    if not key.startswith("lead"):
        return found
    # a lead may have several deals: its id is that of a deal only where no two rows have the same
    return tuple(Candidate(f, place + WEAK if f == "id" else place) for f, place in found)


def currency_of(header: str) -> str | None:
    """
    Currency that a header says its column is in.

    Examples
    --------
    >>> currency_of("amount_usd"), currency_of("Betrag (€)"), currency_of("amount")
    ('USD', 'EUR', None)
    """
    return currencies().get(_ending(header).casefold())


def public_name(target: str | None) -> str | None:
    """
    Field that a column becomes, or ``close_date``; None for one that is left out.

    Examples
    --------
    >>> public_name("closed (won)"), public_name("amount")
    ('closed', 'amount')
    """
    return "closed" if target in (WON_DATE, LOST_DATE) else target


def unknown_header(name: str, headers: Iterable[str]) -> str:
    """
    Message for a column that a source doesn't have.

    Examples
    --------
    >>> unknown_header("deal", ["Deal ID", "Amount"])
    "no column 'deal'; did you mean 'Deal ID'? the columns are Deal ID, Amount"
    """
    return unknown("column", name, headers, key=_key)


def nearest_header(name: str, headers: Iterable[str]) -> str:
    """End of a message that says which column is missing: the one that was most likely meant, and those that exist."""
    return nearest(name, headers, "columns", key=_key)


def no_id(fields: Mapping[str, str | None], repeated: Sequence[str] = ()) -> str:
    """
    Message for a source in which no column is the id, with the field of each column.

    Parameters
    ----------
    fields
        Field by header.
    repeated
        Columns that would be the id, if no two rows had the same in it, and each had one.

    Examples
    --------
    >>> no_id({"Deal": "name"}).partition("; did")[0]
    "no column is the id of the deals; name it with mapping={'<column>': 'id'}, or what makes one with id_from='Deal'"
    """
    if sum(bool(_CELL.search(header)) for header in fields) >= _CELLS_IN_A_DEAL:
        return (
            "the first line looks like a deal, not like the names of the columns; write a line of names above it, "
            "such as id,name,amount,stage,owner,created"
        )
    names = (header for header, field in fields.items() if field == "name")
    makes = next((f"id_from={name!r}" for name in names), "id_from")
    why = f" ({repeated[0]!r} doesn't tell the rows apart)" if repeated else ""
    others = [header for header in fields if header not in repeated]
    return (
        f"no column is the id of the deals{why}; name it with mapping={{'<column>': 'id'}}, or what makes one with "
        f"{makes}; {nearest_header('deal_id', others)}"
    )


def find_header(name: str, headers: Collection[str]) -> str | None:
    """The header that a caller means: exactly so, or but for case, spaces and punctuation."""
    for exact in (name, marked(name)):
        if exact in headers:
            return exact
    key = _key(name)
    same = [header for header in headers if _key(header) == key]
    return same[0] if len(same) == 1 else None


@lru_cache(maxsize=4096)
def _key(header: str) -> str:
    return key_of(_bare(header))


def _bare(header: str) -> str:
    """Header without what programs put before all of them: a connector ``property_``, Pipedrive ``Deal - ``."""
    return _BEFORE_ALL.sub("", header.strip())


def _in_full(bare: str) -> str:
    """Header as the lists have it: "Opp Owner (DropDown)" is the owner of an opportunity."""
    return _FORM_NOTE.sub("", _LONG_FORM.sub("opportunity", bare))


def _ranked(one: Candidate, *, is_formatted: bool, is_id: bool) -> Candidate:
    """Where a value stands in two columns, the label is preferred; numbers and dates are better without."""
    place = one.place + 0.5 * is_id
    if is_formatted:
        place += _PREFIXED if one.field in _NUMBERS_AND_DATES else -0.5
    return Candidate(one.field, place)


def _shares(key: str) -> tuple[Candidate, ...]:
    """What a header with a ``%`` in it could be: "Win %" is no outcome, and "Abschluss %" no date."""
    for name, nearer in ((f"{key}percent", 0.0), (key, 0.5)):
        found = [one for one in places().get(name, ()) if one.field == "probability"]
        if found:
            # the sign says more than the word, which may be another column without it
            return (Candidate(found[0].field, found[0].place - 1 + nearer),)
    return ()


def _ending(header: str) -> str:
    """Last part of a header, which may be a currency."""
    found = re.search(
        r"(?:^|[\s_\-./(\[]|(?<=[a-z])(?=[A-Z]))((?:[A-Za-z]{1,2})?[^\w\s()\[\]./-]|[A-Za-z]{3}|zł)[)\]]*$",
        without_units(_bare(header)),
    )
    return found[1] if found else ""


def _money_key(bare: str) -> str:
    """Key of the header without the currency, and without the word for parts of it, at its end."""
    ending = _ending(bare)
    if ending.casefold() in currencies():
        key = key_of(bare[: bare.rindex(ending)])
        return key.removesuffix("in")
    return without_minor(key_of(bare))


def _chosen(headers: Collection[str], mapping: Mapping[str, str | None]) -> dict[str, str | None]:
    chosen: dict[str, str | None] = {}
    for name, field in mapping.items():
        header = find_header(name, headers)
        if header is None:
            msg = f"mapping: {unknown_header(name, headers)}"
            raise LoadError(msg)
        if field is not None and field in chosen.values():
            msg = f"mapping: two columns can't both be {field!r}; leave one out with None"
            raise LoadError(msg)
        if field is not None:
            check_field_name(field)
        chosen[header] = field
    return chosen


def _own_name(
    header: str, schema: Schema, taken: Collection[str], unfit: Collection[tuple[str, str]]
) -> str:
    def is_free(name: str) -> bool:
        # an alias that lost its field to a better one must not land on a field by its own name
        return name not in taken and name != CLOSE_DATE and (header, name) not in unfit

    if header in schema and is_free(header):
        return header
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", _bare(header))
    base = re.sub(r"[\W_]+", "_", words).strip("_").lower()[: MAX_NAME_LENGTH - 4] or "column"
    if (header, base) in unfit and base == "closed" and is_free("is_closed"):
        # a flag, as Bitrix24 has it
        return "is_closed"
    name, copy = base, 1
    while not is_free(name):
        copy += 1
        name = f"{base}_{copy}"
    try:
        check_field_name(name)
    except SchemaError as problem:
        msg = f"column {header!r} can't become a field: {problem}; name one with mapping"
        raise LoadError(msg) from problem
    return name


def _date_of_bitrix(
    headers: Iterable[str], fields: Mapping[str, str | None], unfit: Collection[tuple[str, str]]
) -> str | None:
    """
    The one date of Bitrix24: called the expected one, it becomes the day on which the deal was closed.

    Its flag says whose column it is; elsewhere a date that is called so stays what was expected.
    """
    has_flag = any(_key(header) == _BITRIX_FLAG and field == "closed" for header, field in unfit)
    others = {"closed", CLOSE_DATE, WON_DATE, LOST_DATE}
    if not has_flag or not others.isdisjoint(fields.values()):
        return None
    found = [header for header in headers if _key(header) in _BITRIX_DATES]
    return found[0] if len(found) == 1 else None


def _settle_dates(fields: dict[str, str | None]) -> None:
    """
    A close date needs no splitting where the source has the other date too.

    It can't be split where the source has no stages: a date that somebody plans is then all that it can be called.
    """
    by_field = {field: header for header, field in fields.items() if field}
    if "closed" in by_field:
        # one date for both outcomes is there
        for name in (WON_DATE, LOST_DATE):
            fields.pop(by_field.get(name, ""), None)
    split = by_field.get(CLOSE_DATE)
    if split is None:
        return
    has_expected = "expected_close" in by_field
    has_closed = not by_field.keys().isdisjoint({"closed", WON_DATE, LOST_DATE})
    if _key(split) == _DATE_CLOSED and ("stage" not in by_field or "closed" in by_field):
        # not a date that somebody plans, as its name says
        fields[split] = "closed"
        if "closed" in by_field:
            del fields[split]
    elif has_expected and not has_closed:
        fields[split] = "closed"
    elif has_closed and has_expected:
        fields[split] = "close_date_2"
    elif has_closed or "stage" not in by_field:
        fields[split] = "expected_close"
