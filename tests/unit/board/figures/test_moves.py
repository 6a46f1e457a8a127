"""What became of deals between two states: the amounts that the waterfall has."""

from __future__ import annotations

import polars as pl

from dealdb.board.figures.moves import moves_between
from dealdb.model.pipeline import Pipeline


def test_an_amount_that_is_entered_or_cleared_is_a_change_of_the_pipeline() -> None:
    then = pl.DataFrame(
        {
            "id": ["1", "2", "3", "4"],
            "stage": "Demo",
            "amount": [None, 7, 5, None],
            "currency": "EUR",
        }
    )
    now = then.with_columns(
        amount=pl.Series([9, None, 5, 3]), currency=pl.Series(["EUR", "EUR", "EUR", "USD"])
    )
    found = {
        each.kind.name: (
            each.deals["id"].to_list(),
            {key: int(total) for key, total in each.sums.items()},
        )
        for each in moves_between(then, now, Pipeline().covering(["Demo"]))
    }
    # what got another currency is neither more nor less
    assert found == {"raised": (["1"], {"EUR": 9}), "lowered": (["2"], {"EUR": -7})}


def test_equals_are_in_the_same_order_whatever_that_of_the_deals_is() -> None:
    now = pl.DataFrame(
        {
            "id": [*"badc"],
            "stage": "Demo",
            "amount": [5, -5, 5, 5],
            "currency": ["USD", "EUR", "EUR", "USD"],
        }
    )
    for own in (now, now.reverse()):
        (moves,) = moves_between(now.clear(), own, Pipeline().covering(["Demo"]))
        assert moves.deals["id"].to_list() == [*"abcd"]
        assert [*moves.sums] == ["EUR", "USD"]
