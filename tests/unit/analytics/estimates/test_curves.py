"""Kaplan-Meier and Aalen-Johansen against brute force in fractions, and against another library where it is there."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from random import Random

import polars as pl
import pytest

from dealdb.analytics.estimates.curves import first_at_most, incidence, kaplan_meier

# of the stage Lead in the example history
LEAD = pl.DataFrame({"time": [7, 14, 15, 36, 39, 39, 45], "cause": [1, 1, 1, 0, 1, 1, 1]})


def made(seed: int, *, truncated: bool) -> list[tuple[int, int, int]]:
    random = Random(seed)
    rows = []
    for _ in range(random.randrange(1, 80)):
        entry = random.randrange(20) if truncated else 0
        rows.append((entry + random.randrange(1, 30), random.randrange(3), entry))
    return rows


def frame(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    types = {"time": pl.Int64, "cause": pl.UInt8, "entry": pl.Int64}
    return pl.DataFrame(rows, schema=types, orient="row")


def brute(rows: list[tuple[int, int, int]]) -> list[tuple[int, int, Fraction, Fraction]]:
    """Time, at risk, survival and incidence of cause 1, by their definitions."""
    s = found = Fraction(1)
    f = Fraction(0)
    steps = []
    for t in sorted({time for time, _, _ in rows}):
        at_risk = sum((entry < t or entry == 0) and t <= time for time, _, entry in rows)
        ended = sum(time == t and cause > 0 for time, cause, _ in rows)
        own = sum(time == t and cause == 1 for time, cause, _ in rows)
        f += s * Fraction(own, at_risk)
        s = found = s * (1 - Fraction(ended, at_risk))
        steps.append((t, at_risk, found, f))
    return steps


@pytest.mark.parametrize("truncated", [False, True])
def test_curves_are_those_of_their_definitions(truncated: bool) -> None:
    for seed in range(40):
        rows = made(seed, truncated=truncated)
        survival, won = kaplan_meier(frame(rows)), incidence(frame(rows))
        wanted = brute(rows)
        assert survival["time"].to_list() == won["time"].to_list() == [t for t, *_ in wanted]
        assert survival["at_risk"].to_list() == [n for _, n, *_ in wanted]
        for name, place, column in (
            ("s", 2, survival),
            ("incidence", 3, won),
            ("undecided", 2, won),
        ):
            assert column[name].to_list() == pytest.approx(
                [float(step[place]) for step in wanted], abs=1e-12
            )


def test_the_example() -> None:
    curve = kaplan_meier(LEAD)
    assert curve["time"].to_list() == [7, 14, 15, 36, 39, 45]
    assert curve["at_risk"].to_list() == [7, 6, 5, 4, 3, 1]
    assert curve["events"].to_list() == [1, 1, 1, 0, 2, 1]
    assert curve["censored"].to_list() == [0, 0, 0, 1, 0, 0]
    assert curve["s"].to_list() == pytest.approx(
        [6 / 7, 5 / 7, 4 / 7, 4 / 7, 4 / 21, 0.0], abs=1e-12
    )
    assert first_at_most(curve) == 39


def test_the_interval_is_that_of_greenwood_on_the_log_log_scale() -> None:
    row = kaplan_meier(LEAD).row(1, named=True)
    variance = 1 / (7 * 6) + 1 / (6 * 5)
    s, z = 5 / 7, 1.959963984540054
    spread = z * math.sqrt(variance) / abs(math.log(s))
    assert (row["lo"], row["hi"]) == pytest.approx((s ** math.exp(spread), s ** math.exp(-spread)))


def test_ends_come_before_censorings_of_the_same_time() -> None:
    curve = kaplan_meier(pl.DataFrame({"time": [5, 5], "cause": [0, 1]}))
    assert curve.row(0, named=True)["at_risk"] == 2
    assert curve["s"].to_list() == [0.5]


def test_a_span_that_came_into_view_late_is_at_risk_from_then_on() -> None:
    rows = pl.DataFrame({"time": [4, 10, 12], "cause": [1, 1, 1], "entry": [None, 6, 6]})
    assert kaplan_meier(rows)["at_risk"].to_list() == [1, 2, 1]


def test_a_span_of_no_time_counts() -> None:
    assert kaplan_meier(pl.DataFrame({"time": [0, 3], "cause": [1, 1]}))["s"].to_list() == [
        0.5,
        0.0,
    ]


def test_nothing_has_no_curve_and_no_median() -> None:
    none = pl.DataFrame(schema={"time": pl.Int64, "cause": pl.UInt8})
    assert kaplan_meier(none).is_empty()
    assert incidence(none).is_empty()
    assert first_at_most(kaplan_meier(none)) is None


def test_one_minus_kaplan_meier_tells_too_many_wins() -> None:
    rows = frame(made(3, truncated=False))
    as_if = rows.with_columns(cause=pl.when(pl.col("cause") == 1).then(1).otherwise(0))
    assert 1 - kaplan_meier(as_if)["s"][-1] > incidence(rows)["incidence"][-1]


@pytest.mark.slow
def test_another_library_has_the_same_curves() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lifelines = pytest.importorskip("lifelines")
        rows = [row for seed in range(8) for row in made(seed, truncated=True)]
        spans = frame(rows)
        time, cause, entry = (spans[name].to_numpy() for name in ("time", "cause", "entry"))
        other = lifelines.KaplanMeierFitter().fit(time - entry, cause > 0)
        ours = kaplan_meier(spans.select("cause", time=pl.col("time") - pl.col("entry")))
        late = lifelines.KaplanMeierFitter().fit(time, cause > 0, entry=entry)
        ours_late = kaplan_meier(spans)
    theirs = other.survival_function_.iloc[1:, 0].tolist()
    assert ours["s"].to_list() == pytest.approx(theirs, abs=1e-12)
    inside = ours.filter(pl.col("lo").is_not_null()).height
    for place, name in enumerate(("lo", "hi")):
        bounds = other.confidence_interval_.iloc[1:, place].tolist()[:inside]
        assert ours[name].to_list()[:inside] == pytest.approx(bounds, abs=1e-12)
    at_times = late.survival_function_.iloc[:, 0].loc[ours_late["time"].to_list()].tolist()
    assert ours_late["s"].to_list() == pytest.approx(at_times, abs=1e-12)
