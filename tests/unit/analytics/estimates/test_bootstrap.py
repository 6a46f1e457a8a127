"""The bootstrap by clusters: one deal looked at many times counts once."""

from __future__ import annotations

from random import Random

import polars as pl

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
