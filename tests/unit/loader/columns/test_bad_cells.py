"""A bad cell costs its row, or only itself where the caller chose so."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from dealdb.errors import LoadError
from recorder import Recorder

TEXT = (
    "id,name,amount,stage,close_date\n1,A,10.00,Demo,2026-01-01\n"
    "2,B,soon,Won,2026-01-02\n3,C,30.00,Won,never\n4,D,x,Demo,y\n"
)


def load(store: Recorder, folder: Path, text: str = TEXT, **options: Any) -> dict[str, int]:
    report = store.load_text(folder, text, **{"bad_cells": "null", **options})
    return {
        name: getattr(report, name)
        for name in ("inserted", "updated", "unchanged", "rejected")
        if getattr(report, name)
    }


def test_rows_are_kept_without_their_bad_cells(tmp_path: Path) -> None:
    store = Recorder()
    report = store.load_text(tmp_path, TEXT, bad_cells="null")
    assert (report.inserted, report.rejected) == (4, 0)
    assert store.deals["2"] == {"name": "B", "stage": "Won", "closed": "2026-01-02"}
    assert store.deals["3"] == {"name": "C", "stage": "Won", "amount": "30"}
    assert store.deals["4"] == {"name": "D", "stage": "Demo"}
    assert report.bad_cells == {"amount": 2, "close_date": 2}
    assert (
        "bad cells: amount 2 (lines 3, 5), close_date 2 (lines 4, 5); their deals lack them"
        in report.warnings
    )
    assert load(store, tmp_path) == {"unchanged": 4}


@pytest.mark.parametrize("policy", ["merge", "replace"])
@pytest.mark.parametrize("batch_size", [1, None])
def test_what_is_stored_stays_where_a_cell_is_bad(
    tmp_path: Path, policy: str, batch_size: int | None
) -> None:
    store = Recorder()
    good = TEXT.replace("soon", "20.00").replace("x,y", "40.00,2026-01-04")
    load(store, tmp_path, good.replace("never", "2026-01-03"))
    before = {key: dict(deal) for key, deal in store.deals.items()}
    assert load(store, tmp_path, on_conflict=policy, batch_size=batch_size) == {"unchanged": 4}
    assert store.deals == before
    load(store, tmp_path, TEXT.replace(",B,", ",BB,"), on_conflict=policy)
    assert store.deals["2"] == {**before["2"], "name": "BB"}


def test_replace_still_clears_what_the_rows_do_not_give(tmp_path: Path) -> None:
    store = Recorder()
    store.load(
        [{"id": "1", "amount": "5", "owner": "Ann"}, {"id": "2", "amount": "6", "owner": "Bo"}]
    )
    load(store, tmp_path, "id,amount\n1,x\n2,7\n", on_conflict="replace")
    assert store.deals == {"1": {"amount": "5"}, "2": {"amount": "7"}}


def test_the_currency_of_a_bad_amount_stays(tmp_path: Path) -> None:
    store = Recorder()
    load(store, tmp_path, "id,amount\n1,5 EUR\n2,6 EUR\n3,7 EUR\n")
    load(store, tmp_path, "id,amount\n1,tbd\n2,8 EUR\n3,9 EUR\n4,tbd\n")
    assert store.deals["1"] == {"amount": "5", "currency": "EUR"}
    assert store.deals["4"] == {}
    load(store, tmp_path, "id,amount_usd\n1,tbd\n2,8\n")
    assert store.deals["1"] == {"amount": "5", "currency": "EUR"}
    assert store.deals["2"] == {"amount": "8", "currency": "USD"}


def test_an_id_is_never_left_out(tmp_path: Path) -> None:
    store = Recorder()
    assert load(store, tmp_path, "id,amount\n1,5\n,6\n") == {"inserted": 1, "rejected": 1}


def test_the_rejects_file_lists_each_row_once(tmp_path: Path) -> None:
    store, place = Recorder(), tmp_path / "bad.csv"
    load(store, tmp_path, TEXT, rejects=place)
    rows = list(csv.DictReader(io.StringIO(place.read_text())))
    assert [(row["line"], row["column"], row["value"]) for row in rows if row["code"] != "header"] == [
        ("3", "amount", "soon"), ("4", "close_date", "never"), ("5", "amount", "x"),
    ]  # fmt: skip
    assert rows[-1]["message"].endswith("loaded without it; also bad: close_date")
    # corrected, it loads
    place.write_text(place.read_text().replace("B,soon", "B,25.00"))
    report = store.load(place, bad_cells="null")
    assert (report.updated, report.unchanged) == (1, 2)
    assert store.deals["2"]["amount"] == "25"


def test_rows_of_several_shapes_and_many_bad_columns(tmp_path: Path) -> None:
    store = Recorder()
    names = [f"n{each}" for each in range(12)]
    fields = dict.fromkeys(names, "int")
    good = [{"id": str(row), **dict.fromkeys(names, str(row))} for row in range(40)]
    store.load(good, types=fields)
    before = {key: dict(deal) for key, deal in store.deals.items()}
    bad = [
        {**deal, names[row % 12]: "?", names[row * 5 % 12]: "!"} for row, deal in enumerate(good)
    ]
    for deal in bad[::2]:
        del deal[names[11]]
    report = store.load(bad, bad_cells="null")
    assert (report.unchanged, report.rejected) == (40, 0)
    assert store.deals == before


def test_the_other_rows_of_an_amount_are_still_rejected_by_default(tmp_path: Path) -> None:
    report = Recorder().load_text(tmp_path, TEXT)
    assert (report.rejected, report.bad_cells) == (3, {})


def test_the_choice_is_one_of_two() -> None:
    with pytest.raises(LoadError, match="bad_cells is 'reject' or 'null', not 'drop'"):
        Recorder().load([{"id": "1"}], bad_cells="drop")
