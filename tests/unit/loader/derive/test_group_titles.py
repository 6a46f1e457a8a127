"""Titles of groups in a sheet are no deals, and where nobody can tell the load says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from dealdb.errors import LoadError
from recorder import Recorder

HEADER = "Name,Owner,Stage,Value\n"


@pytest.fixture
def store() -> Recorder:
    return Recorder()


def _names(store: Recorder) -> list[str | None]:
    return [deal.get("name") for deal in store.deals.values()]


@pytest.mark.parametrize("title", ["Active", "Closed Won", "Q3 2026", "2026"])
@pytest.mark.parametrize("id_from", ["row", ["Name"]])
def test_a_title_above_the_names_of_the_columns(
    store: Recorder, tmp_path: Path, title: str, id_from: str
) -> None:
    text = f"Active,,,\n{HEADER}Acme,Ann,Demo,10\nBolt Works,Bob,Demo,20\n\n{title},,,\n{HEADER}Cog,Ann,Demo,30\n"
    report = store.load_text(tmp_path, text, id_from=id_from)
    assert _names(store) == ["Acme", "Bolt Works", "Cog"]
    assert report.reasons == {"Name: summary-row": 2}
    assert not any("may be titles" in each for each in report.warnings)


def test_a_title_with_one_cell_above_the_names_of_the_columns(
    store: Recorder, tmp_path: Path
) -> None:
    text = f"{HEADER}Acme,Ann,Demo,10\n\nActive\n{HEADER}Cog,Ann,Demo,30\n"
    report = store.load_text(tmp_path, text, id_from="row")
    assert _names(store) == ["Acme", "Cog"]
    assert all(reason.endswith("summary-row") for reason in report.reasons)


def test_a_title_that_is_the_stage_of_what_follows(store: Recorder, tmp_path: Path) -> None:
    text = f"{HEADER}Demo,,,\nAcme,Ann,Demo,10\nBolt,Bob,Demo,20\nlead,,,\nCog,Ann,Lead,30\n"
    store.load_text(tmp_path, text, id_from="row")
    assert _names(store) == ["Acme", "Bolt", "Cog"]


@pytest.mark.parametrize("blank", ["\n", ",,,\n"])
def test_titles_that_begin_each_block(store: Recorder, tmp_path: Path, blank: str) -> None:
    text = f"{HEADER}Active,,,\nAcme,Ann,Demo,10\n{blank}Later on,,,\nBolt,Bob,Demo,20\nCog,Ann,Lead,30\n"
    report = store.load_text(tmp_path, text, id_from="row")
    assert _names(store) == ["Acme", "Bolt", "Cog"]
    assert report.reasons == {"Name: summary-row": 2}


def test_a_row_that_may_be_either_is_loaded_and_named(store: Recorder, tmp_path: Path) -> None:
    text = f"{HEADER}Acme,Ann,Demo,10\nActive,,,\nBolt,Bob,Demo,20\nNew lead,,,\n"
    report = store.load_text(tmp_path, text, id_from="row")
    assert _names(store) == ["Acme", "Active", "Bolt", "New lead"]
    assert (
        "rows of a single cell: 2 (lines 3 and 5); loaded as deals, but they may be titles of groups: "
        "take those that are out of the file" in report.warnings
    )
    with pytest.raises(LoadError, match="rows of a single cell: 2"):
        Recorder().load_text(tmp_path, text, id_from="row", strict=True)


def test_deals_with_only_a_name_stay(store: Recorder, tmp_path: Path) -> None:
    text = f"{HEADER}Acme,Ann,Demo,10\n\nBolt,,,\nCog,,,\n"
    store.load_text(tmp_path, text, id_from="row")
    assert _names(store) == ["Acme", "Bolt", "Cog"]


def test_a_company_of_the_next_deal_is_no_proof(store: Recorder, tmp_path: Path) -> None:
    text = "Deal,Company,Value\nAcme,,\nAcme renewal,Acme,10\nBolt,Bolt,20\n"
    report = store.load_text(tmp_path, text, id_from="row")
    assert len(store.deals) == 3
    assert any("single cell: 1 (line 2)" in each for each in report.warnings)


def test_a_sum_without_a_label_is_no_deal(store: Recorder, tmp_path: Path) -> None:
    text = f"{HEADER}Acme,Ann,Demo,10\nBolt,Bob,Demo,20\n,,,30\n\nActive,,,\n{HEADER}Cog,Ann,Demo,5\n,,,5\n"
    store.load_text(tmp_path, text, id_from="row")
    assert _names(store) == ["Acme", "Bolt", "Cog"]


def test_a_title_among_ids_with_digits(store: Recorder, tmp_path: Path) -> None:
    text = "id,name,amount\n1,A,10\nActive,,\n2,B,20\n3,,\n"
    report = store.load_text(tmp_path, text)
    assert list(store.deals) == ["1", "2", "3"]
    assert report.reasons == {"id: summary-row": 1}
    assert not any("single cell" in each for each in report.warnings)


def test_more_titles_than_rows_above_the_table(store: Recorder, tmp_path: Path) -> None:
    group = f"{HEADER}Acme,Ann,Demo,10\n,,,10\n\n"
    text = f"Deals,,,\n\nActive,,,\n{group}Closed,,,\n{group}Lost,,,\n{group}"
    store.load_text(tmp_path, text, id_from="row")
    assert _names(store) == ["Acme", "Acme", "Acme"]


def test_ids_that_are_words_stay(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, "id,name,amount\nacme,A,10\nactive,,\nbolt,B,20\n")
    assert list(store.deals) == ["acme", "active", "bolt"]
