"""Names that differ only in case, blanks or accents are found, and joined where the caller says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from dealdb.errors import LoadError
from dealdb.loader.columns import spellings
from dealdb.model.pipeline import Kind
from recorder import Recorder

ROWS = [
    {"id": str(n), "owner": owner, "stage": stage}
    for n, (owner, stage) in enumerate(
        [
            ("Ann Lee", "Won"),
            ("ann  lee", "won "),
            ("Ann Lee", "WON"),
            ("Bo", "won "),
            ("bo", "Demo"),
        ]
    )
]


def alike(report_warnings: tuple[str, ...]) -> list[str]:
    return [each for each in report_warnings if "differ only" in each]


def test_names_that_are_alike_are_warned_of() -> None:
    report = Recorder().load(ROWS)
    assert alike(report.warnings) == [
        "owner: names that differ only in case or blanks: 'Ann Lee' and 'ann  lee', 'Bo' and 'bo'; "
        "--fold owner joins them",
        "stage: names that differ only in case or blanks: 'Won' and 'won '; --fold stage joins them",
    ]


def test_ordinary_names_are_not(tmp_path: Path) -> None:
    text = "id,owner,company,stage,currency\n1,Ann,Acme,Won,eur\n2,Bo, Acme ,Lost,EUR\n3,Cy,Acme Ltd,Won,€\n"
    assert not alike(Recorder().load_text(tmp_path, text).warnings)


def test_joined_names_have_the_commonest_spelling() -> None:
    store = Recorder()
    report = store.load(ROWS, fold=["owner", "stage"])
    assert [deal["owner"] for deal in store.deals.values()] == ["Ann Lee"] * 3 + ["Bo"] * 2
    assert [deal["stage"] for deal in store.deals.values()] == ["won "] * 4 + ["Demo"]
    assert not alike(report.warnings)
    assert [stage.name for stage in report.pipeline] == ["Demo", "won "]
    assert report.pipeline.names(Kind.WON) == ["won "]
    assert store.load(ROWS, fold=["stage", "owner"]).unchanged == 5
    assert store.load(iter(ROWS), fold=["owner", "stage"]).unchanged == 5


def test_what_the_collection_has_wins() -> None:
    store = Recorder()
    store.load([{"id": "x", "owner": "BO", "stage": "Demo"}])
    store.load(ROWS, fold="owner")
    assert {store.deals[each]["owner"] for each in "34x"} == {"BO"}
    # also where the source has one spelling
    store.load([{"id": "y", "owner": "bo"}], fold="owner")
    assert store.deals["y"]["owner"] == "BO"
    report = store.load([{"id": "z", "stage": "demo"}], fold="stage")
    assert store.deals["z"]["stage"] == "Demo"
    assert report.new_stages == ()


def test_accents_are_compared_as_they_look() -> None:
    store, one, other = Recorder(), "Caf\u00e9", "Cafe\u0301"
    rows = [
        {"id": "1", "company": one},
        {"id": "2", "company": other},
        {"id": "3", "company": "Cafe"},
    ]
    assert alike(store.load(rows).warnings) == [
        "company: names that differ only in case or blanks: 'Caf\\xe9' and 'Cafe\\u0301'; --fold company joins them"
    ]
    Recorder().load(rows, fold="company")
    fresh = Recorder()
    fresh.load(rows, fold="company")
    assert [deal["company"] for deal in fresh.deals.values()] == [one, one, "Cafe"]


@pytest.mark.parametrize("source", [list, iter])
def test_rows_of_several_chunks_agree(source: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spellings, "_COMPACT", 2)
    monkeypatch.setattr("dealdb.loader.sources.json_files.ROWS_A_CHUNK", 200)
    names = ["Ann", "ANN", "ann ", "ANN", "Bo"]
    rows = [{"id": str(n), "owner": names[n % 5]} for n in range(450)]
    store = Recorder()
    store.load(source(rows), fold="owner")
    assert {deal["owner"] for deal in store.deals.values()} == {"ANN", "Bo"}
    assert store.load(source(rows), fold="owner").unchanged == len(rows)


def test_columns_of_very_many_names_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spellings, "MOST_COMPARED", 10)
    monkeypatch.setattr(spellings, "MOST_JOINED", 10)
    monkeypatch.setattr(spellings, "_COMPACT", 5)
    rows = [{"id": str(n), "company": f"{'c' if n % 2 else 'C'}{n // 2}"} for n in range(60)]
    assert not alike(Recorder().load(rows).warnings)
    with pytest.raises(LoadError, match="'company' has more than 10 different names"):
        Recorder().load(rows, fold="company")


def test_only_columns_of_names_are_joined() -> None:
    rows = [{"id": "1", "owner": "Ann", "amount": 5, "Region": "x"}, {"id": "2", "Region": "X"}]
    with pytest.raises(LoadError, match=r"fold joins names, and 'amount' is decimal\(2\)"):
        Recorder().load(rows, fold="amount")
    with pytest.raises(LoadError, match="fold: no column 'ownr'; did you mean 'owner'"):
        Recorder().load(rows, fold="ownr")
    with pytest.raises(LoadError, match="fold joins names, and 'id' is text"):
        Recorder().load(rows, fold="id")
    store = Recorder()
    assert not alike(store.load(rows, fold="Region").warnings)
    assert [deal["region"] for deal in store.deals.values()] == ["x", "x"]


def test_strict_refuses_without_the_names(tmp_path: Path) -> None:
    rows = [
        {**row, "amount": 1, "created": "2026-01-01", "close_date": "2026-01-02"} for row in ROWS
    ]
    rows[-1]["stage"] = "Lost"
    with pytest.raises(
        LoadError, match="owner: names that differ only in case or blanks: 2; --fold owner"
    ) as found:
        Recorder().load(rows, strict=True)
    assert "Ann" not in str(found.value)
    Recorder().load(rows, strict=True, fold=["owner", "stage"])


def test_a_rehearsal_joins_like_the_load() -> None:
    store = Recorder()
    store.load([{"id": "0", "owner": "ANN LEE", "stage": "Won"}])
    rehearsal = store.load(ROWS, fold=["owner", "stage"], dry_run=True)
    report = store.load(ROWS, fold=["owner", "stage"])
    assert (rehearsal.inserted, rehearsal.updated) == (report.inserted, report.updated)
    assert (rehearsal.notes, rehearsal.pipeline) == (report.notes, report.pipeline)
