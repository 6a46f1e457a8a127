"""Pictures in a notebook and as files."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from dealdb.charts import Axis, Chart, ChartForm, Picture, Unit
from dealdb.errors import ConfigError, LoadError, MissingExtra

PICTURE = Picture(
    Chart(
        form=ChartForm.BARS,
        title="Open deals",
        subtitle="n 10",
        marks=pl.DataFrame({"label": ["Ann", "Bob"], "value": [7, 3]}),
        x=Axis(title="owner", unit=Unit.LABEL),
        y=Axis(title="deals", unit=Unit.DEALS),
    )
)


def test_a_notebook_shows_it() -> None:
    assert PICTURE._repr_html_().startswith("<svg")
    assert {*PICTURE._repr_mimebundle_()} == {"text/html", "text/plain"}
    assert {*PICTURE._repr_mimebundle_(include=["text/plain"])} == {"text/plain"}
    assert repr(PICTURE) == "<Picture 'Open deals': bars, 2 marks>"


def test_a_file_that_is_there_keeps_its_rights_and_a_link_its_place(tmp_path: Path) -> None:
    file, link = tmp_path / "a.svg", tmp_path / "b.svg"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    assert PICTURE.save(link) == link
    assert link.is_symlink()
    assert file.read_text().startswith("<svg")
    assert file.stat().st_mode & 0o777 == 0o640
    assert len([*tmp_path.iterdir()]) == 2


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a picture ends with .png, .svg, .html or .json"):
        PICTURE.save(tmp_path / "a.jpg")
    with pytest.raises(LoadError):
        PICTURE.save(tmp_path / "none" / "a.svg")
    assert not [*tmp_path.iterdir()]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "dealdb.charts.vega.files", None)
    with pytest.raises(MissingExtra, match="extra 'plot'"):
        PICTURE.save(tmp_path / "a.svg")
    assert PICTURE.svg().startswith("<svg")
