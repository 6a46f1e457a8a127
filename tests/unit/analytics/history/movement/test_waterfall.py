"""The waterfall of the example history, and what holds of any; ``tests/oracle`` has the figures of random ones."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import strategies as st

import h1
from dealdb.analytics.basis import note_in_words
from dealdb.analytics.history.movement.waterfall import waterfall
from dealdb.errors import QueryError
from dealdb.formats.locale import Locale
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.facts.fold import folded
from examples import given_examples
from histories.drawn import history as drawn
from histories.written import day
from oracle.engine import facts_of
from pasts import past_of

Q1 = ("2026-01-01", "2026-04-01")
BUCKETS = [
    "start", "created", "pulled_in", "reopened", "up", "won", "lost", "pushed_out", "down", "deleted", "end",
]  # fmt: skip
GOLDEN: list[tuple[dict[str, Any], str]] = [
    (
        {"due": Q1},
        "3050.00 1000.25 0.00 400.00 200.00 1500.25 1100.00 2000.00 0.00 50.00 0.00",
    ),
    ({}, "3050.00 1800.75 0.00 400.00 200.00 1500.25 1100.00 0.00 0.00 50.00 2800.50"),
    (
        {"due": Q1, "net": False},
        "3050.00 800.50 700.00 400.00 500.25 1500.25 1100.00 2800.50 0.00 50.00 0.00",
    ),
    (
        {"due": Q1, "since": "2026-03-01"},
        "3200.50 0.00 700.00 0.00 300.25 300.25 1100.00 2800.50 0.00 0.00 0.00",
    ),
]
WHOLE: dict[str, Any] = {"since": "2026-02-01", "until": "2026-04-01"}
PLUS = {"start", "created", "pulled_in", "reopened", "up", "transferred_in"}


def values(frame: pl.DataFrame) -> dict[str, Any]:
    return dict(zip(frame["bucket"], frame["value"], strict=True))


def is_balanced(frame: pl.DataFrame) -> bool:
    found = values(frame)
    total = sum(
        (value if bucket in PLUS else -value for bucket, value in found.items()), Decimal(0)
    )
    return total == 0


@pytest.mark.parametrize(("options", "expected"), GOLDEN)
def test_the_example(options: dict[str, Any], expected: str) -> None:
    found = waterfall(past_of(), **{**WHOLE, **options})
    assert found.frame["bucket"].to_list() == BUCKETS
    assert list(map(str, found.frame["value"])) == expected.split()
    assert found.basis.currency == "EUR"


def test_who_is_in_a_bucket() -> None:
    lines = waterfall(past_of(deals=True), **WHOLE, due=Q1).frame
    assert lines.columns == ["bucket", "id", "value", "from", "to", "at"]
    found = {
        bucket: "".join(lines.filter(bucket=bucket)["id"]) for bucket in lines["bucket"].unique()
    }
    assert found == {
        "start": "ACH", "created": "EF", "reopened": "G", "up": "A", "won": "AE", "lost": "GF",
        "pushed_out": "C", "deleted": "H",
    }  # fmt: skip
    told = lines.filter(bucket="pushed_out").select("from", "to", "at").row(0)
    assert told[:2] == ("2026-03-31", "2026-04-30")
    assert f"{told[2]:%Y-%m-%d %H}" == "2026-03-20 12"
    # G was won, and is lost: its amount comes in and goes out
    told = lines.filter(bucket="reopened").select("from", "to").row(0)
    assert told == ("Won", "Lost")


def test_counts_of_what_carries_no_money() -> None:
    # C, which got another date as well
    assert waterfall(past_of(), **WHOLE).totals == {
        "owner": 0, "stage_forward": 1, "stage_back": 0, "date_only": 0,
    }  # fmt: skip
    later = waterfall(past_of(), since="2026-02-12", until="2026-02-21").totals
    # C went back to the demo; D was put off; the others are as they were
    assert later == {"owner": 0, "stage_forward": 0, "stage_back": 1, "date_only": 1}
    assert waterfall(past_of(), since="2026-03-10", until="2026-03-13").totals == {
        "owner": 0, "stage_forward": 1, "stage_back": 0, "date_only": 1,
    }  # fmt: skip


def rows(*given: tuple[str, int, str | None, str | None]) -> Any:
    """Facts from (id, day of January 2026, field, value); a field "delete" ends the deal."""
    table = [
        (deal, h1.moment(f"2026-01-{day:02}", 12), field if field != "delete" else None, value,
         "delete" if field == "delete" else "set")
        for deal, day, field, value in given
    ]  # fmt: skip
    frame = pl.DataFrame(table, schema=["id", "at", "field", "value", "op"], orient="row")
    return folded(frame, Schema.standard(), h1.PIPELINE)


@pytest.mark.parametrize("net", [True, False])
def test_a_deal_that_changes_hands_is_a_transfer(*, net: bool) -> None:
    facts = rows(("X", 2, "amount", "100.00"), ("X", 2, "owner", "Ann"), ("X", 9, "owner", "Bob"))
    options: dict[str, Any] = {"since": "2026-01-05", "until": "2026-01-20", "net": net}
    frame = waterfall(past_of(facts, by="owner"), **options).frame
    assert frame["owner"].unique(maintain_order=True).to_list() == ["Ann", "Bob"]
    assert frame.height == 2 * 13
    found = frame.filter(pl.col("value") != 0).select("owner", "bucket", "value").rows()
    hundred = Decimal("100.00")
    assert found == [
        ("Ann", "start", hundred),
        ("Ann", "transferred_out", hundred),
        ("Bob", "transferred_in", hundred),
        ("Bob", "end", hundred),
    ]
    assert waterfall(past_of(facts), **options).totals["owner"] == 1
    assert "transferred_in" not in waterfall(past_of(facts), **options).frame["bucket"].to_list()


def test_a_deal_that_changes_its_currency_goes_from_one_to_the_other() -> None:
    facts = rows(
        ("X", 2, "amount", "100.00"), ("X", 2, "currency", "EUR"), ("X", 9, "currency", "USD")
    )
    found = waterfall(past_of(facts), since="2026-01-05", until="2026-01-20")
    assert found.basis.currency == "mixed"
    for currency in ("EUR", "USD"):
        assert is_balanced(found.frame.filter(currency=currency))
    assert found.frame.filter(currency="EUR", bucket="transferred_out")["value"].item() == 100


def test_a_currency_in_which_no_end_has_money_is_none() -> None:
    facts = rows(
        ("X", 2, "amount", "100.00"),
        ("X", 2, "currency", "EUR"),
        ("X", 9, "currency", "USD"),
        ("X", 9, "amount", None),
    )
    found = waterfall(past_of(facts), since="2026-01-05", until="2026-01-20")
    # there never was an amount in USD at either end: what went down were euros
    assert found.basis.currency == "EUR"
    assert values(found.frame)["down"] == 100
    assert is_balanced(found.frame)


def test_a_deal_that_closes_outside_of_what_is_due_leaves_all_the_same() -> None:
    facts = rows(
        ("X", 2, "amount", "100.00"),
        ("X", 2, "expected_close", "2026-02-10"),
        ("X", 9, "stage", "Won"),
        ("X", 9, "closed", "2026-01-09"),
    )
    options: dict[str, Any] = {"until": "2026-01-20", "due": ("2026-02-01", "2026-03-01")}
    found = values(waterfall(past_of(facts), since="2026-01-05", **options).frame)
    assert (found["start"], found["won"], found["end"]) == (100, 100, 0)
    # what was not in doesn't show
    created = values(waterfall(past_of(facts), since="2026-01-01", **options).frame)
    assert set(created.values()) == {0}


def test_a_deal_that_was_saved_again_is_one_deal() -> None:
    facts = rows(
        ("X", 2, "amount", "100.00"),
        ("X", 9, "delete", None),
        ("X", 12, "amount", "130.00"),
    )
    options: dict[str, Any] = {"since": "2026-01-05", "until": "2026-01-20"}
    net = values(waterfall(past_of(facts), **options).frame)
    assert (net["deleted"], net["created"], net["up"], net["end"]) == (0, 0, 30, 130)
    gross = values(waterfall(past_of(facts), **options, net=False).frame)
    assert (gross["deleted"], gross["created"], gross["up"], gross["end"]) == (100, 130, 0, 130)


def test_blanks_are_of_the_amount_that_the_bucket_takes() -> None:
    frame = waterfall(past_of(), **WHOLE, due=Q1).frame
    assert frame["blank"].sum() == 0
    early = waterfall(past_of(), since="2026-02-01", until="2026-02-20").frame
    # E came without an amount
    assert early.filter(pl.col("blank") > 0).select("bucket", "n", "blank").rows() == [
        ("created", 3, 1),
        ("end", 5, 1),
    ]


def test_a_filter_takes_a_deal_as_a_whole() -> None:
    frame = waterfall(past_of(where="owner = 'Bob'"), **WHOLE, due=Q1).frame
    found = values(frame)
    assert (found["start"], found["reopened"], found["lost"]) == (2000, 400, 400)
    assert is_balanced(frame)


def test_options_that_make_no_sense() -> None:
    with pytest.raises(QueryError, match="since is needed"):
        waterfall(past_of(), since=None)
    with pytest.raises(QueryError, match="due is two dates"):
        waterfall(past_of(), since="2026-02-01", due="2026-02-01")
    with pytest.raises(QueryError, match="wrong way round"):
        waterfall(past_of(), since="2026-02-01", due=("2026-03-01", "2026-02-01"))
    with pytest.raises(QueryError, match="since=2026-03-02 is after 2026-02-28"):
        waterfall(past_of(as_of="2026-02-28"), since="2026-03-02")
    with pytest.raises(QueryError, match="before the first fact, which is of 2026-01-05"):
        waterfall(past_of(), since="2026-01-01", until="2026-01-03")
    with pytest.raises(QueryError, match="by: no column 'bucket'"):
        waterfall(past_of(by="bucket"), since="2026-01-01")


def test_a_collection_without_facts() -> None:
    empty = folded(
        pl.DataFrame(schema={"id": pl.String, "at": pl.Int64, "field": pl.String, "value": pl.String}),
        Schema.standard(),
        h1.PIPELINE,
    )  # fmt: skip
    for net in (True, False):
        frame = waterfall(past_of(empty), **WHOLE, net=net).frame
        assert frame["bucket"].to_list() == BUCKETS
        assert frame["value"].sum() == 0
        assert waterfall(past_of(empty, by="owner"), **WHOLE, net=net).frame.is_empty()


SEEDS, DAYS = st.integers(0, 10**6), st.dates(date(2026, 1, 1), date(2026, 4, 20))
GROUPS = ("owner", "stage", "currency", "loss_reason", "expected_close")


@given_examples(
    5,
    10_000,
    seed=SEEDS,
    days=st.tuples(DAYS, DAYS),
    due=st.none() | st.tuples(DAYS, DAYS),
    by=st.sets(st.sampled_from(GROUPS), max_size=2),
    net=st.booleans(),
)
def test_it_is_balanced_between_any_two_days(
    seed: int,
    days: tuple[date, date],
    due: tuple[date, date] | None,
    by: set[str],
    *,
    net: bool,
) -> None:
    facts = facts_of(drawn(seed))
    since, until = sorted(days)
    if facts.first is None or facts.first >= h1.moment(str(until)):
        return
    options: dict[str, Any] = {"since": since, "until": until, "net": net}
    options["due"] = due and sorted(due)
    found = waterfall(past_of(facts, by=sorted(by)), **options)
    keys = [name for name in sorted({"currency", *by}) if name in found.frame.columns]
    for _, group in found.frame.group_by(keys) if keys else [((), found.frame)]:
        assert is_balanced(group)
    lines = waterfall(past_of(facts, by=sorted(by), deals=True), **options).frame
    counts = found.frame.group_by("bucket").agg(pl.col("n").sum()).rows()
    assert Counter(lines["bucket"]) == Counter({bucket: n for bucket, n in counts if n})


@given_examples(5, 1000, seed=SEEDS, since=DAYS, net=st.booleans())
def test_currencies_are_never_added(seed: int, since: date, *, net: bool) -> None:
    facts = facts_of(drawn(seed))
    until = since + timedelta(days=14)
    if facts.first is None or h1.moment(str(until)) <= facts.first:
        return
    options: dict[str, Any] = {"since": since, "until": until, "net": net}
    found = waterfall(past_of(facts), **options)
    mixed = waterfall(past_of(facts, by="currency"), **options)
    if found.basis.currency == "mixed":
        assert found.frame.equals(mixed.frame)
    else:
        # what a deal only passed through within the window is no bucket without groups
        passed = pl.col("bucket").is_in(("transferred_in", "transferred_out"))
        money = mixed.frame.filter((pl.col("value") != 0) & ~passed)
        # of both ends, what counts is the money that there is at one of them
        ends = money.filter(pl.col("bucket").is_in(("start", "end", "won", "lost")))
        assert (ends if net else money)["currency"].n_unique() <= 1
    for _, group in mixed.frame.group_by("currency"):
        assert is_balanced(group)


@given_examples(4, 1000, seed=SEEDS, middle=DAYS, net=st.booleans())
def test_one_window_ends_where_the_next_begins(seed: int, middle: date, *, net: bool) -> None:
    facts = facts_of(drawn(seed))
    if facts.first is None or facts.first >= h1.moment(str(middle)):
        return
    one = waterfall(past_of(facts, by="owner"), since="2025-12-30", until=middle, net=net).frame
    two = waterfall(past_of(facts, by="owner"), since=middle, until="2026-05-01", net=net).frame
    ends, starts = (
        frame.filter(pl.col("n") > 0, bucket=bucket).group_by("owner").agg(pl.col("value").sum())
        for frame, bucket in ((one, "end"), (two, "start"))
    )
    assert ends.sort("owner").equals(starts.sort("owner"))


@pytest.mark.parametrize("net", [True, False])
def test_groups_of_any_kind(*, net: bool) -> None:
    for by in ("id", ["stage", "expected_close"], "amount", "currency"):
        frame = waterfall(past_of(by=by), **WHOLE, net=net).frame
        keys = [by] if isinstance(by, str) else by
        assert all(is_balanced(group) for _, group in frame.group_by(keys))
        lines = waterfall(past_of(by=by, deals=True), **WHOLE, net=net).frame
        assert lines.height == frame["n"].sum()
    tags = Schema.standard().with_fields([Field("tags", FieldType.LIST)])
    given = [("tags", 2, '["a","b"]'), ("amount", 2, "5.00"), ("tags", 9, '["c"]')]
    table = [("X", h1.moment(day(number)), name, value) for name, number, value in given]
    frame = pl.DataFrame(table, schema=["id", "at", "field", "value"], orient="row")
    past = past_of(folded(frame, tags, h1.PIPELINE), by="tags", deals=True)
    lines = waterfall(past, since=day(5), until=day(20), net=net).frame
    assert lines.filter(bucket="transferred_out").select("tags", "from", "to").row(0) == (
        ["a", "b"], "a, b", "c",
    )  # fmt: skip


@pytest.mark.parametrize("net", [True, False])
def test_groups_of_now(net: bool) -> None:
    owners = (("Ann", "2026-01-05"), ("Bob", "2026-02-05"), ("Zoe", "2026-03-05"))
    rows = [
        ("X", h1.moment(day), nth, "owner", owner, "set")
        for nth, (owner, day) in enumerate(owners, 1)
    ]
    rows += [
        ("X", h1.moment("2026-01-05"), 1, name, text, "set")
        for name, text in (("stage", "Lead"), ("amount", "100.00"))
    ]
    frame = pl.DataFrame(rows, schema=["id", "at", "seq", "field", "value", "op"], orient="row")
    facts = folded(frame, Schema.standard(), h1.PIPELINE)
    asked: dict[str, Any] = {"since": "2026-02-01", "until": "2026-03-01", "net": net}
    found = waterfall(past_of(facts, by="owner", by_at="now"), **asked)
    told = found.frame.filter(pl.col("n") > 0).select("owner", "bucket", "value").rows()
    assert told == [("Zoe", "start", Decimal("100.00")), ("Zoe", "end", Decimal("100.00"))]
    # the owner changed all the same
    assert found.totals["owner"] == 1


def test_dates_that_are_due_have_two_ends_or_one() -> None:
    first, last = "2026-01-01", "2026-04-01"
    for due, note, words in (
        (
            (first, last),
            ", due from 2026-01-01 before 2026-04-01",
            ", due from 1.1.2026 to 31.3.2026",
        ),
        ((first, None), ", due from 2026-01-01", ", due from 1.1.2026"),
        ((None, last), ", due before 2026-04-01", ", due up to 31.3.2026"),
        ((None, None), "", ""),
    ):
        [told, _] = waterfall(past_of(), since="2026-02-01", due=due).basis.notes
        assert told == f"net: both ends{note}"
        assert note_in_words(told, Locale("de-DE")) == f"the first and the last day compared{words}"
