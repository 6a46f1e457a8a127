"""Ids are those of the deals, whatever programs they went through; what a spreadsheet has rounded is reported."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dealdb.loader.columns.deal_ids import are_plain
from recorder import Recorder

ROUNDED = "ids in 'id' that a spreadsheet has rounded"


@pytest.fixture
def store() -> Recorder:
    return Recorder()


@pytest.mark.parametrize(
    "cell", ["1", '" 1"', '"1 "', "1\u00a0", '"1\t"', "1\u200b", "\ufeff1", '="1"', '"=""1"""', "\u20031"]
)  # fmt: skip
def test_what_stands_around_an_id_is_no_part_of_it(
    store: Recorder, tmp_path: Path, cell: str
) -> None:
    store.load_text(tmp_path, f"id,name\n{cell},A\n2,B\n")
    assert list(store.deals) == ["1", "2"]


def test_leading_zeros_in_a_formula(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, 'id,name\n="00123",A\n')
    assert list(store.deals) == ["00123"]


def test_an_id_of_blanks_is_none(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "id,name\n\u00a0,A\n1,B\n")
    assert report.reasons == {"id: missing-id": 1}


def test_a_decimal_0_of_all_ids_is_taken_off(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "id,name\n1.0,A\n2.0,B\n")
    assert list(store.deals) == ["1", "2"]
    assert "all ids in 'id' end in '.0', which was taken off" in report.notes


@pytest.mark.parametrize(
    ("text", "name"),
    [("id,name\n1.0,A\n2,B\n", "x.csv"), ('[{"id": "1.0"}, {"id": "2.0"}]', "x.json")],
)
def test_a_decimal_0_that_is_part_of_an_id_stays(
    store: Recorder, tmp_path: Path, text: str, name: str
) -> None:
    store.load_text(tmp_path, text, name)
    assert "1.0" in store.deals


def test_ids_of_several_deals_are_rejected_where_a_spreadsheet_has_rounded_them(
    store: Recorder, tmp_path: Path
) -> None:
    text = "id,name\n1.23E+15,A\n1.23E+15,B\n1.24E+15,C\n,D\n"
    report = store.load_text(tmp_path, text)
    assert report.reasons == {"id: rounded-id": 2, "id: missing-id": 1}
    assert list(store.deals) == ["1.24E+15"]
    assert report.notes[-1].startswith(f"{ROUNDED}: 3;")


def test_long_ids_that_all_end_in_zeros(store: Recorder, tmp_path: Path) -> None:
    long, same = "410888000000698000", "410888000000699000"
    report = store.load_text(tmp_path, f"id,name\n{long},A\n{same},B\n{same},C\n")
    assert (list(store.deals), report.reasons) == ([long], {"id: rounded-id": 2})
    other = Recorder()
    report = other.load_text(tmp_path, f"id,name\n410888000000698006,A\n{same},B\n{same},C\n")
    assert (len(other.deals), report.rejected) == (2, 0)


def test_numbers_have_all_their_digits(store: Recorder, tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [1e16, 7.0], "name": ["A", "B"]})
    report = store.load(frame)
    assert list(store.deals) == ["10000000000000000", "7"]
    assert report.notes[-1].startswith(f"{ROUNDED}: 1;")
    assert store.load_text(tmp_path, '[{"id": 1e3}]', "x.json").notes == ()
    assert "1000" in store.deals


def test_both_forms_of_salesforce_are_reported(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "id\n0063000000abcdE\n0063000000abcdEAAQ\n")
    assert "with 15 characters (1) and with 18 (1)" in report.notes[-1]


def test_whole_numbers_are_whole(store: Recorder, tmp_path: Path) -> None:
    text = '[{"id": 1.0}, {"id": 1e3}, {"id": 12345678901234567890}, {"id": 2.50}, {"id": -0.0}, {"id": 1e999}]'
    store.load_text(tmp_path, text, "x.json")
    assert set(store.deals) == {"1", "1000", "12345678901234567890", "2.50", "0", "1E+999"}


def test_floats_of_frames_too(store: Recorder) -> None:
    store.load(pl.DataFrame({"id": [1.0, 1e16, 4.10888e17]}))
    assert set(store.deals) == {"1", "10000000000000000", "410888000000000000"}


def test_texts_stay_what_they_are(store: Recorder, tmp_path: Path) -> None:
    store.load([{"id": "1.0"}, {"id": "1e3"}, {"id": "{3F-1}"}])
    assert set(store.deals) == {"1.0", "1e3", "{3F-1}"}
    store.load_text(tmp_path, "id\n[5]\n1.0\n")
    assert {"[5]", "1.0"} <= set(store.deals)


@pytest.mark.parametrize(
    "odd",
    [
        None, "", "7.0", " D1", "D1\u200b", "006A0000012abcd", "1234567890123456", '="7"', "[1]", "1E+15", "D\u00e91",
        "D 1",
    ],
)  # fmt: skip
def test_ids_in_which_something_may_be_found_are_not_plain(odd: str | None) -> None:
    assert are_plain(pl.Series(["D1", "D-2_b"]))
    assert not are_plain(pl.Series(["D1", odd], dtype=pl.String))


def test_no_ids_are_not_plain() -> None:
    assert not are_plain(pl.Series([], dtype=pl.String))


def test_many_ids_are_looked_at_by_polars() -> None:
    assert not are_plain(pl.Series(["D1"]).new_from_index(0, 20_000))
