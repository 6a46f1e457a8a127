"""Queries by name, kept with the deals, so that everyone who works with them has the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dealdb.errors import QueryError, StoreDamaged
from dealdb.query.messages import unknown

VERSION = 1
_NAME = re.compile(r"\w[\w .-]{0,62}")


class Shelf(Protocol):
    """Where saved queries are kept: texts by name."""

    def saved_queries(self) -> Mapping[str, str]:
        """All texts by name."""

    def save_query(self, name: str, text: str) -> None:
        """Keep a text, in place of one of the same name."""

    def forget_query(self, name: str) -> bool:
        """Remove a text; whether there was one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedQuery:
    """
    What a saved query asks for; the arguments of ``find`` by the same names.

    Examples
    --------
    >>> SavedQuery.from_json("hot", SavedQuery(where="amount > 5", sort=("-amount",)).to_json())
    SavedQuery(where='amount > 5', sort=('-amount',), columns=None)
    """

    where: str | None = None
    sort: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None

    def to_json(self) -> str:
        """Text to keep."""
        content = {"where": self.where, "sort": self.sort, "columns": self.columns}
        return json.dumps({"version": VERSION, **content}, ensure_ascii=False)

    @classmethod
    def from_json(cls, name: str, text: str) -> SavedQuery:
        """
        Query of a text that was kept.

        Raises
        ------
        StoreDamaged
            If another program wrote what isn't one, or a later version did.
        """
        try:
            content = json.loads(text)
            if content["version"] != VERSION:
                msg = f"the saved query {name!r} was written by another version of dealdb"
                raise StoreDamaged(msg)
            columns = content["columns"]
            return cls(
                where=content["where"],
                sort=tuple(content["sort"]),
                columns=None if columns is None else tuple(columns),
            )
        except (ValueError, TypeError, KeyError):
            msg = f"the saved query {name!r} can't be read; save it again"
            raise StoreDamaged(msg) from None


def checked_name(name: str) -> str:
    """
    Name that a query may have.

    Raises
    ------
    QueryError
        If it isn't 1 to 63 letters, digits, spaces, ``_ . -``, beginning with a letter, a digit or ``_``.

    Examples
    --------
    >>> checked_name("Hot deals 2026")
    'Hot deals 2026'
    """
    if isinstance(name, str) and _NAME.fullmatch(name):  # type: ignore[redundant-expr]  # callers may be untyped
        return name
    msg = f"a query's name is 1 to 63 letters, digits, spaces, _ . and -, not {str(name)[:80]!r}"
    raise QueryError(msg)


def named(name: str, queries: Mapping[str, str]) -> SavedQuery:
    """
    Saved query of a name.

    Raises
    ------
    QueryError
        If there is none; names the nearest.
    StoreDamaged
        If what is kept isn't one.

    Examples
    --------
    >>> named("hot", {"hot": SavedQuery(where="won").to_json()}).where
    'won'
    """
    if name not in queries:
        known: Sequence[str] = sorted(queries)
        if not known:
            msg = f"no saved query {str(name)[:80]!r}; none is saved"
            raise QueryError(msg)
        raise QueryError(unknown("saved query", str(name), known).replace("querys", "queries"))
    return SavedQuery.from_json(name, queries[name])
