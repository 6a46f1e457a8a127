"""Dates and times as programs write them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dealdb.errors import LoadError
from dealdb.loader.cells.dates import dates
from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


def test_milliseconds_since_1970_in_dates_alone(store: Recorder, tmp_path: Path) -> None:
    store.load_text(
        tmp_path,
        "id,created,updated,called\n1,1551398400000,1551398400123,1551398400000\n2,2026-01-31,,5\n",
    )
    assert store.deals["1"] == {
        "created": "2019-03-01", "updated": "2019-03-01T00:00:00.123Z", "called": "1551398400000",
    }  # fmt: skip
    assert store.deals["2"] == {"created": "2026-01-31", "called": "5"}


@pytest.mark.parametrize(
    ("cell", "order", "day"),
    [
        ("1/31/26", "us", "2026-01-31"), ("31.01.26", "us", "2026-01-31"), ("1/2/26", "eu", "2026-02-01"),
        ("1/2/26 10:30", "us", "2026-01-02"), ("31-Jan-26", "us", "2026-01-31"), ("1/1/70", "us", "1970-01-01"),
        ("1/1/69", "us", "2069-01-01"), ("31. Januar 2026", "us", "2026-01-31"), ("31-ene-26", "us", "2026-01-31"),
        ("31 de enero de 2026", "us", "2026-01-31"), ("1er février 2026", "us", "2026-02-01"),
        ("15 janv. 2026", "us", "2026-01-15"), ("15 gen 2026", "us", "2026-01-15"), ("15 mrt 2026", "us", "2026-03-15"),
        ("5 de março de 2026", "us", "2026-03-05"), ("1. März 2026", "us", "2026-03-01"),
        ("31 Dez 2026", "us", "2026-12-31"),
        ("Sept 5, 2026", "us", "2026-09-05"), ("January 5th, 2026", "us", "2026-01-05"),
        ("Montag, 5. Oktober 2026", "us", "2026-10-05"), ("15 Apr, 2021 00:02:00", "us", "2021-04-15"),
        ("5 marraskuuta 2026", "us", None), ("31 Marble 2026", "us", None), ("5 Decimal 2026", "us", None),
        ("5 Janus 2026", "us", None), ("1/31/126", "us", None), ("31-Jan-126", "us", None),
    ],
)  # fmt: skip
def test_short_years_and_months_of_seven_languages(cell: str, order: str, day: str | None) -> None:
    assert dates(pl.Series([cell, "2026-01-01"]), order)[0].to_list() == [day, "2026-01-01"]


def test_years_of_two_digits_are_noted(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "id,created\n1,1/31/26\n2,31-Jan-26\n")
    assert "years with two digits in 'created' are 1970 to 2069" in report.notes
    with pytest.raises(LoadError, match="either month or day first"):
        store.load_text(tmp_path, "id,created\n1,1/2/26\n")


def test_a_zero_date_is_no_date(store: Recorder, tmp_path: Path) -> None:
    store.load_text(
        tmp_path,
        "id,created,won,closed\n1,0000-00-00,0000-00-00 00:00:00,00/00/0000\n2,2026-01-31,2026-01-31 10:00:00,\n",
    )
    assert store.deals["1"] == {}
    assert store.deals["2"] == {"created": "2026-01-31", "won": "2026-01-31T10:00:00Z"}


def test_seconds_since_1970_in_a_column_that_has_nothing_else(
    store: Recorder, tmp_path: Path
) -> None:
    report = store.load([{"id": 1, "created": 1551398400}, {"id": 2, "created": 1551484800}])
    assert [deal["created"] for deal in store.deals.values()] == ["2019-03-01", "2019-03-02"]
    assert "seconds since 1970 in 'created'" in report.notes
    report = store.load_text(tmp_path, "id,created\n3,1551398400\n4,2026-01-31\n")
    assert report.reasons == {"created: not-a-date": 1}


def test_a_date_that_is_none_rejects_the_row_of_a_date_field(
    store: Recorder, tmp_path: Path
) -> None:
    report = store.load_text(
        tmp_path, "id,created,renewal\n1,2026-02-30,\n2,2026-01-31,2026-02-30\n"
    )
    assert report.reasons == {"created: not-a-date": 1}
    assert store.deals["2"]["renewal"] == "2026-02-30"


@pytest.mark.parametrize(
    "cells",
    [
        ["26/01/31"],
        # years of fiscal ends vary more than their days do, but less than days of months
        ["24/01/31", "25/01/31", "26/01/31"],
        ["25/12/03", "26/01/31", "26/02/15"],
    ],
)
def test_short_years_that_may_come_first_are_asked_for(
    store: Recorder, tmp_path: Path, cells: list[str]
) -> None:
    rows = "".join(f"{n},{cell}\n" for n, cell in enumerate(cells))
    with pytest.raises(LoadError, match="'created' such as 26/01/31 may begin with the year or"):
        store.load_text(tmp_path, f"id,created\n{rows}")
    report = store.load_text(tmp_path, f"id,created\n{rows}", dates="eu")
    assert report.inserted == len(cells)
    beside = Recorder()
    beside.load_text(tmp_path, f"id,created,closed\n1,{cells[0]},28/02/2026\n")
    assert beside.deals["1"]["created"][:4] == f"20{cells[0][-2:]}"


@pytest.mark.parametrize(
    "cells",
    [
        ["31/01/26", "15/02/26", "28/02/25"],
        ["5/01/26", "31/01/26"],
        # no month has so many days
        ["26/01/99"],
    ],
)
def test_days_before_short_years_are_told_by_how_much_they_vary(
    store: Recorder, tmp_path: Path, cells: list[str]
) -> None:
    rows = "".join(f"{n},{cell}\n" for n, cell in enumerate(cells))
    store.load_text(tmp_path, f"id,created\n{rows}")
    assert [deal["created"][-2:] for deal in store.deals.values()] == [
        cell.split("/")[0].zfill(2) for cell in cells
    ]


@pytest.mark.parametrize("cell", ["26-01-31", "05-01-26"])
def test_short_years_with_dashes_are_asked_for(store: Recorder, tmp_path: Path, cell: str) -> None:
    with pytest.raises(LoadError, match="either month or day first"):
        store.load_text(tmp_path, f"id,created\n1,{cell}\n")
