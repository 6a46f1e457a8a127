"""
The header names of other programs' exports, and the field that each one is.

A header is compared without case, spaces, punctuation and a leading ``property_`` or ``Deal - ``. Where two headers
of a file are the same field, the one that comes first in the list of that field gets it, and the other
becomes a column of its own name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from dealdb.errors import LoadError, SchemaError
from dealdb.model.names import nearest, unknown
from dealdb.model.schema import MAX_NAME_LENGTH, Schema, check_field_name

# the close date of exports that have only one: the expected one of an open deal, the actual one of a closed one
CLOSE_DATE = "close_date"

# in order of preference; hs is HubSpot, sf Salesforce, pd Pipedrive, zo Zoho, cl Close
ALIASES: dict[str, tuple[str, ...]] = {
    "id": (
        "id", "deal_id", "opportunity_id", "record_id", "hs_object_id", "deal_record_id", "uuid",
        "opportunity_number",
    ),
    "name": (
        "name", "deal_name", "opportunity_name", "deal_title", "title", "potential_name",
        "opportunity", "deal", "subject",
    ),
    "company": (
        "company", "account", "account_name", "company_name", "organization", "organisation",
        "organization_name", "org_name", "lead_name", "customer", "client", "customer_name",
        "associated_company", "associated_company_primary", "primary_associated_company",
        "account_id", "company_id", "org_id",
    ),
    "owner": (
        "owner", "deal_owner", "owner_name", "opportunity_owner", "sales_agent", "sales_rep",
        "account_executive", "assigned_to", "user_name", "salesperson", "owner_full_name",
        "hubspot_owner_id", "owner_id", "user_id", "deal_owner_id",
    ),
    "stage": (
        "stage", "deal_stage", "stage_name", "sales_stage", "status_label",
        "opportunity_stage", "pipeline_stage", "deal_pipeline_stage", "stage_id",
        "deal_pipeline_stage_id", "pipeline_stage_id", "dealstage_id",
        "status", "deal_status",
    ),
    "amount": (
        "amount", "deal_value", "value", "deal_amount", "close_value", "opportunity_amount",
        "opportunity_value", "total_value", "deal_size", "revenue",
    ),
    "currency": (
        "currency", "currency_code", "deal_currency", "deal_currency_code", "currency_iso_code",
        "value_currency", "currency_of_value", "amount_currency",
    ),
    "probability": (
        "probability", "deal_probability", "hs_deal_stage_probability", "probability_percent",
        "win_probability", "confidence", "likelihood",
    ),
    "created": (
        "created", "create_date", "created_date", "created_at", "created_time",
        "creation_date", "date_created", "deal_created", "add_time", "created_on", "engage_date",
        "deal_created_on",
    ),
    "expected_close": (
        "expected_close", "expected_close_date", "expected_closing_date", "forecast_close_date",
        "estimated_close_date", "expected_close_on", "planned_close_date",
    ),
    "closed": (
        "closed", "closed_date", "closed_at", "closed_on", "actual_close_date", "closed_time",
        "date_closed", "deal_closed_on", "close_time",
    ),
    CLOSE_DATE: ("close_date", "closing_date"),
    "source": (
        "source", "lead_source", "deal_source", "original_source", "original_traffic_source",
        "hs_analytics_source", "source_name", "lead_source_name", "source_channel",
    ),
    "loss_reason": (
        "loss_reason", "lost_reason", "closed_lost_reason", "reason_lost", "reason_for_loss",
        "deal_lost_reason",
    ),
    "updated": (
        "updated", "last_modified_date", "updated_at", "update_time", "updated_time", "modified_time",
        "last_modified", "hs_lastmodifieddate", "last_updated", "date_updated", "last_modified_time",
        "updated_date", "modified_on",
    ),
}  # fmt: skip

_PLACES = {
    re.sub(r"_", "", alias): (field, place)
    for field, aliases in ALIASES.items()
    for place, alias in enumerate(aliases)
}


def map_headers(
    headers: Collection[str], mapping: Mapping[str, str | None] | None, schema: Schema
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

    Returns
    -------
    dict
        Field by header; ``close_date`` stands for the date that is still to be split by outcome.

    Raises
    ------
    LoadError
        If ``mapping`` names a header that isn't there, or one field twice.

    Examples
    --------
    >>> map_headers(["Record ID", "Deal Name", "owner_id", "_synced"], None, Schema.standard())
    {'Record ID': 'id', 'Deal Name': 'name', 'owner_id': 'owner', '_synced': 'synced'}
    """
    fields = _chosen(headers, mapping or {})
    free = [header for header in headers if header not in fields]
    # a field of the collection's own may have a name that elsewhere stands for another
    fields |= {name: name for name in free if name in schema and name not in fields.values()}
    free = [header for header in free if header not in fields]
    for header in sorted(free, key=_preference):
        known = _PLACES.get(_key(header))
        if known and known[0] not in fields.values():
            fields[header] = known[0]
    for header in headers:
        if header not in fields:
            fields[header] = _own_name(header, schema, {name for name in fields.values() if name})
    _settle_close_date(fields)
    return {header: fields[header] for header in headers}


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


def find_header(name: str, headers: Collection[str]) -> str | None:
    """The header that a caller means: exactly so, or but for case, spaces and punctuation."""
    if name in headers:
        return name
    same = [header for header in headers if _key(header) == _key(name)]
    return same[0] if len(same) == 1 else None


def _key(header: str) -> str:
    return re.sub(r"[\W_]+", "", _bare(header).casefold())


def _bare(header: str) -> str:
    """Header without what programs put before all of them: a connector ``property_``, Pipedrive ``Deal - ``."""
    return re.sub(r"^_*property_|^deal - ", "", header.strip(), flags=re.IGNORECASE)


def _preference(header: str) -> int:
    return _PLACES.get(_key(header), ("", 0))[1]


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


def _own_name(header: str, schema: Schema, taken: Collection[str]) -> str:
    if header in schema and header not in taken:
        return header
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", _bare(header))
    base = re.sub(r"[\W_]+", "_", words).strip("_").lower()[: MAX_NAME_LENGTH - 4] or "column"
    name, copy = base, 1
    # an alias that lost its field to a better one must not land on a field by its own name
    while name in taken or name == CLOSE_DATE:
        copy += 1
        name = f"{base}_{copy}"
    try:
        check_field_name(name)
    except SchemaError as problem:
        msg = f"column {header!r} can't become a field: {problem}; name one with mapping"
        raise LoadError(msg) from problem
    return name


def _settle_close_date(fields: dict[str, str | None]) -> None:
    """
    A close date needs no splitting where the source has the other date too.

    It can't be split where the source has no stages: a date that somebody plans is then all that it can be called.
    """
    split = next((header for header, field in fields.items() if field == CLOSE_DATE), None)
    if split is None:
        return
    has_expected, has_closed = (name in fields.values() for name in ("expected_close", "closed"))
    if has_expected and not has_closed:
        fields[split] = "closed"
    elif has_closed and has_expected:
        fields[split] = "close_date_2"
    elif has_closed or "stage" not in fields.values():
        fields[split] = "expected_close"
