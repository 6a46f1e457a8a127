"""
Lists beside the rows of an answer that say what the ids in the rows stand for.

Freshsales answers with ``deals``, in which ``deal_stage_id`` is 5, and with ``deal_stages``, one of which has the id 5
and the name Demo.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dealdb.loader.objects.answers import WRAPPERS
from dealdb.loader.objects.nested import bare
from dealdb.model.stage_words import meaning_of

# people, whatever they are to a deal
_PEOPLE = (
    "owner",
    "assignee",
    "user",
    "dealowner",
    "assigneduser",
    "responsibleuser",
    "creater",
    "creator",
    "updater",
)
_LISTS_OF_PEOPLE = ("users", "owners", "members")
_ENDING = "_id"
# what a stage of Freshsales says of deals in it, in the words of a flag beside the stage
_FORECAST = "forecast_type"
_FLAG = "stage_type"
_FLAGS = {"won": "won", "lost": "lost", "open": "active"}


class SideLists:
    """What the ids of an answer stand for, by the name of the list and by the id."""

    def __init__(self) -> None:
        self._lists: dict[str, dict[str, Mapping[str, object]]] = {}

    def __bool__(self) -> bool:
        return bool(self._lists)

    def add(self, members: Mapping[str, object]) -> None:
        """
        Take in what stands beside the rows.

        Lists of several pages are put together.
        """
        for name, value in members.items():
            # what may be the rows themselves says nothing of them
            if not isinstance(value, list) or not value or name in WRAPPERS:
                continue
            if all(isinstance(item, dict) and item.get("id") is not None for item in value):
                found = {str(item["id"]): item for item in value}
                self._lists.setdefault(bare(name), {}).update(found)

    def explained(self, row: object) -> object:
        """
        A row with what its ids stand for beside them.

        Examples
        --------
        >>> lists = SideLists()
        >>> lists.add({"users": [{"id": 7, "name": "Ann"}]})
        >>> lists.explained({"id": 1, "owner_id": 7})
        {'id': 1, 'owner_id': 7, 'owner': {'id': 7, 'name': 'Ann'}}
        """
        if not isinstance(row, dict):
            return row
        found: dict[str, object] = {}
        for name, value in row.items():
            if not isinstance(name, str) or not name.endswith(_ENDING) or value is None:
                continue
            stem = name.removesuffix(_ENDING)
            lists = list(self._of(stem))
            if not lists or stem in row:
                continue
            meant = next((each[str(value)] for each in lists if str(value) in each), None)
            # an id that no list has is better than nothing
            found[stem] = value if meant is None else meant
            said = None if meant is None else meant.get(_FORECAST)
            if _FLAG not in row and isinstance(said, str):
                found[_FLAG] = _FLAGS[meaning_of(said)]
        return {**row, **found} if found else row

    def _of(self, stem: str) -> Iterator[Mapping[str, Mapping[str, object]]]:
        """Lists that the ids of a column may be in."""
        one = bare(stem)
        names = [f"{one}s", f"{one.removesuffix('y')}ies", one]
        if one in _PEOPLE:
            names += _LISTS_OF_PEOPLE
        return (self._lists[name] for name in names if name in self._lists)
