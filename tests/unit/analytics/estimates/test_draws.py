"""Random numbers are the same everywhere for one seed, and follow their distributions."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from dealdb.analytics.estimates.draws import Draws, limits_of, normal_point, normal_share

UNIFORM = [0.6250954666046671, 0.8972138009695756, 0.7756856902451936]
BELOW = [625, 897, 775, 225, 300]
GAMMAS = [[0.414695225, 16.696927483]]
HITS = [False, False, False, False, False, False, False, True]


def test_the_numbers_of_a_seed_are_fixed() -> None:
    # written down once; another machine, or another NumPy, has to give the same
    assert Draws(7).uniform(3).tolist() == pytest.approx(UNIFORM, abs=0)
    assert Draws(7).below(1000, 5).tolist() == BELOW
    assert Draws(7).gammas(np.array([0.5, 20.0]), 1).round(9).tolist() == GAMMAS
    assert Draws(7).hits(limits_of(np.full(8, 0.5))).tolist() == HITS


def test_a_chance_of_0_never_hits_and_one_of_1_always() -> None:
    hits = Draws(1).hits(limits_of(np.tile([0.0, 1.0], (10_000, 1))))
    assert hits.sum(axis=0).tolist() == [0, 10_000]


def test_hits_are_as_many_as_the_chances_say_and_independent() -> None:
    # an odd number, of which the last has half of a number to itself
    chances = np.tile([0.02, 0.3, 0.9], (100_001, 1))
    hits = Draws(1).hits(limits_of(chances))
    assert hits.mean(axis=0).tolist() == pytest.approx([0.02, 0.3, 0.9], abs=0.008)
    both = (hits[:, 0] & hits[:, 1]).mean()
    assert both == pytest.approx(0.02 * 0.3, abs=0.0013)


def test_means_are_those_of_the_distributions() -> None:
    draws = Draws(3)
    # five standard errors
    assert draws.uniform(100_000).mean() == pytest.approx(0.5, abs=0.0046)
    assert draws.exponentials(100_000).mean() == pytest.approx(1.0, abs=0.016)
    normals = draws.normals(100_000)
    assert normals.mean() == pytest.approx(0.0, abs=0.016)
    assert normals.std() == pytest.approx(1.0, abs=0.012)
    gammas = draws.gammas(np.array([0.0, 2.5]), 100_000)
    assert gammas.mean(axis=0).tolist() == pytest.approx([0.0, 2.5], abs=0.025)


def test_the_normal_table() -> None:
    normal = NormalDist()
    points = [-8.5, -6.0, -1.23456, 0.0, 0.1, 2.5, 7.9, 9.0]
    shares = normal_share(np.array(points)).tolist()
    assert shares == pytest.approx([normal.cdf(point) for point in points], abs=1e-8)
    asked = [1e-6, 0.01, 0.3, 0.5, 0.9, 0.999]
    found = normal_point(np.array(asked)).tolist()
    assert found == pytest.approx([normal.inv_cdf(share) for share in asked], abs=1e-5)
