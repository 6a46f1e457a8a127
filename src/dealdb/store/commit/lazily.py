"""Things that are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Generic, TypeVar, overload

_Made = TypeVar("_Made")


class Lazily(Sequence[_Made], Generic[_Made]):
    """
    A sequence whose items are made when they are first asked for, and kept.

    Parameters
    ----------
    makers
        One for each item.

    Examples
    --------
    >>> made = Lazily([lambda: "a", lambda: 1 / 0])
    >>> made[0], len(made[1:])
    ('a', 1)
    """

    def __init__(self, makers: Sequence[Callable[[], _Made]]) -> None:
        self._makers = [cache(maker) for maker in makers]

    def __len__(self) -> int:
        return len(self._makers)

    @overload
    def __getitem__(self, place: int) -> _Made: ...
    @overload
    def __getitem__(self, place: slice) -> Lazily[_Made]: ...
    def __getitem__(self, place: int | slice) -> _Made | Lazily[_Made]:
        if isinstance(place, int):
            return self._makers[place]()
        part: Lazily[_Made] = Lazily(())
        # the very makers: what they have made is made
        part._makers = self._makers[place]
        return part
