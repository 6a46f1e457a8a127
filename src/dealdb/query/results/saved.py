"""Queries by name, kept with the deals, so that everyone who works with them has the same."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dealdb.errors import QueryError, StoreDamaged
from dealdb.model.names import unknown
from dealdb.query.deal_source import DealSource, QueryTexts
from dealdb.query.filters.where import check_text
from dealdb.query.results.rows import projected
from dealdb.query.results.sorting import Sort, parse_sort

VERSION = 1
_NAME = re.compile(r"\w[\w .-]{0,62}")


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
        except (ValueError, TypeError, LookupError, RecursionError):
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


class SavedQueries:
    """
    The queries saved with a collection: checked before they are kept, and read back.

    Every method raises ``QueryError`` where the source keeps no queries.

    Parameters
    ----------
    source
        Whose queries, and whose columns they have to fit.
    """

    def __init__(self, source: DealSource) -> None:
        self._source = source

    def save(
        self, name: str, where: str | None, *, sort: Sort, columns: Sequence[str] | None
    ) -> None:
        """Keep a query that the present columns allow; see ``QueryEngine.save``."""
        texts, name = self._texts(), checked_name(name)
        if not isinstance(where, str | None):
            msg = f"a query is saved as SQL text, not as a {type(where).__name__}"
            raise QueryError(msg)
        frame = self._source.snapshot().rows
        keys = parse_sort(sort, frame.columns)
        shown = None if columns is None else tuple(projected(frame, columns).columns)
        if where is not None:
            check_text(where, frame.schema)
        order = tuple(key.text for key in keys)
        texts.save_query(name, SavedQuery(where=where, sort=order, columns=shown).to_json())

    def all(self) -> dict[str, SavedQuery]:
        """All queries by name, in the order of their names; see ``QueryEngine.saved``."""
        kept = self._queries()
        return {name: SavedQuery.from_json(name, kept[name]) for name in sorted(kept)}

    def named(self, name: str) -> SavedQuery:
        """
        Query of a name.

        Raises
        ------
        QueryError
            If there is no such query; names the nearest.
        StoreDamaged
            If what is kept isn't one.
        """
        kept = self._queries()
        if name in kept:
            return SavedQuery.from_json(name, kept[name])
        if not kept:
            msg = f"no saved query {str(name)[:80]!r}; none is saved"
            raise QueryError(msg)
        raise QueryError(unknown("saved query", str(name), sorted(kept), plural="saved queries"))

    def forget(self, name: str) -> bool:
        """Remove a query; whether there was one."""
        return self._texts().forget_query(name) if ":" not in name else False

    def _queries(self) -> dict[str, str]:
        """Those of the texts that are queries: the loader keeps its mappings there too, with a colon in their names."""
        return {k: text for k, text in self._texts().saved_queries().items() if ":" not in k}

    def _texts(self) -> QueryTexts:
        texts = self._source.query_texts()
        if texts is None:
            msg = "saved queries are kept with the live deals: ask db.query"
            raise QueryError(msg)
        return texts
