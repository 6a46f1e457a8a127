"""Changes of one moment in the order that their values give."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dealdb.loader.history.sequence.order import chain


@given(st.lists(st.sampled_from("abcd"), min_size=2, max_size=12), st.randoms())
def test_a_walk_in_any_order_is_put_together_again(walk: list[str], mixing: object) -> None:
    steps = list(itertools.pairwise(walk))
    mixing.shuffle(steps)  # type: ignore[attr-defined]
    found = chain(steps, (walk[0],))
    assert found is not None
    assert sorted(found) == list(range(len(steps)))
    joined = [steps[place] for place in found]
    assert all(one[1] == other[0] for one, other in itertools.pairwise(joined))
    # it ends where it ended, whatever the way between
    assert joined[-1][1] == walk[-1]


def test_what_is_no_walk() -> None:
    assert chain([("a", "b"), ("c", "d")]) is None
    assert chain([("a", "b"), ("a", "c")]) is None
    # two rounds that never meet
    assert chain([("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]) is None
    assert chain([(None, "a"), ("a", None)], ("a",)) == [1, 0]
