"""The forecast of the example history; ``tests/oracle`` has those of random ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import h1
from dealdb.analytics.history.movement.forecast import forecast
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline, Stage
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded
from histories.written import in_january
from pasts import past_of

QUARTER: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}
FEBRUARY: dict[str, Any] = {"as_of": "2026-02-28"}


@dataclass(frozen=True)
class _Sorted(Stage):
    """A stage with a category."""

    category: str = "pipeline"


_KINDS = {"Lead": "pipeline", "Demo": "bestcase", "Offer": "commit"}
PIPELINE = Pipeline(
    tuple(
        _Sorted(each.name, each.kind, each.probability, each.rot_days,
                category=_KINDS.get(each.name, "omitted"))
        for each in h1.PIPELINE
    )
)  # fmt: skip


def example(**options: Any) -> Any:
    return past_of(h1.facts(PIPELINE), **{**FEBRUARY, **options})


def test_the_example() -> None:
    found = forecast(example(), **QUARTER)
    assert found.frame.columns == [
        "period", "label", "won", "weighted", "commit", "best", "pipeline", "omitted", "n", "blank", "unweighted",
    ]  # fmt: skip
    shown = found.frame.select(
        "label", "won", "weighted", "commit", "best", "pipeline", "n", "blank"
    )
    assert shown.rows() == [
        ("overdue", 0, 120, 0, 400, 0, 1, 0),
        ("2026-01", 0, 0, 0, 0, 0, 0, 0),
        ("2026-02", 1200, 0, 0, 0, 0, 0, 0),
        ("2026-03", 0, Decimal("680.05"), 0, 2000, Decimal("800.50"), 3, 1),
        ("undated", 0, 0, 0, 0, 0, 0, 0),
    ]
    assert found.frame["period"].to_list() == [
        None, date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1), None,
    ]  # fmt: skip
    assert found.totals == {
        "low": Decimal("1200.00"), "base": Decimal("2000.05"), "high": Decimal("4400.50"),
    }  # fmt: skip
    assert "in all: low 1200.00, base 2000.0500, high 4400.50" in repr(found)


def test_a_longer_window_has_the_deal_of_may() -> None:
    found = forecast(example(), since="2026-01-01", until="2026-06-01").frame
    assert found.filter(label="2026-05").select("weighted", "n").row(0) == (70, 1)
    quarters = forecast(example(), since="2026-01-01", until="2026-07-01", period="quarter").frame
    assert quarters["label"].to_list() == ["overdue", "2026-Q1", "2026-Q2", "undated"]


def test_lines_add_up_to_the_figures() -> None:
    table = forecast(example(), **QUARTER).frame
    lines = forecast(example(deals=True), **QUARTER).frame
    assert lines.columns == ["period", "label", "figure", "id", "value", "from", "to", "at"]
    for row in table.to_dicts():
        for figure in ("won", "weighted", "commit", "best", "pipeline", "omitted"):
            own = lines.filter(label=row["label"], figure=figure)
            assert own["value"].sum() == row[figure]
        assert lines.filter(label=row["label"], figure="weighted").height == row["n"]


def one(*fields: tuple[str, str | None], **schema: FieldType) -> Facts:
    """A deal in the demo, with an amount of 100, and further fields."""
    given = [("stage", "Demo"), ("amount", "100.00"), ("expected_close", "2026-03-10"), *fields]
    frame = pl.DataFrame(
        [("X", h1.moment("2026-01-05"), name, value) for name, value in given],
        schema=["id", "at", "field", "value"],
        orient="row",
    )
    own = [Field(name, kind) for name, kind in schema.items()]
    return folded(frame, Schema.standard().with_fields(own), PIPELINE)


@pytest.mark.parametrize(
    ("own", "figure"),
    [
        ("Commit", "commit"), ("Best Case", "best"), ("Pipeline", "pipeline"), ("Omitted", "omitted"),
        ("Strong Upside", "best"), (None, "best"),
    ],
)  # fmt: skip
def test_a_category_of_the_deals_own(own: str | None, figure: str) -> None:
    facts = one(("forecast_category", own), forecast_category=FieldType.TEXT)
    found = forecast(past_of(facts, **FEBRUARY), **QUARTER)
    row = found.frame.filter(label="2026-03").row(0, named=True)
    assert row["weighted"] == 30
    categories = ("commit", "best", "pipeline", "omitted")
    assert [name for name in categories if row[name]] == [figure]
    assert found.totals["high"] == 100


def test_a_chance_that_is_none() -> None:
    facts = one(("probability", "1.50"))
    row = forecast(past_of(facts, **FEBRUARY), **QUARTER).frame.filter(label="2026-03")
    assert row.select("weighted", "unweighted", "best").row(0) == (0, 1, 100)


def test_what_has_no_date_lies_outside_the_totals() -> None:
    found = forecast(past_of(one(("expected_close", None)), **FEBRUARY), **QUARTER)
    assert found.frame.filter(label="undated").select("n", "best").row(0) == (1, 100)
    assert set(found.totals.values()) == {0}
    won = forecast(past_of(one(("stage", "Won")), **FEBRUARY), **QUARTER)
    assert won.frame["won"].sum() == 0
    assert won.basis.warnings[0] == "won deals without a closing date, in no row: 1"


def test_groups_and_a_filter() -> None:
    by_owner = forecast(example(by="owner"), **QUARTER)
    assert by_owner.frame.filter(owner="Bob")["weighted"].sum() == Decimal("800.05")
    assert by_owner.totals["base"] == Decimal("2000.05")
    bob = forecast(example(where="owner = 'Bob'"), **QUARTER)
    assert bob.totals["low"] == 0


def test_several_currencies_have_no_totals() -> None:
    rows = [
        (deal, h1.moment("2026-01-05"), field, value)
        for deal, currency in (("X", "EUR"), ("Y", "USD"))
        for field, value in (
            ("amount", "5.00"), ("currency", currency), ("expected_close", "2026-03-10"),
        )
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["id", "at", "field", "value"], orient="row")
    found = forecast(past_of(folded(frame, Schema.standard(), PIPELINE), **FEBRUARY), **QUARTER)
    assert found.frame["currency"].n_unique() == 2
    assert found.totals == {}


def test_a_collection_without_facts() -> None:
    empty = forecast(past_of(in_january()), **QUARTER)
    assert empty.frame.height == 5
    assert set(empty.totals.values()) == {0}


def test_options_that_make_no_sense() -> None:
    for options, text in (
        ({"since": None}, "since is needed"),
        ({"until": None}, "until is needed"),
        ({"period": "moon"}, "period='moon' is not a choice"),
        (
            {"since": "0001-01-01", "until": "9999-01-01", "period": "day"},
            "too many rows|of .* rows",
        ),
    ):
        with pytest.raises(QueryError, match=text):
            forecast(example(), **{**QUARTER, **options})


def test_groups_of_no_event_are_those_of_the_end() -> None:
    asked = {"since": "2026-01-01", "until": "2026-04-01"}
    usual = forecast(past_of(as_of="2026-02-28", by="owner"), **asked).frame
    assert forecast(past_of(as_of="2026-02-28", by="owner", by_at="event"), **asked).frame.equals(
        usual
    )


def test_deals_that_were_due_before_the_window_are_counted() -> None:
    facts = one()
    found = forecast(past_of(facts, as_of="2026-04-02"), since="2026-04-01", until="2026-07-01")
    assert found.basis.n == 0
    assert found.basis.warnings == ("open deals that were due before the window, in no row: 1",)
    due = forecast(past_of(facts, as_of="2026-04-02"), since="2026-03-10", until="2026-07-01")
    assert due.basis.n == 1
    assert not due.basis.warnings
