"""What facts have to say, worked out change by change from the history of each deal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

import polars as pl

from dealdb.model.columns import decode_column
from dealdb.store.facts.facts import Facts

# life (id and first commit) and field, then moment, commit and text
Told = dict[tuple[str, int], dict[str, list[tuple[int, int, str | None]]]]


def moments_of(times: Mapping[int, int]) -> dict[int, int]:
    """From when on each commit counts, by the times of all commits: no later than any that came after it."""
    found: dict[int, int] = {}
    least = max(times.values(), default=0)
    for seq in sorted(times, reverse=True):
        least = found[seq] = min(least, times[seq])
    return found


def told_by(
    changes: pl.DataFrame, times: Mapping[int, int]
) -> tuple[Told, dict[tuple[str, int], int | None]]:
    """Facts and ends of all lives, from the rows of ``changes_of``."""
    moments = moments_of(times)
    told: Told = {}
    ends: dict[tuple[str, int], int | None] = {}
    current: dict[str, tuple[str, int]] = {}
    for seq, deal, change, field, after in changes.select(
        "seq", "id", "change", "field", "after"
    ).iter_rows():
        at = moments[seq]
        if change == "deleted":
            ends[current.pop(deal)] = at
            continue
        if change == "inserted" and current.get(deal, ("", 0))[1] != seq:
            if deal in current:
                ends[current[deal]] = at
            current[deal] = (deal, seq)
            told[deal, seq], ends[deal, seq] = defaultdict(list), None
        if field is not None:
            told[current[deal]][field].append((at, seq, after))
    return told, ends


def assert_told(facts: Facts, changes: pl.DataFrame, times: Mapping[int, int]) -> None:
    """Compare facts with the history, field by field; the stamps that commits set have no rows there."""
    told, ends = told_by(changes, times)
    moments = moments_of(times)
    order = sorted(told, key=lambda life: (moments[life[1]], life))
    assert facts.lives.select("id", "begin", "end").rows() == [
        (deal, moments[seq], ends[deal, seq]) for deal, seq in order
    ]
    for field in facts.schema.fields:
        if field.name in ("id", "updated"):
            continue
        expected = []
        for number, life in enumerate(order):
            rows = told[life].get(field.name, [])
            last = [a for a, b in pairwise(rows) if a[0] != b[0]] + rows[-1:]
            texts = pl.Series([text for *_, text in last], dtype=pl.String)
            values = decode_column(texts, field).to_list()
            before = None
            for (at, seq, _), value in zip(last, values, strict=True):
                if value != before:
                    expected.append((number, at, seq, value))
                before = value
        assert facts.of(field.name).rows() == expected, field.name
