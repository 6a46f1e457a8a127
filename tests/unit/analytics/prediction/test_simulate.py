"""What will be won: exact for few deals with given chances, the same for one seed, and right on made histories."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import h1
from dealdb.analytics.prediction.simulate import simulate
from dealdb.errors import QueryError
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded
from histories.made import histories
from histories.studies import quarters, slack
from histories.truth import LOST, WON, Law, StageTruth, Truth
from pasts import past_of

END = "2026-02-28"
SLOW = Truth(
    (
        StageTruth("Lead", {"Demo": 0.5, "Offer": 0.1, LOST: 0.4}, Law("exponential", 30)),
        StageTruth(
            "Demo", {"Lead": 0.1, "Offer": 0.5, WON: 0.1, LOST: 0.3}, Law("weibull", 25, 1.5)
        ),
        StageTruth("Offer", {"Demo": 0.1, WON: 0.5, LOST: 0.4}, Law("lognormal", 18, 0.7)),
    ),
    days=310,
    watched=310,
)


def deals(*rows: tuple[str, str, str, str]) -> Facts:
    """Deals of one day: id, amount, probability and currency."""
    names = ("amount", "probability", "currency")
    facts = [
        (deal, h1.moment("2026-01-05"), name, value or None)
        for deal, *values in rows
        for name, value in zip(("stage", *names), ("Lead", *values), strict=True)
    ]
    frame = pl.DataFrame(facts, schema=["id", "at", "field", "value"], orient="row")
    return folded(frame, Schema.standard(), h1.PIPELINE)


TWO = deals(("1", "1000.00", "0.5", "EUR"), ("2", "500.00", "0.2", "EUR"))


def figures(facts: Facts, **options: object) -> list[tuple[str, ...]]:
    past = past_of(facts, as_of="2026-01-31")
    found = simulate(past, "2026-04-01", **options)  # type: ignore[arg-type]
    return [tuple(map(str, row)) for row in found.frame.select("p10", "p50", "p90", "mean").rows()]


def test_the_example_is_exact() -> None:
    assert figures(TWO, chances="own") == [("0.00", "500.00", "1000.00", "600.00")]
    row = simulate(past_of(TWO, as_of="2026-01-31"), "2026-04-01", chances="own").to_dicts()[0]
    assert row["error"] is None
    assert row["rho"] == 0.0


def test_the_seed_changes_nothing_that_is_exact() -> None:
    assert figures(TWO, chances="own", seed=1, n=100) == figures(
        TWO, chances="own", seed=2, n=5_000
    )


def test_a_correlation_has_a_row_of_its_own() -> None:
    rows = figures(TWO, chances="own", rho=0.9)
    assert rows[0] == ("0.00", "500.00", "1000.00", "600.00")
    # won or lost together: both are won more often than in one of ten cases
    assert rows[1][:3] == ("0.00", "0.00", "1500.00") or rows[1][2] == "1500.00"
    assert float(rows[1][3]) == pytest.approx(600, abs=12)


def test_a_mean_is_rounded_half_to_even() -> None:
    assert figures(deals(("1", "0.05", "0.5", "EUR")), chances="own")[0][3] == "0.02"


def test_what_is_won_to_date_is_in_all_figures() -> None:
    found = simulate(past_of(as_of=END), "2026-04-01", chances="own")
    [row] = found.to_dicts()
    # A is won; C, D, F and G are open, and E has no amount
    assert (row["n"], row["won"], row["p10"]) == (4, Decimal("1200.00"), Decimal("1200.00"))
    assert row["mean"] == Decimal("1200.00") + Decimal("870.05")
    assert (found.basis.since, found.basis.until) == (
        pl.date(2026, 1, 1).pipe(lambda day: pl.select(day).item()),
        pl.date(2026, 4, 1).pipe(lambda day: pl.select(day).item()),
    )
    assert found.basis.warnings == (
        "open deals expected only after until, which count with their full chance: 1",
        "open deals without an amount, left out: 1",
    )
    [later] = simulate(
        past_of(as_of=END), "2026-04-01", since="2026-02-11", chances="own"
    ).to_dicts()
    assert later["won"] == 0


def test_a_deal_without_a_usable_chance_is_left_out_and_counted() -> None:
    found = simulate(
        past_of(
            deals(("1", "10.00", "1.5", "EUR"), ("2", "20.00", "1", "EUR")), as_of="2026-01-31"
        ),
        "2026-04-01",
        chances="own",
    )
    assert found.to_dicts()[0]["p10"] == Decimal("20.00")
    assert "open deals with an amount but no chance, left out: 1" in found.basis.warnings


def test_currencies_have_rows_of_their_own() -> None:
    both = deals(("1", "10.00", "1", "USD"), ("2", "20.00", "1", "EUR"), ("3", "7.00", "1", ""))
    found = simulate(past_of(both, as_of="2026-01-31"), "2026-04-01", chances="own")
    assert found.frame.select("currency", "p50").rows() == [
        ("EUR", Decimal("20.00")),
        ("USD", Decimal("10.00")),
        ("(none)", Decimal("7.00")),
    ]


def test_one_seed_gives_the_same_figures_and_another_others() -> None:
    past = past_of(histories(300, 1, truth=SLOW).facts, as_of="2024-11-05")
    first, second, other = (
        simulate(past, "2025-02-01", n=5_000, seed=seed).to_dicts() for seed in (3, 3, 4)
    )
    assert first == second
    assert first != other
    assert 0 < first[0]["error"] < first[0]["mean"] / 10


def test_no_time_left_wins_nothing_more() -> None:
    [row] = simulate(past_of(as_of="2026-03-31"), "2026-04-01", n=1_000).to_dicts()
    assert row["p10"] == row["p90"] == row["won"] == Decimal("1500.25")


def test_wrong_options_are_refused() -> None:
    for options, text in (
        ({"rho": 1.0}, "rho"),
        ({"n": 5}, "n is"),
        ({"seed": -1}, "seed"),
        ({"chances": "guess"}, "chances"),
    ):
        with pytest.raises(QueryError, match=text):
            simulate(past_of(as_of=END), "2026-04-01", **options)
    for day in ("2026-02-01", END):
        with pytest.raises(QueryError, match=f"until={day} is not after as_of, {END}:"):
            simulate(past_of(as_of=END), day)
    with pytest.raises(QueryError, match="until"):
        simulate(past_of(as_of=END), None)


def test_groups_have_rows_and_deals_add_up_to_the_mean() -> None:
    options: dict[str, Any] = {"until": "2026-04-01", "chances": "own"}
    found = simulate(past_of(as_of="2026-02-28", by="owner"), **options)
    # A is won; C 2000.00 x 0.30, D 800.50 x 0.10, G 400.00 x 0.30, F 700.00 x 0.10
    assert found.frame.select("owner", "n", "won", "mean").rows() == [
        ("Ann", 0, Decimal("1200.00"), Decimal("1200.00")),
        ("Bob", 3, Decimal("0.00"), Decimal("800.05")),
        ("(none)", 1, Decimal("0.00"), Decimal("70.00")),
    ]
    lines = simulate(past_of(as_of="2026-02-28", deals=True), **options).frame
    assert lines.columns[:3] == ["figure", "id", "value"]
    assert sum(lines["value"]) == Decimal("2070.05")
    assert simulate(past_of(as_of="2026-02-28"), **options)["mean"] == Decimal("2070.05")
    learned = simulate(past_of(as_of="2026-02-28", deals=True), "2026-04-01", n=1_000).frame
    assert learned.filter(figure="won")["id"].to_list() == ["A"]


@pytest.mark.parametrize("seeds", [8, pytest.param(1_000, marks=pytest.mark.slow)])
def test_what_was_won_lies_below_the_percentiles_as_often_as_they_say(seeds: int) -> None:
    below = [each.below for each in quarters(SLOW, 230, range(seeds))]
    for place, share in enumerate((0.1, 0.5, 0.9)):
        found = sum(each[place] for each in below) / seeds
        # 1.6 points are one standard error of a median of a thousand
        assert found == pytest.approx(share, abs=0.02 if seeds == 1_000 else slack(seeds, share))


def test_what_is_not_known_for_certain_widens_the_range_and_leaves_the_mean() -> None:
    means = {True: Decimal(0), False: Decimal(0)}
    widths = {True: Decimal(0), False: Decimal(0)}
    for seed in range(5):
        past = past_of(histories(230, seed, truth=SLOW).facts, as_of="2024-11-05")
        for posterior in (True, False):
            [row] = simulate(past, "2025-02-04", n=20_000, posterior=posterior).to_dicts()
            means[posterior] += row["mean"]
            widths[posterior] += row["p90"] - row["p10"]
    assert widths[True] > widths[False]
    # shares are curved in the rates: drawn rates once told 1 % too little
    assert float(means[True] / means[False]) == pytest.approx(1, abs=0.005)
