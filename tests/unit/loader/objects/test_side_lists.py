"""What the ids in an answer stand for is said by lists beside its rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dealdb.loader.objects.side_lists import SideLists
from dealdb.model.pipeline import Kind
from recorder import Recorder

ROWS = [
    {"id": 1, "name": "A", "amount": "5.50", "deal_stage_id": 7, "owner_id": 3, "currency_id": 9},
    {"id": 2, "name": "B", "amount": "6", "deal_stage_id": 8, "owner_id": 4, "currency_id": None},
]
STAGES = [
    {"id": 7, "name": "Signature", "forecast_type": "Closed Won"},
    {"id": 8, "name": "Demo", "forecast_type": "Open"},
]
USERS = [{"id": 3, "display_name": "Ann"}]
CURRENCIES = [{"id": 9, "currency_code": "EUR", "exchange_rate": "1.0"}]


@pytest.mark.parametrize("rows_first", [True, False])
def test_ids_become_names(tmp_path: Path, *, rows_first: bool) -> None:
    store, lists = (
        Recorder(),
        {"deal_stages": STAGES, "users": USERS, "currencies": CURRENCIES},
    )
    answer = {"deals": ROWS, **lists} if rows_first else {**lists, "deals": ROWS}
    report = store.load_text(tmp_path, json.dumps(answer), name="deals.json")
    first, second = store.values("1"), store.values("2")
    assert (first["stage"], first["owner"], first["currency"]) == ("Signature", "Ann", "EUR")
    # no list says who 4 is
    assert (second["stage"], second["owner"]) == ("Demo", "4")
    assert "currency" not in second
    assert (second["deal_stage_id"], second["owner_id"]) == ("8", "4")
    assert report.pipeline.names(Kind.WON) == ["Signature"]


def test_lists_of_several_pages(tmp_path: Path) -> None:
    store = Recorder()
    pages = [
        {"deals": [ROWS[0]], "users": USERS},
        {"deals": [ROWS[1]], "users": [{"id": 4, "display_name": "Bob"}]},
    ]
    store.load_text(tmp_path, json.dumps(pages[0]) + json.dumps(pages[1]), name="deals.json")
    assert [store.values(number)["owner"] for number in ("1", "2")] == ["Ann", "Bob"]


def test_a_name_in_the_row_stays() -> None:
    lists = SideLists()
    lists.add({"users": USERS, "tags": ["new"], "total": 5, "pages": []})
    row = {"id": 1, "owner": "Eve", "owner_id": 3, 5: 6}
    assert lists.explained(row) == row
    assert lists.explained([1]) == [1]


def test_ids_that_are_texts_in_one_place_and_numbers_in_the_other() -> None:
    lists = SideLists()
    lists.add({"companies": [{"id": "12", "name": "Acme"}]})
    explained = lists.explained({"id": 1, "company_id": 12})
    assert explained == {"id": 1, "company_id": 12, "company": {"id": "12", "name": "Acme"}}


def test_pages_in_an_array(tmp_path: Path) -> None:
    store = Recorder()
    pages = [{"deals": [{**ROWS[0], "deal_id": 2}], "users": USERS}, {"deals": [ROWS[1]]}]
    store.load_text(tmp_path, json.dumps(pages), name="deals.json")
    assert [store.values(number)["name"] for number in ("1", "2")] == ["A", "B"]
    assert store.values("1")["owner"] == "Ann"


def test_the_rows_are_no_list_beside_them() -> None:
    lists = SideLists()
    lists.add({"deals": [{"id": 1, "name": "A"}]})
    assert not lists
