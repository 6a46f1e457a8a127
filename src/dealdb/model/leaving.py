"""A field that is about to go in all partitions of a collection, or to be another one there."""

from __future__ import annotations

from typing import NamedTuple, Self


class Leaving(NamedTuple):
    """
    What is under way with a field: no partition that has lost it gets it again before it has left all of them.

    Attributes
    ----------
    name
        Of the field.
    since
        Version of the schema that said so first, which no other one has.
    into
        Field that its values go to; None where they go nowhere.
    type
        Type that it gets, as people write it, where it stays; else None.
    clears
        Whether values that don't fit that type are cleared.

    Examples
    --------
    >>> Leaving("seats", 7, into="licences").what, Leaving("seats", 7, type="int").what
    ("being renamed to 'licences'", 'getting the type int')
    """

    name: str
    since: int
    into: str | None = None
    type: str | None = None
    clears: bool = False

    @property
    def what(self) -> str:
        """What happens to it, as the end of a sentence about it."""
        if self.type is not None:
            return f"getting the type {self.type}"
        return "being dropped" if self.into is None else f"being renamed to {self.into!r}"

    @classmethod
    def from_json(cls, found: object) -> Self:
        """From what JSON makes of it; ValueError for anything else."""
        name, since, into, kind, clears = found if isinstance(found, list) else [None] * 5
        texts = all(type(text) in (str, type(None)) for text in (into, kind))
        if type(name) is not str or type(since) is not int or not texts or type(clears) is not bool:
            msg = "not a field that leaves"
            raise ValueError(msg)
        return cls(name, since, into, kind, clears)

    def is_as(self, other: Leaving) -> bool:
        """Whether both come to the same."""
        return self._replace(since=0) == other._replace(since=0)
