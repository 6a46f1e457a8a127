"""Two orders of the same rows: of a frame, and one in which new rows are behind all others."""

from __future__ import annotations

from random import Random

import numpy as np
import polars as pl
from hypothesis import given

from dealdb.query.index.rows.row_orders import RowOrders
from search_cases import seeds


@given(seeds)
def test_each_row_has_one_place(seed: int) -> None:
    draw = Random(seed)
    before = [draw.choice([0, 0, 1, 3]) for _ in range(draw.randint(1, 5))]
    now = [n + draw.choice([0, 0, 1, 2]) for n in before]
    texts = [
        [f"{part}, {row} of {'before' if row < had else 'later'}" for row in range(has)]
        for part, (had, has) in enumerate(zip(before, now, strict=True))
    ]
    given = [text for part in texts for text in part]
    if not given:
        return
    orders = RowOrders(before, now)
    laid_out = orders.relaid(pl.Series(given)).to_list()
    of_before = [text for part, had in zip(texts, before, strict=True) for text in part[:had]]
    assert laid_out[: sum(before)] == of_before
    assert sorted(laid_out) == sorted(given)
    rows = orders.in_frame(np.arange(len(given)))
    assert [given[row] for row in rows] == laid_out
    assert orders.of_frame(rows).tolist() == [*range(len(given))]
    assert orders.are_same == (laid_out == given)
