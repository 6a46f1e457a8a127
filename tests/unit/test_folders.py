"""Folders of the user: a relative variable is ignored in all four, and a user may have none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dealdb import folders
from dealdb.cli.commands.shell import history_file
from dealdb.cli.settings import config_file

ALL = [
    (folders.data, "XDG_DATA_HOME", ".local/share"),
    (folders.cache, "XDG_CACHE_HOME", ".cache"),
    (folders.config, "XDG_CONFIG_HOME", ".config"),
    (folders.state, "XDG_STATE_HOME", ".local/state"),
]


@pytest.mark.parametrize(("folder", "variable", "default"), ALL)
def test_only_a_full_path_counts(
    folder: Callable[[Mapping[str, str]], Path | None],
    variable: str,
    default: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert folder({variable: "/srv"}) == Path("/srv/dealdb")
    for ignored in ("", "relative", "./here", "~/there"):
        assert folder({variable: ignored}) == Path("/home/ann", default, "dealdb")


def test_a_relative_variable_finds_no_configuration_and_keeps_no_history_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relative" / "dealdb").mkdir(parents=True)
    (tmp_path / "relative" / "dealdb" / "config.toml").write_text("db = 3\n")
    assert config_file({"XDG_CONFIG_HOME": "relative"}) is None
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert history_file() == home / ".local" / "state" / "dealdb" / "history"


def test_a_user_without_a_home_folder_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", no_home)
    for folder, variable, _ in ALL:
        assert folder({}) is None
        assert folder({variable: "/srv"}) == Path("/srv/dealdb")
    assert config_file({}) is None
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert history_file() is None
