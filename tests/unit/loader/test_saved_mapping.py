"""Options of a load are saved by name, written so that people can read them, and used by the next load."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from dealdb.errors import LoadError
from dealdb.loader import DataLoader, LoadReport, SavedMapping
from recorder import Recorder

TEXT = "Nr;Betrag;Wer;Angelegt;Stage;Close Date;junk\n1;1.234,50;Ann;2026-01-31;Won;2026-02-01;x\n"
DATES = "id,created,amount\n1,25/12/2026,5.5\n"


class Shelf(Recorder):
    """A store that keeps texts too."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}

    def saved_queries(self) -> dict[str, str]:
        return dict(self.texts)

    def save_query(self, name: str, text: str) -> None:
        self.texts[name] = text

    def forget_query(self, name: str) -> bool:
        return self.texts.pop(name, None) is not None

    @property
    def loader(self) -> DataLoader:
        return DataLoader(lambda: self)


def options_of(store: Shelf) -> dict[str, Any]:
    return dict(store.loader.mappings()["crm"].options)


def test_what_was_given_and_found_out_is_saved(tmp_path: Path) -> None:
    store = Shelf()
    store.load_text(
        tmp_path, TEXT, mapping={"Nr": "id", "Wer": "owner", "junk": None}, types={"amount": "decimal(3)"},
        fold="owner", bad_cells="null", save_mapping="crm", batch_size=5, max_errors=3,
    )  # fmt: skip
    assert options_of(store) == {
        "decimal_point": ",",
        "bad_cells": "null",
        "fold": ["owner"],
        "mapping": {
            "Nr": "id",
            "Betrag": "amount",
            "Wer": "owner",
            "Angelegt": "created",
            "Stage": "stage",
            "Close Date": "close_date",
            "junk": None,
        },
        "types": {"amount": "decimal(3)"},
    }
    later = TEXT.replace("1.234,50", "1.235").replace("1;", "2;", 1)
    report = store.load_text(tmp_path, later, mapping="crm")
    assert (report.inserted, store.deals["2"]["amount"], store.deals["2"]["owner"]) == (
        1,
        "1235",
        "Ann",
    )
    assert store.deals["2"]["closed"] == "2026-02-01"
    assert "junk" not in store.deals["2"]


def test_the_order_of_dates_is_kept_for_days_that_do_not_show_it(tmp_path: Path) -> None:
    store = Shelf()
    store.load_text(tmp_path, DATES, save_mapping="crm")
    assert options_of(store)["dates"] == "eu"
    later = DATES.replace("25/12", "03/04")
    with pytest.raises(LoadError, match="month or day first"):
        store.load_text(tmp_path, later)
    store.load_text(tmp_path, later, mapping="crm")
    assert store.deals["1"]["created"] == "2026-04-03"
    # what was not shown is not kept
    store.load_text(tmp_path, "id,created,amount\n1,2026-01-01,5\n", save_mapping="plain")
    assert set(store.loader.mappings()["plain"].options) == {"mapping"}


def test_options_of_the_call_win(tmp_path: Path) -> None:
    store = Shelf()
    store.load_text(
        tmp_path, DATES, on_conflict="replace", types={"amount": "decimal(3)"}, save_mapping="crm"
    )
    store.load_text(
        tmp_path, DATES.replace("25/12", "03/04"), mapping="crm", dates="us", on_conflict="merge"
    )
    assert store.deals["1"]["created"] == "2026-03-04"
    saved = store.loader.mapping("crm")
    text = "id,created,amount,Value\n1,25/12/2026,5.5,7\n"
    store.load_text(
        tmp_path, text, mapping=saved.with_columns({"Value": "amount", "amount": "list_price"})
    )
    assert (store.deals["1"]["amount"], store.deals["1"]["list_price"]) == ("7", "5.5")
    store.load_text(tmp_path, text, mapping=saved.with_columns({"Value": "amount"}))
    assert store.deals["1"]["amount"] == "7"


