"""Generated ids are the same whenever the same rows are loaded."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from dealdb.errors import LoadError
from recorder import Recorder

TEXT = "Account,Deal,Seats\nAcme,Renewal,3\nAcme,Pilot,1\n Acme ,Renewal,4\n"


def fingerprint(*cells: str) -> str:
    return blake2b(json.dumps(cells).encode(), digest_size=10).hexdigest()


@pytest.mark.parametrize("id_from", [["company", "name"], ["ACCOUNT", "Deal"]])
def test_columns_that_tell_deals_apart(tmp_path: Path, id_from: list[str]) -> None:
    store = Recorder()
    report = store.load_text(tmp_path, TEXT, id_from=id_from)
    assert (report.inserted, report.updated, report.duplicates) == (2, 1, 1)
    assert report.notes[-1] == f"ids made from {id_from[0]!r}, {id_from[1]!r}"
    assert list(store.deals) == [fingerprint("Acme", "Renewal"), fingerprint("Acme", "Pilot")]
    assert store.load_text(tmp_path, TEXT.replace("Seats", "seats"), id_from=id_from).inserted == 0


def test_whole_rows_are_counted_where_they_are_equal(tmp_path: Path) -> None:
    store = Recorder()
    rows = "Acme,1\nAcme,1\nBell,2\nAcme,1\n"
    assert store.load_text(tmp_path, "company,seats\n" + rows, id_from="row").inserted == 4
    assert store.load_text(tmp_path, "company,seats\n" + rows, id_from="row").unchanged == 4
    swapped = [{"seats": seats, "company": name, "owner": None} for name, seats in
               (("Bell", "2"), ("Acme", "1"), ("Acme", "1"), ("Acme", "1"), ("Acme", "1"))]  # fmt: skip
    report = store.load(swapped, id_from="row")
    assert (report.unchanged, report.inserted) == (4, 1)


def test_a_column_called_id_may_be_something_else() -> None:
    store = Recorder()
    store.load([{"id": "row 1", "Deal ID": "x", "name": "a"}], id_from=["name"])
    (deal,) = store.deals.values()
    assert deal == {"id_2": "row 1", "deal_id": "x", "name": "a"}


@pytest.mark.parametrize("rows", [[{"name": "a"}, {"owner": "b"}], iter([{"name": "a"}, {"name": " "}])])  # fmt: skip
def test_a_row_without_any_of_the_columns_is_rejected(rows: Any) -> None:
    report = Recorder().load(rows, id_from=["name"])
    assert (report.inserted, report.reasons) == (1, {"generated id: missing-id": 1})


def test_keys_that_a_row_lacks_stay_as_they_are() -> None:
    store = Recorder()
    store.load([{"name": "a", "owner": "Ann", "seats": 1}], id_from=["name"])
    store.load([{"name": "a", "seats": 2}, {"name": "b", "owner": "Bob"}], id_from=["name"])
    assert next(iter(store.deals.values())) == {"name": "a", "owner": "Ann", "seats": "2"}


@pytest.mark.parametrize(("id_from", "message"), [(["nmae"], "did you mean 'name'"), ([], "is empty")])  # fmt: skip
def test_columns_that_there_are_not(id_from: list[str], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        Recorder().load([{"name": "a"}], id_from=id_from)
