"""Where a chain without a memory ends, against its truth and against brute force."""

from __future__ import annotations

from fractions import Fraction

import pytest

from dealdb.analytics.estimates.absorbing import absorption


def test_without_smoothing_it_is_the_inverse_times_the_ends() -> None:
    # (I - Q)^-1 R by hand: from the second state 0.5 back to the first, which goes on with 0.5
    first, second = absorption([[0, 5, 5, 0], [5, 0, 0, 5]], smoothing=0.0)
    assert first[0] == pytest.approx([2 / 3, 1 / 3])
    assert second[0] == pytest.approx([1 / 3, 2 / 3])


def test_each_way_out_has_half_a_move_beside_its_own() -> None:
    [(chances, variance)] = absorption([[0, 2, 3]])
    share = Fraction(5, 2) / 6
    assert chances == pytest.approx([float(share), 1 - float(share)])
    # of a Dirichlet posterior with 6 in all
    assert variance == pytest.approx(float(share * (1 - share) / 7))


def test_a_chain_that_nobody_has_seen_has_even_chances() -> None:
    [(chances, _)] = absorption([[0, 0, 0]])
    assert chances == [0.5, 0.5]
