"""Tab in real shells: it completes what is harmless, and nothing of a collection runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli_runs import db_fixture  # noqa: F401 a fixture
from dealdb import DealDatabase
from servers import Server
from terminals import BEGUN, EVIL_NAMES, EVIL_STAGES, at_shell, plant


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_nothing_of_a_collection_runs_at_tab(
    shell: str, db: DealDatabase, server: Server, tmp_path: Path
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    plant(db)
    at_shell(shell, BEGUN, server.url, tmp_path)
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_and_stages_are_completed(
    shell: str, db: DealDatabase, server: Server, tmp_path: Path
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    plant(db)
    at_shell(shell, ["dealdb save id=new stage=On\t owner=a"], server.url, tmp_path)
    saved = dict(db.get_deal("new") or {})
    assert (saved.get("stage"), saved.get("owner")) == ("On hold", "a")


def test_the_names_are_really_there(db: DealDatabase) -> None:
    plant(db)
    assert set(EVIL_NAMES) <= set(db.schema)
    assert set(EVIL_STAGES) <= {stage.name for stage in db.pipeline}
