"""A load says so where no stage means won, or none means lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder import Recorder


def warnings(said: tuple[str, ...]) -> list[str]:
    return [each.partition(":")[0] for each in said if each.startswith("no stage means")]


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        (["Demo", "Won", "Lost"], []),
        (["Demo", "Won", "Gone"], ["no stage means lost"]),
        (["Demo", "Hooray", "Lost"], ["no stage means won"]),
        (["Demo", "Hooray"], ["no stage means won", "no stage means lost"]),
        (["", ""], []),
    ],
)
def test_outcomes_that_no_stage_means(tmp_path: Path, stages: list[str], said: list[str]) -> None:
    store = Recorder()
    text = "\n".join(["id,stage", *(f"{n},{stage}" for n, stage in enumerate(stages))])
    assert warnings(store.load_text(tmp_path, text, dry_run=True).warnings) == said
    assert warnings(store.load_text(tmp_path, text).warnings) == said


def test_a_load_without_new_stages_is_judged_by_all_of_them(tmp_path: Path) -> None:
    store = Recorder()
    store.load_text(tmp_path, "id,stage\n1,Demo\n2,Won\n3,Lost\n")
    assert not warnings(store.load_text(tmp_path, "id,stage\n4,Demo\n").warnings)
    # stages of another program are judged by themselves
    assert warnings(store.load_text(tmp_path, "id,stage\n5,Talks\n6,Gone\n").warnings)


def test_a_source_without_stages_says_nothing_of_them(tmp_path: Path) -> None:
    assert not warnings(Recorder().load_text(tmp_path, "id,name\n1,Acme\n").warnings)
