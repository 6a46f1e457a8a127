"""Names that differ in the blanks around them only are one name."""

from __future__ import annotations

from pathlib import Path

from recorder import Recorder


def test_names_of_stages_owners_and_companies(tmp_path: Path) -> None:
    store = Recorder()
    rows = ("1,Pat,Won,Acme, x", "2,Pat , Won,Acme\u00a0,", "3, Pat,Won ,\u200bAcme,", "4, , , ,")
    text = "\n".join(("id,owner,stage,company,note", *rows))
    store.load_text(tmp_path, text)
    whole = {"owner": "Pat", "stage": "Won", "company": "Acme"}
    assert list(store.deals.values()) == [{**whole, "note": " x"}, whole, whole, {}]
    assert [stage.name for stage in store.pipeline()] == ["Won"]


def test_names_of_deals(tmp_path: Path) -> None:
    store = Recorder()
    store.load_text(tmp_path, "Deal,Stage\n Renewal ,Won\n,Lost\n", id_from=["Deal", "Stage"])
    assert [deal.get("name") for deal in store.deals.values()] == ["Renewal", None]


def test_ids_of_mappings_and_of_files_that_keep_texts(tmp_path: Path) -> None:
    store = Recorder()
    store.load([{"id": " 7 ", "owner": "Pat "}])
    store.load_text(tmp_path, '[{"id": " 8", "owner": "Pat "}]', "x.json")
    assert store.deals == {"7": {"owner": "Pat "}, " 8": {"owner": "Pat "}}


def test_links_of_notion_behind_names(tmp_path: Path) -> None:
    store = Recorder()
    link = "(https://www.notion.so/Acme-5f0c?pvs=21)"
    rows = (f"1,Acme {link},Pat {link}", f'2,"Acme {link}, Beta {link}",Acme (Paris)')
    store.load_text(tmp_path, "\n".join(("id,company,owner", *rows)))
    assert list(store.deals.values()) == [
        {"company": "Acme", "owner": "Pat"},
        {"company": "Acme, Beta", "owner": "Acme (Paris)"},
    ]
