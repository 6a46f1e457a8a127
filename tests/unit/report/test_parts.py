"""Figures of each currency beside those of before, also of days on which nothing happened."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dealdb.report.evidence import Evidence
from dealdb.report.parts import cells_of, compared


def won(sums: Mapping[str | None, int]) -> Evidence:
    """Won deals by currency, as metrics have them: of one currency, or of none, there is no column of it."""
    only = next(iter(sums)) if len(sums) == 1 else None
    frame = pl.DataFrame({"currency": list(sums), "won": list(sums.values())})
    return Evidence(
        name="win_rate",
        command=(),
        frame=frame.drop("currency") if len(sums) == 1 else frame,
        currency=only,
    )


def pairs(now: Mapping[str | None, int], before: Mapping[str | None, int]) -> list[tuple[str, ...]]:
    """Texts of the figures that stand side by side."""
    found = compared(*(cells_of(won(sums), "won") for sums in (now, before)))
    return [
        tuple(f"{each.value} {each.currency}" if each else "" for each in (pair.now, pair.before))
        for pair in found
    ]


def test_nothing_is_nothing_in_each_currency() -> None:
    assert pairs({None: 0}, {"EUR": 3}) == [("0 None", "3 EUR")]
    assert pairs({"EUR": 3, "USD": 1}, {None: 0}) == [("3 EUR", "0 None"), ("1 USD", "0 None")]
    assert pairs({None: 0}, {None: 0}) == [("0 None", "0 None")]


def test_what_names_no_currency_stands_beside_its_like() -> None:
    assert pairs({"EUR": 3, "(none)": 1}, {None: 2}) == [("3 EUR", ""), ("1 (none)", "2 None")]
    assert pairs({None: 2}, {"EUR": 3}) == [("2 None", ""), ("", "3 EUR")]
