"""``LastUsed``: what searches have made of an index, or of what is apart from it, for those that come after."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


T = TypeVar("T", bound=_Sized)


class LastUsed(Generic[T]):
    """
    The things that were asked for last.

    Parameters
    ----------
    most
        How many are kept.

    Examples
    --------
    >>> import numpy as np
    >>> kept = LastUsed(2)
    >>> kept.get("rows", lambda: np.zeros(3)) is kept.get("rows", lambda: np.ones(3))
    True
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, T] = OrderedDict()

    def get(self, key: object, make: Callable[[], T]) -> T:
        """One of them by its name, made where it is not kept; not to be changed."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        with self._lock:
            return sum(each.nbytes for each in self._kept.values())
