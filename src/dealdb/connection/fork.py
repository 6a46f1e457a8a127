"""A forked child inherits locks that nobody will ever open, and sockets that are its parent's."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Renewable(Protocol):
    """What a forked child has to make again before it may use it."""

    def renew(self) -> None:
        """Begin again in the child: new locks, nothing of the parent's in use."""


_RENEWED: weakref.WeakSet[Renewable] = weakref.WeakSet()


def renew_in_child(thing: Renewable) -> None:
    """Have ``thing.renew()`` called in every child that this process forks, for as long as it lives."""
    _RENEWED.add(thing)


def _renew_all() -> None:
    for thing in list(_RENEWED):
        thing.renew()


os.register_at_fork(after_in_child=_renew_all)
