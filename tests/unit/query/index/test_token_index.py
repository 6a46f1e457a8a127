"""An index is made for those who search, and not made to its end for nobody."""

from __future__ import annotations

from functools import partial
from itertools import count

import polars as pl
import pytest

from dealdb.query.index.token_index import GivenUp, token_index

FRAME = pl.DataFrame({"id": ["D1", "D2"], "name": ["acme", "pilot"]})


def test_it_is_given_up_wherever_nobody_needs_it_any_more() -> None:
    asked = count()
    token_index(FRAME, ["id", "name"], lambda: next(asked) >= 0)
    n_asked = next(asked)
    assert n_asked > 1
    for last in range(n_asked):
        answers = iter([True] * last + [False])
        with pytest.raises(GivenUp):
            token_index(FRAME, ["id", "name"], partial(next, answers))
