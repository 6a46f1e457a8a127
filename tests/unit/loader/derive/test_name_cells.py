"""Blanks that nobody sees make no second stage and no second owner."""

from __future__ import annotations

from pathlib import Path

from recorder import Recorder

NBSP, ZERO_WIDTH = "\u00a0", "\u200b"


def test_blanks_around_names(tmp_path: Path) -> None:
    store = Recorder()
    cells = ["Won", "Won ", " Won", f"Won{NBSP}", f"{ZERO_WIDTH}Won\t", "  "]
    rows = [f"{n},{cell},Pat {cell},{cell}x " for n, cell in enumerate(cells)]
    report = store.load_text(tmp_path, "\n".join(["id,stage,owner,note", *rows]))
    assert [stage.name for stage in report.pipeline] == ["Won"]
    assert [deal.get("stage") for deal in store.deals.values()] == ["Won"] * 5 + [None]
    assert store.deals["1"]["owner"] == "Pat Won"
    # what is no name stays as it is
    assert store.deals["1"]["note"] == "Won x "


def test_names_of_several_words_keep_what_is_between_them(tmp_path: Path) -> None:
    store = Recorder()
    store.load_text(tmp_path, "id,stage,company\n1, Closed  won ,\n")
    assert store.deals["1"] == {"stage": "Closed  won"}


def test_values_of_a_program_are_loaded_as_they_are() -> None:
    store = Recorder()
    store.load([{"id": 1, "owner": "\r"}])
    assert store.deals["1"] == {"owner": "\r"}
