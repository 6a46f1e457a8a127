"""The chain learned from visits: rates by age, and how they are drawn."""

from __future__ import annotations

from random import Random

import numpy as np
import polars as pl
import pytest

from dealdb.analytics.estimates.chain import Chain, spent
from dealdb.analytics.estimates.draws import Draws


def visits(*rows: tuple[int, float, int | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["stage", "days", "goal"], orient="row")


def test_a_rate_is_exits_over_time() -> None:
    chain = Chain.learned(visits((0, 2.0, 1), (0, 6.0, None), (0, 4.0, 1)), 1)
    [rates] = chain.rates()
    assert rates.sum() == pytest.approx(2 / 12)
    # half an exit to won and to lost beside those that were seen
    assert rates[0, 0].tolist() == pytest.approx([0.0, 2.5 / 3 * 2 / 12, 0.5 / 3 * 2 / 12])


def test_a_stage_that_nobody_has_left_is_left_by_half_a_deal() -> None:
    [rates] = Chain.learned(visits((0, 10.0, None)), 1).rates()
    assert rates.sum() == pytest.approx(0.05)


def test_a_stage_that_nobody_has_seen_is_never_left() -> None:
    first, second = Chain.learned(visits((0, 10.0, 1)), 2).rates()
    assert first.sum() > 0
    assert second.sum() == 0


def test_time_that_was_not_watched_does_not_count() -> None:
    seen = visits((0, 10.0, 1)).with_columns(entry=pl.lit(8.0))
    [rates] = Chain.learned(seen, 1).rates()
    assert rates.sum() == pytest.approx(0.5)


def test_rates_change_with_age_where_there_are_exits_to_tell_of_it() -> None:
    random = Random(1)
    # losses early, wins late
    rows = [(0, 5 + random.random(), 2) for _ in range(100)]
    rows += [(0, 40 + random.random(), 1) for _ in range(100)]
    [rates] = Chain.learned(visits(*rows), 1).rates()
    lost_first = rates[0, 0, 2] > rates[0, 0, 1]
    won_last = rates[0, -1, 1] > rates[0, -1, 2]
    assert lost_first
    assert won_last


def test_draws_scatter_around_the_means() -> None:
    chain = Chain.learned(visits(*[(0, 5.0, 1)] * 6, *[(0, 9.0, 2)] * 14, (0, 30.0, None)), 1)
    [means], [drawn] = chain.rates(), chain.rates(Draws(1), 20_000)
    assert drawn.shape == (20_000, *means.shape[1:])
    # as many deals last through the first bin as by the means, though the share is curved in the rate
    [width] = np.diff(chain.stages[0].edges)
    lasting = [np.exp(-each.sum(axis=2)[:, 0] * width).mean() for each in (drawn, means)]
    assert lasting[0] == pytest.approx(lasting[1], abs=5 * 0.12 / 20_000**0.5)
    share = (drawn[..., 1] / drawn.sum(axis=2)).mean(axis=0)
    assert share.tolist() == pytest.approx(
        (means[0, :, 1] / means[0].sum(axis=1)).tolist(), abs=0.02
    )


def test_time_in_the_last_bin_goes_on_beyond_its_edge() -> None:
    found = spent(np.array([0.0, 2.0]), np.array([0.0, 1.0, 2.0, 102.0]))
    assert found.tolist() == [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 100.0]]