def test_a_filter_of_missing_deals_deletes_nothing_by_itself() -> None:
    saved = SavedMapping.of(
        {"delete_missing": "owner = 'Ann'"}, LoadReport(source="x", format="csv")
    )
    assert saved.options == {"missing_where": "owner = 'Ann'"}
    assert "delete_missing" not in saved.below({"delete_missing": None})
    assert saved.below({"delete_missing": False})["delete_missing"] is False
    assert saved.below({"delete_missing": True})["delete_missing"] == "owner = 'Ann'"
    assert saved.below({"delete_missing": "owner = 'Bo'"})["delete_missing"] == "owner = 'Bo'"


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    store = Shelf()
    store.load_text(tmp_path, TEXT, mapping={"Nr": "id"}, save_mapping="crm")
    with pytest.raises(LoadError, match="no column 'Betrag'; did you mean 'Betraege'"):
        store.load_text(tmp_path, TEXT.replace("Betrag", "Betraege"), mapping="crm")


def test_columns_that_the_loader_makes_are_not_saved(tmp_path: Path) -> None:
    store = Shelf()
    text = "name,amount_eur,Won time,Lost time\nA,5,2026-01-01,\nB,6,,2026-01-02\n"
    store.load_text(tmp_path, text, id_from="name", save_mapping="crm")
    assert options_of(store) == {
        "id_from": ["name"],
        "mapping": {"name": "name", "amount_eur": "amount"},
    }
    assert store.load_text(tmp_path, text, mapping="crm").unchanged == 2


def test_odd_names_survive_the_text() -> None:
    table = {'a"b\\c\n\x7f': "amount", "Größe = [x] # y": None, "\u2028": "owner"}
    saved = SavedMapping(options={"null": "\\N", "id_from": ["a b", "c"], "mapping": table})
    assert SavedMapping.from_toml(saved.to_toml(), "x") == saved
    assert tomllib.loads(saved.to_toml())["version"] == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version = 2", "it has version 2, and this dealdb reads 1: upgrade dealdb"),
        ('date = "eu"', "no option 'date'; did you mean 'dates'"),
        ("resume = true", "no option 'resume'"),
        ("dates = 1", "dates is a text"),
        ('fold = "owner"', "fold is a list of texts"),
        ('mapping = "x"', "mapping is a table of texts"),
        ("[types]\na = 1", "types is a table of texts"),
        ("dates = ", "it is not TOML"),
    ],
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "crm.toml"
    path.write_text(text)
    for given in (path, str(path)):
        with pytest.raises(LoadError, match=problem) as found:
            Shelf().load([{"id": "1"}], mapping=given)
        assert found.value.code == "load"
    store = Shelf()
    store.texts["mapping:crm"] = text
    with pytest.raises(LoadError, match=problem):
        store.load([{"id": "1"}], mapping="crm")


def test_names(tmp_path: Path) -> None:
    store = Shelf()
    store.texts["hot"] = "a query"
    with pytest.raises(LoadError, match="none is saved"):
        store.load([{"id": "1"}], mapping="crm")
    for name in ("a:b", "", "x.toml"):
        with pytest.raises(LoadError, match="a mapping's name is"):
            store.load([{"id": "1"}], save_mapping=name)
    with pytest.raises(LoadError, match="a dry run saves no mapping"):
        store.load([{"id": "1"}], save_mapping="crm", dry_run=True)
    assert store.deals == {}
    store.load([{"id": "1"}], save_mapping="crm")
    with pytest.raises(LoadError, match="did you mean 'crm'"):
        store.load([{"id": "1"}], mapping="cmr")
    with pytest.raises(LoadError, match="can't be read"):
        store.load([{"id": "1"}], mapping=tmp_path / "none.toml")
    with pytest.raises(LoadError, match="this loader has none"):
        Recorder().load([{"id": "1"}], mapping="crm")
    assert list(store.loader.mappings()) == ["crm"]
    assert store.loader.forget_mapping("crm")
    assert not store.loader.forget_mapping("crm")
    assert list(store.texts) == ["hot"]
