"""``Kept``: what was made of the deals as of a commit, for as long as it is the last one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar, cast
from weakref import ref

_Made = TypeVar("_Made")
# things that are kept; what was not asked for longest goes first
MOST_KEPT = 32


class Kept:
    """
    What several requests ask for between two commits, made once.

    It does not keep the deals themselves: they go with the next commit, and what was made of them with these.

    Examples
    --------
    >>> class Deals: ...
    >>> kept, deals = Kept(), Deals()
    >>> kept.made(deals, "n", lambda: 1), kept.made(deals, "n", lambda: 2)
    (1, 1)
    >>> deals = Deals()
    >>> kept.made(deals, "n", lambda: 3)
    3
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: OrderedDict[Hashable, tuple[ref[object], object]] = OrderedDict()

    def made(self, deals: object, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """
        What was made of some deals, or is made now.

        Parameters
        ----------
        deals
            What it is made of: the very object, as another one may be of another commit.
        key
            All else that it depends on.
        make
            Makes it.
        """
        with self._lock:
            known = self._found.get(key)
            if known is not None and known[0]() is deals:
                self._found.move_to_end(key)
                return cast("_Made", known[1])
        made = make()
        with self._lock:
            self._found[key] = ref(deals), made
            self._found.move_to_end(key)
            while len(self._found) > MOST_KEPT:
                self._found.popitem(last=False)
        return made
