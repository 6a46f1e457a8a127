"""The bootstrap by clusters: one deal looked at many times counts once."""

from __future__ import annotations

from random import Random

import polars as pl
import pytest

from dealdb.analytics.estimates.bootstrap import cluster_interval


def test_one_cluster_has_no_interval() -> None:
    assert cluster_interval(pl.DataFrame({"cluster": [1, 1], "value": [0.0, 1.0]})) == (None, None)


def test_the_same_seed_gives_the_same_interval() -> None:
    rows = pl.DataFrame({"cluster": range(20), "value": [float(n % 3) for n in range(20)]})
    assert cluster_interval(rows, seed=4) == cluster_interval(rows, seed=4)
    assert cluster_interval(rows, seed=4) != cluster_interval(rows, seed=5)


def test_rows_that_only_repeat_a_cluster_tell_nothing_new() -> None:
    rows = pl.DataFrame({"cluster": range(30), "value": [float(n % 2) for n in range(30)]})
    many = pl.concat([rows] * 25)
    assert cluster_interval(many) == cluster_interval(rows)


def test_it_holds_the_mean_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(200):
        random = Random(seed)
        means = [random.random() for _ in range(40)]
        values = [
            (n, mean + random.random() - 0.5) for n, mean in enumerate(means) for _ in range(3)
        ]
        rows = pl.DataFrame(values, schema=["cluster", "value"], orient="row")
        lo, hi = cluster_interval(rows, seed=seed, times=200)
        assert lo is not None
        assert hi is not None
        held += lo <= 0.5 <= hi
    # 95 % but for a chance of one in a million, and a little less, as there are only 40 clusters
    assert held >= 166


def test_of_many_clusters_the_interval_is_that_of_their_mean() -> None:
    random = Random(3)
    # neighbours are alike, as deals of the same time are
    values = [(n, n / 10_000 + random.random()) for n in range(10_000) for _ in range(1 + n % 3)]
    rows = pl.DataFrame(values, schema=["cluster", "value"], orient="row")
    lo, hi = cluster_interval(rows)
    assert lo is not None
    assert hi is not None
    mean = rows["value"].sum() / rows.height
    clusters = rows.group_by("cluster").agg(off=(pl.col("value") - mean).sum())
    error = float((clusters["off"] ** 2).sum()) ** 0.5 / rows.height
    assert [lo, hi] == pytest.approx([mean - 1.96 * error, mean + 1.96 * error], abs=error / 3)
