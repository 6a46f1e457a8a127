"""
Fuzzing: what random and twisted input does, for as long as there is time.

``make fuzz`` runs every module of this folder that has ``MEMORY_MB`` and a function ``fuzz(url, folder, ends_at, seed,
tell)``: it has a database of a server and a folder for itself, and tells what it is about to try, and a ``Found`` for
what must not come of it. Each runs in a process of its own whose memory is watched; the number that is printed, given
as ``--seed``, repeats a try.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias


class Found(str):
    """What must not have happened, with the place in the code."""

    __slots__ = ()


Tell: TypeAlias = Callable[[str], None]
