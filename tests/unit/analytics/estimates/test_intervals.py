"""Intervals of shares: golden figures, and what holds for all of them."""

from __future__ import annotations

import pytest

from dealdb.analytics.estimates.intervals import beta_mean, logit, wilson


@pytest.mark.parametrize(
    ("won", "n", "bounds"),
    [(2, 5, (0.117621, 0.769276)), (1, 2, (0.094531, 0.905469)), (1, 1, (0.206549, 1.0))],
)
def test_wilson(won: int, n: int, bounds: tuple[float, float]) -> None:
    assert wilson(won, n) == pytest.approx(bounds, abs=5e-7)


def test_no_deals_tell_nothing() -> None:
    assert wilson(0, 0) == (None, None)
    assert beta_mean(0, 0) == 0.5


def test_an_interval_holds_its_share_and_stays_between_0_and_1() -> None:
    for n in range(1, 60):
        for won in range(n + 1):
            lo, hi = wilson(won, n)
            assert lo is not None
            assert hi is not None
            assert 0 <= lo <= won / n <= hi <= 1


def test_log_odds_have_no_interval_at_their_ends() -> None:
    assert logit(0.0, 0.1) == logit(1.0, 0.1) == (None, None)
    lo, hi = logit(0.5, 0.01)
    assert lo == pytest.approx(1 - (hi or 0))
