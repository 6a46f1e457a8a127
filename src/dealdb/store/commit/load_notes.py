"""
How far loads have come: a note that goes with a commit and is kept in the same step.

So a note never says more or less than what happened, whatever process or server dies in whatever moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from dealdb.connection import Link
from dealdb.store.bounds.wall import Reading
from dealdb.store.commit.writers import Writers
from dealdb.store.deal import Written
from dealdb.store.keys import Keys


@dataclass(frozen=True, slots=True)
class Marked:
    """
    What was kept.

    Attributes
    ----------
    written
        What the commit did; for a delete, ``updated`` counts the deleted.
    note
        The text.
    """

    written: Written
    note: str


def first_note(writer: str, note: str) -> str:
    """What is kept of a load before its first commit, which is to be that of a writer; see ``take_over``."""
    return f"{writer} 0 0 0 0 0 {note}"


def take_over(link: Link, keys: Keys, writers: Writers, name: str) -> Marked | None:
    """
    Last note of a load, whose writer can't commit any more from then on; None if there is none.

    Cost
    ----
    One round trip, and three more where there is one.
    """
    place = f"the note on the load {name!r} in {keys.writers!r}"

    def last() -> str | None:
        found: bytes | None = link.call("HGET", keys.writers, keys.load(name), retry=True)
        with Reading(place):
            return None if found is None else found.decode()

    text = last()
    while text is not None:
        writer = text.partition(" ")[0]
        writers.retire(writer)
        # a commit that was on its way may have been quicker
        text = last()
        if text is not None and text.startswith(writer):
            with Reading(place):
                return _marked(text)
    return None


def _marked(text: str) -> Marked:
    _, _, *numbers, note = text.split(" ", 6)
    seq, inserted, updated, unchanged = map(int, numbers)
    return Marked(Written(seq=seq, inserted=inserted, updated=updated, unchanged=unchanged), note)
