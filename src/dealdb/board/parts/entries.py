"""The history of a deal as people read it: one entry a commit, the newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.board.parts.cells import shown
from dealdb.model.values import decode

if TYPE_CHECKING:
    from dealdb.formats.locale import Locale
    from dealdb.model.schema import Field

# set by each change, and said by its time
_UNSAID = "updated"
_WORDS = {"inserted": "created", "updated": "changed", "deleted": "deleted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """
    What one commit did to a deal.

    Attributes
    ----------
    seq
        Number of the commit.
    when
        Its time, in UTC.
    day
        The same as the reader writes it.
    who
        Who changed the deal.
    change
        ``created``, ``changed``, ``deleted``, ...
    lines
        Field, what it was and what it became; None for no value.
    since
        Since when it was so, where that is not when it was recorded; and where that comes from.
    """

    seq: int
    when: datetime
    day: str
    who: str
    change: str
    lines: list[tuple[str, str | None, str | None]]
    since: str


def history_entries(
    history: pl.DataFrame, fields: Mapping[str, Field], locale: Locale, most: int
) -> tuple[list[HistoryEntry], int]:
    """
    The last entries of a history as ``deal_history`` gives it, the newest first, and how many there are before them.

    Examples
    --------
    >>> from datetime import UTC
    >>> import polars as pl
    >>> from dealdb.formats.locale import PLAIN
    >>> day = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    >>> row = {
    ...     "seq": 1,
    ...     "when": day,
    ...     "who": "ann",
    ...     "change": "inserted",
    ...     "field": "stage",
    ...     "at": day,
    ... }
    >>> rows = pl.DataFrame([row | {"before": None, "after": "Lead", "source": None}])
    >>> entries, earlier = history_entries(rows, {}, PLAIN, 9)
    >>> [(each.day, each.who, each.change, each.lines) for each in entries], earlier
    ([('2026-01-31 09:30 UTC', 'ann', 'created', [('stage', None, 'Lead')])], 0)
    """
    # a deal that a program changes each minute has thousands
    numbers = history.select(pl.struct("seq", "at").rle_id()).to_series()
    earlier = max(0, len(numbers) and numbers[-1] + 1 - most)
    rows = history.filter(numbers >= earlier).to_dicts()
    found = [
        _entry(list(group), fields, locale)
        for _, group in groupby(rows, key=lambda row: (row["seq"], row["at"]))
    ]
    return found[::-1], earlier


def _entry(rows: list[dict[str, Any]], fields: Mapping[str, Field], locale: Locale) -> HistoryEntry:
    first = rows[0]
    elsewhere = [f"so since {shown(first['at'], locale)}"] if first["at"] != first["when"] else []
    if first["source"]:
        elsewhere.append(f"from {first['source']}")
    return HistoryEntry(
        seq=first["seq"],
        when=first["when"],
        day=shown(first["when"], locale),
        who=first["who"] or "somebody",
        change=_WORDS.get(first["change"], first["change"]),
        lines=list(_lines(rows, fields, locale)),
        since=", ".join(elsewhere),
    )


def _lines(
    rows: list[dict[str, Any]], fields: Mapping[str, Field], locale: Locale
) -> Iterator[tuple[str, str | None, str | None]]:
    for row in rows:
        name = row["field"]
        if name is None or name == _UNSAID:
            continue
        before, after = (_said(row[side], fields.get(name), locale) for side in ("before", "after"))
        yield name, before, after


def _said(text: str | None, field: Field | None, locale: Locale) -> str | None:
    if text is None or field is None:
        return text
    # a field may have had another type then
    with suppress(ValueError):
        return shown(decode(text, field), locale)
    return text
