"""The judge of a run on a cluster: what it takes for lost, for lost by design, and for doubled."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from faults.cluster.losses import TAIL_S, Loss, Outage, explained
from faults.cluster.run import _doubled, _losses, _shows_loss

FRAME = pl.DataFrame({"id": ["c0.0", "d1", "L0.0"], "owner": ["x", "x", "L0"]})


def saver(**found: Any) -> dict[str, Any]:
    return {"cells": {}, "made": {}, "deleted": {}, **found}


def test_what_is_missing_is_lost() -> None:
    savers = [
        saver(cells={"c0.0": [[(1, 10.0), (2, 11.0), (4, 12.0)], [3]]}),
        saver(made={"d1": 1.0, "d2": 2.0}, deleted={"d1": 3.0, "d3": 4.0}),
    ]
    found = list(_losses(FRAME, {"c0.0": [1, 3, 4]}, savers, {"L0": 2, "L1": -5}, 4))
    assert [loss.what for loss in found] == [
        "save 2 of c0.0",
        "deal d2",
        "delete of d1",
        "row L0.1",
    ]
    assert found[0].acked == 11.0


@pytest.mark.parametrize(
    ("numbers", "n_found"), [([1, 2, 4], 0), ([], 0), ([1, 2, 2], 1), ([2, 1, 3], 1)]
)
def test_a_number_that_comes_twice_or_late_is_doubled(numbers: list[int], n_found: int) -> None:
    assert len(_doubled({"c0.0": numbers})) == n_found


@pytest.mark.parametrize(
    ("seen", "kept", "is_loss"),
    [
        (9, [8, 9, 11], True),
        (None, [11], True),
        # it is there
        (9, [8, 9, 10], False),
        # nobody lost these
        (8, [8, 9, 11], False),
        (None, [8, 9], False),
        (11, [8, 9, 11], False),
    ],
)
def test_a_read_right_after_a_save_shows_the_one_before_only_where_it_is_lost(
    seen: int | None, kept: list[int], is_loss: bool
) -> None:
    assert _shows_loss(seen, 10, kept) == is_loss


@pytest.mark.parametrize(
    ("acked", "slot", "replaced", "is_explained"),
    [
        (100.0 - TAIL_S / 2, 7, True, True),
        (100.01, 7, True, True),
        # long before it, or when it was back
        (100.0 - 2 * TAIL_S, 7, True, False),
        (101.0, 7, True, False),
        # of another primary
        (100.0, 8, True, False),
        # it kept its place, and so all that it had
        (100.0, 7, False, False),
    ],
)
def test_only_the_tail_of_a_primary_that_was_replaced_is_lost_by_design(
    acked: float, slot: int, replaced: bool, is_explained: bool
) -> None:
    outage = Outage("killed", 100.0, {7}, replaced=replaced)
    assert bool(explained(Loss("save", acked, slot), [outage])) == is_explained
