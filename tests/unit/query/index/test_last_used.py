"""What was used last is kept, and no more than there is room for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dealdb.query.index.last_used import LastUsed


def test_what_was_used_longest_ago_makes_room() -> None:
    kept: LastUsed[NDArray[np.uint64]] = LastUsed(3)
    made = []

    def get(name: int) -> None:
        def make() -> NDArray[np.uint64]:
            made.append(name)
            return np.zeros(1, np.uint64)

        kept.get(name, make)

    for name in (0, 1, 2, 0, -1, 0, 1):
        get(name)
    assert made == [0, 1, 2, -1, 1]
    assert kept.nbytes == 8 * 3
