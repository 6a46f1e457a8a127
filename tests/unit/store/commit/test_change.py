"""Changes that are made once, when they are asked for."""

from __future__ import annotations

from functools import partial

from dealdb.store.commit.change import Lazily


def test_each_is_made_once_by_whichever_part_asks_first() -> None:
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return number * 10

    items = Lazily([partial(make, number) for number in range(4)])
    part = items[1:]
    assert (len(items), len(part), made) == (4, 3, [])
    assert (part[0], made) == (10, [1])
    assert ([*items], made) == ([0, 10, 20, 30], [1, 0, 2, 3])
    assert ([*part], items[-1], made) == ([10, 20, 30], 30, [1, 0, 2, 3])
