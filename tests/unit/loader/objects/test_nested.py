"""Objects in rows, as the interfaces of CRMs have them, and what they say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dealdb.loader.objects.nested import plain
from recorder import Recorder

SALESFORCE = {
    "attributes": {"type": "Opportunity", "url": "/x/1"}, "Id": "006", "Amount": 10,
    "Owner": {"attributes": {"type": "User", "url": "/u1"}, "Name": "Pat"}, "Account": None,
}  # fmt: skip
PIPEDRIVE = {
    "id": 1, "stage_id": 3, "person_id": None,
    "user_id": {"id": 7, "name": "Ann", "email": "a@b.c", "has_pic": 0, "active_flag": True, "value": 7},
    "org_id": {"name": "Acme", "people_count": 1, "owner_id": 7, "address": None, "value": 5},
}  # fmt: skip
ZOHO = {
    "id": "1", "Owner": {"name": "Pat", "id": "41", "email": "p@b.c"}, "Account_Name": {"name": "Acme", "id": "42"},
    "Tag": [{"name": "new", "id": "5", "color_code": None}, {"name": "big", "id": "6"}],
}  # fmt: skip
HUBSPOT_V1 = {
    "dealId": 5,
    "properties": {
        "dealname": {"value": "A", "timestamp": 1, "source": "API", "versions": [{"value": "A"}]},
        "amount": {"value": "10", "timestamp": 2, "source": "CRM_UI", "sourceId": "x"},
        "closedate": {"value": "", "timestamp": 2},
    },
}  # fmt: skip
TWENTY = {
    "id": "1", "amount": {"amountMicros": 5_500_000, "currencyCode": "USD"},
    "company": {"id": "c", "name": "Acme"}, "owner": {"name": {"firstName": "Ann", "lastName": "Lee"}},
}  # fmt: skip
ODOO = {
    "id": 5, "user_id": [2, "Ann"], "stage_id": [4, "Won"], "date_deadline": False,
    "lost_reason_id": False, "active": False,
}  # fmt: skip
AIRTABLE = {
    "id": "rec1", "createdTime": "2026-01-31",
    "fields": {"Name": "x", "Owner": {"id": "u", "email": "a@b", "name": "Ann"}, "Company": ["Acme", "Bolt"]},
}  # fmt: skip
ATTIO = {
    "id": {"workspace_id": "w", "object_id": "o", "record_id": "r"},
    "values": {
        "name": [{"attribute_type": "text", "value": "A"}],
        "stage": [{"attribute_type": "status", "status": {"id": {"status_id": "s"}, "title": "Won"}}],
        "value": [{"attribute_type": "currency", "currency_value": 10, "currency_code": "USD"}],
    },
}  # fmt: skip
NOTION = {
    "id": "n",
    "properties": {
        "Deal": {"type": "title", "title": [{"type": "text", "text": {"content": "A"}, "plain_text": "A"}]},
        "Amount": {"id": "a", "type": "number", "number": 5},
        "Stage": {"id": "s", "type": "select", "select": {"id": "x", "name": "Won", "color": "red"}},
        "Close": {"id": "c", "type": "date", "date": {"start": "2026-01-31", "end": None}},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (SALESFORCE, {"Id": "006", "Amount": 10, "Owner": "Pat", "Account": None}),
        (PIPEDRIVE, {
            "id": 1, "stage_id": 3, "person_id": None, "user_id": "Ann", "user_id.id": 7, "org_id": "Acme",
            "org_id.id": 5,
        }),
        (ZOHO, {
            "id": "1", "Owner": "Pat", "Owner.id": "41", "Account_Name": "Acme", "Account_Name.id": "42",
            "Tag": ["new", "big"],
        }),
        (HUBSPOT_V1, {"dealId": 5, "dealname": "A", "amount": "10", "closedate": None}),
        (TWENTY, {
            "id": "1", "amount": Decimal("5.5"), "amount.currency": "USD", "company": "Acme", "company.id": "c",
            "owner": "Ann Lee",
        }),
        (ODOO, {
            "id": 5, "user_id": "Ann", "user_id.id": 2, "stage_id": "Won", "stage_id.id": 4, "date_deadline": None,
            "lost_reason_id": None, "active": False,
        }),
        (AIRTABLE, {
            "id": "rec1", "createdTime": "2026-01-31", "Name": "x", "Owner": "Ann", "Owner.id": "u",
            "Company": "Acme, Bolt",
        }),
        (ATTIO, {"id": "r", "name": "A", "stage": "Won", "value": 10, "value.currency": "USD"}),
        (NOTION, {
            "id": "n", "Deal": "A", "Amount": 5, "Stage": "Won", "Close": "2026-01-31",
        }),
    ],
    ids=["Salesforce", "Pipedrive", "Zoho", "HubSpot v1", "Twenty", "Odoo", "Airtable", "Attio", "Notion"],
)  # fmt: skip
def test_objects_of_programs(row: dict[str, Any], found: dict[str, Any]) -> None:
    assert plain(row) == found


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"id": "1", "properties": [{"name": "dealname", "value": "A"}]}, {"id": "1", "dealname": "A"}),
        ({"id": "1", "type": "deals", "attributes": {"title": "x"}, "relationships": {"owner": {"data": {"id": "9"}}}},
         {"id": "1", "type": "deals", "owner": "9", "title": "x"}),
        ({"node": {"id": "1", "name": "a"}, "cursor": "x"}, {"cursor": "x", "id": "1", "name": "a"}),
        ({"_id": {"$oid": "65"}, "amount": {"$numberDecimal": "1.5"}}, {"_id": "65", "amount": "1.5"}),
        ({"currency": {"id": 3, "name": "Euro", "code": "EUR"}}, {"currency": "EUR", "currency.id": 3}),
        ({"amount": {"value": "10.5", "currency": "EUR"}}, {"amount": "10.5", "amount.currency": "EUR"}),
        ({"amount": {"amountMicros": None, "currencyCode": "USD"}}, {"amount": None, "amount.currency": "USD"}),
        ({"amount": {"value": None, "currency": "EUR"}}, {"amount": None, "amount.currency": "EUR"}),
        ({"amount": {"amountMicros": Decimal("1e999999")}}, {"amount": {"amountMicros": Decimal("1e999999")}}),
        ({"amount": {"amountMicros": "many"}}, {"amount": {"amountMicros": "many"}}),
        ({"owner": {"id": 5}, "OwnerId": 5}, {"owner": 5, "OwnerId": 5}),
        ({"owner": {"id": 5, "name": "Ann"}, "owner_id": 5}, {"owner": "Ann", "owner_id": 5}),
        ({"owner": {"email": "a@b.c"}}, {"owner": "a@b.c"}),
        ({"owner": [{"name": "Ann"}, {"name": "Bo"}]}, {"owner": "Ann, Bo"}),
        ({"owner": []}, {"owner": None}),
    ],
)  # fmt: skip
def test_forms_of_objects(row: dict[str, Any], found: dict[str, Any]) -> None:
    assert plain(row) == found


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1, "config": {"name": "x", "size": 3}},
        {"id": 1, "address": {"street": "x", "city": "y"}},
        {"id": 1, "pair": [1, "b"], "tags": ["a", "b"], "numbers": [1, 2], "none": []},
        {"id": 1, "emails": [{"email": "a@b.c", "category": "work"}]},
        {"id": ["1", "2"]},
        {"id": 1, "active": False, "x": {}},
        {1: {"name": "x"}},
        {"x": {1: "y"}},
    ],
)
def test_what_says_nothing_else_stays(row: dict[Any, Any]) -> None:
    assert plain(row) == row


def test_where_there_is_no_owner_there_is_no_id_of_one(store: Recorder) -> None:
    owner = {"Id": "5", "Name": "Pat"}
    store.load([{"id": 1, "Owner": owner}, {"id": 2, "Owner": owner}])
    assert store.deals["1"] == {"owner": "Pat", "owner_id": "5"}
    store.load([{"id": 1, "Owner": None}, {"id": 2}, {"id": 3, "Owner": owner}])
    assert store.deals["1"] == {}
    assert store.deals["2"] == store.deals["3"]


@pytest.fixture
def store() -> Recorder:
    return Recorder()
