"""Whatever dealdb returns has a form in JSON, with every digit."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import dealdb
from dealdb.errors import SchemaError
from dealdb.loader import LoadReport
from dealdb.model.jsonable import to_jsonable
from dealdb.model.pipeline import Kind
from dealdb.query import QueryEngine
from dealdb.store import Deal

MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1E+3"), "1000"),
        (Decimal("125000.00"), "125000.00"),
        (Decimal("NaN"), None),
        (float("inf"), None),
        (0.1, 0.1),
        (2**63, 2**63),
        (True, True),
        (MOMENT, "2026-01-31T09:30:00Z"),
        (date(2026, 1, 31), "2026-01-31"),
        (Kind.WON, "won"),
        (Path("a/b"), "a/b"),
        (b"\xff", "ff"),
        (("a", [Decimal(5)]), ["a", ["5"]]),
        ({1: {"x": None}}, {"1": {"x": None}}),
        (pl.DataFrame({"n": [Decimal("5.00")]}), [{"n": "5.00"}]),
        (pl.Series([MOMENT]), ["2026-01-31T09:30:00Z"]),
    ],
)
def test_each_value_has_its_form(value: Any, expected: Any) -> None:
    assert to_jsonable(value) == expected
    assert json.loads(json.dumps(to_jsonable(value))) == expected


def test_results_and_reports_have_theirs() -> None:
    query = QueryEngine.over([{"id": "1", "stage": "won", "amount": Decimal("5.10")}])
    page = dealdb.to_jsonable(query.page())
    assert page == {
        "items": [{"id": "1", "stage": "won", "amount": "5.10"}],
        "total": 1,
        "next": None,
    }
    facets = to_jsonable(query.facets("stage"))
    assert facets["stage"]["table"] == [{"value": "won", "deals": 1, "where": "stage = 'won'"}]
    report = to_jsonable(LoadReport(source="x.csv", format="csv", read=1, rejects=Path("x")))
    assert (report["read"], report["rejects"]) == (1, "x")
    json.dumps([facets, report])


def test_a_deal_is_json_text() -> None:
    deal = Deal({"id": "7", "name": "Böll", "amount": Decimal("5.00"), "tags": ["a"]}, rev=3)
    assert deal.to_json() == '{"id": "7", "name": "Böll", "amount": "5.00", "tags": ["a"]}'


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(SchemaError, match="a value of type object has no form in JSON"):
        to_jsonable([object()])
