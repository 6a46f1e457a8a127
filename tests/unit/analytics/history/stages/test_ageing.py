"""Ageing of the example history; ``tests/oracle`` has those of random ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dealdb.analytics.history.stages.ageing import ageing
from dealdb.errors import QueryError
from histories.written import day, in_january
from pasts import past_of

FEBRUARY: dict[str, Any] = {"as_of": "2026-02-28"}


def classes(**options: Any) -> dict[str, tuple[Any, ...]]:
    frame = ageing(past_of(**FEBRUARY), **options).frame
    return {row[0]: row[1:] for row in frame.select("bucket", "n", "value", "blank").rows()}


NOTHING = (0, Decimal("0.00"), 0)


def test_the_example() -> None:
    found = ageing(past_of(**FEBRUARY))
    assert found.frame.columns == ["bucket", "from", "to", "n", "value", "weighted", "blank"]
    assert found.frame.select("bucket", "from", "to").rows() == [
        ("0-7", 0, 7), ("8-14", 8, 14), ("15-30", 15, 30), ("31-60", 31, 60), ("61+", 61, None),
        ("unknown", None, None),
    ]  # fmt: skip
    assert classes() == {
        "0-7": NOTHING,
        "8-14": (3, Decimal("3100.00"), 0),
        "15-30": (2, Decimal("800.50"), 1),
        "31-60": NOTHING,
        "61+": NOTHING,
        "unknown": NOTHING,
    }
    # C 0.30 of 2000, F 0.10 of 700, G 0.30 of 400; D 0.10 of 800.50
    weighted = dict(found.frame.select("bucket", "weighted").rows())
    assert (weighted["8-14"], weighted["15-30"]) == (Decimal(790), Decimal("80.05"))
    assert found.basis.n == 5


def test_since_the_creation() -> None:
    found = classes(basis="created")
    assert found["8-14"] == (1, Decimal("700.00"), 0)
    assert found["15-30"] == (2, Decimal("800.50"), 1)
    assert found["31-60"] == (2, Decimal("2400.00"), 0)


def test_since_the_last_change() -> None:
    # D was put off on the 20th, G reopened then; C went back on the 15th
    found = classes(basis="update")
    assert {name: row[0] for name, row in found.items()} == {
        "0-7": 0, "8-14": 4, "15-30": 1, "31-60": 0, "61+": 0, "unknown": 0,
    }  # fmt: skip


def lines(**options: Any) -> dict[str, tuple[Any, ...]]:
    frame = ageing(past_of(**FEBRUARY, deals=True), **options).frame
    assert frame.columns == ["bucket", "id", "value", "from", "to", "at"]
    return {row["id"]: (row["bucket"], row["from"], row["to"]) for row in frame.to_dicts()}


def test_weekdays() -> None:
    bounds = (4, 5, 9, 10, 17, 18, 19, 20)
    found = lines(calendar="weekdays", buckets=bounds)
    buckets = {deal: row[0] for deal, row in found.items()}
    assert buckets == {"C": "10-10", "D": "20-20", "E": "18-18", "F": "10-10", "G": "5-5"}


def test_earlier_visits() -> None:
    # C stood 22 days in the demo before, and 13 now
    assert lines()["C"] == ("8-14", "2026-02-15", "2026-02-28")
    assert lines(visits=True, buckets=(34, 35))["C"][0] == "35-35"
    # 01-10 to 02-01 has 15 weekdays, 02-15 to 02-28 has 10
    assert lines(visits=True, calendar="weekdays", buckets=(24, 25))["C"][0] == "25-25"


def test_groups_and_a_filter() -> None:
    by_stage = ageing(past_of(**FEBRUARY, by="stage")).frame
    assert by_stage.height == 2 * 6
    assert by_stage.filter(stage="Demo", bucket="8-14")["n"].item() == 2
    bob = ageing(past_of(**FEBRUARY, where="owner = 'Bob'")).frame
    assert bob["n"].sum() == 3
    owners = ageing(past_of(**FEBRUARY, by="owner")).frame
    assert owners["owner"].unique(maintain_order=True).to_list() == ["Ann", "Bob", "(none)"]


def test_what_is_not_known() -> None:
    facts = in_january(
        ("A", 5, 0, "created", day(20)), ("B", 6, 0, "amount", "1.00"), ("B", 6, 0, "stage", None)
    )
    past = past_of(facts, as_of=day(10))
    found = ageing(past, basis="created")
    assert found.frame["n"].to_list() == [0, 0, 0, 0, 0, 2]
    assert found.basis.warnings == ("deals with a negative age, in unknown: 1",)
    assert ageing(past_of(facts, as_of=day(10))).frame["n"].to_list()[-1] == 2


def test_a_collection_without_facts() -> None:
    empty = ageing(past_of(in_january())).frame
    assert empty["n"].to_list() == [0] * 6
    assert ageing(past_of(in_january(), by="owner")).frame.is_empty()


def test_options_that_make_no_sense() -> None:
    past = past_of(**FEBRUARY)
    for options, text in (
        ({"buckets": (14, 7)}, "buckets ascend"),
        ({"buckets": ()}, "buckets is a list of days"),
        ({"buckets": (1.5,)}, "buckets is a whole number"),
        ({"basis": "activity"}, "reads a field 'last_activity' of dates"),
        ({"calendar": "moon"}, "calendar='moon' is not a choice"),
        ({"visits": True, "basis": "created"}, "visits=True"),
    ):
        with pytest.raises(QueryError, match=text):
            ageing(past, **options)
    with pytest.raises(QueryError, match="before the first fact"):
        past_of(as_of="2026-01-04")
