from __future__ import annotations

import os
import threading
from pathlib import Path

import polars as pl
import pytest

from dealdb.errors import LoadError
from dealdb.formats.output_file import begun, written
from dealdb.loader.export import write_frame

FRAME = pl.DataFrame({"id": ["1"], "name": ["a"]})


def test_what_is_written_is_for_its_owner(tmp_path: Path) -> None:
    for name in ("deals.csv", "deals.parquet", "deals.xlsx"):
        write_frame(FRAME, tmp_path / name)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    written(tmp_path / "table.parquet", FRAME.write_parquet)
    assert (tmp_path / "table.parquet").stat().st_mode & 0o777 == 0o600
    assert pl.read_parquet(tmp_path / "table.parquet").equals(FRAME)


def test_who_may_read_a_file_may_read_the_next(tmp_path: Path) -> None:
    (tmp_path / "deals.csv").touch(mode=0o640)
    (tmp_path / "deals.csv").chmod(0o640)
    write_frame(FRAME, tmp_path / "deals.csv")
    assert (tmp_path / "deals.csv").stat().st_mode & 0o777 == 0o640


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "deals.csv"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(LoadError, match="a link that leads nowhere"):
        write_frame(FRAME, link)
    assert [each.name for each in tmp_path.iterdir()] == ["deals.csv"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_link_of_somebody_else_is_refused(tmp_path: Path) -> None:
    link, file = tmp_path / "deals.csv", tmp_path / "mine.csv"
    file.write_text("before")
    link.symlink_to(file)
    os.lchown(link, 65534, 65534)
    with pytest.raises(LoadError, match="belongs to somebody else"):
        write_frame(FRAME, link)
    assert file.read_text() == "before"


def test_a_pipe_that_the_user_named_is_written_to(tmp_path: Path) -> None:
    pipe, found = tmp_path / "pipe.csv", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_frame(FRAME, pipe)
    reader.join()
    assert found == [b"id,name\n1,a\n"]
    write_frame(FRAME, "/dev/null", format="csv")


def test_a_file_that_is_begun_replaces_what_is_there(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    target.write_text("theirs")
    link.symlink_to(target)
    os.mkfifo(pipe)
    for place in (link, pipe):
        with begun(place) as file:
            file.write(b"mine")
        assert (place.is_symlink(), place.is_file()) == (False, True)
    assert target.read_text() == "theirs"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "pipe", "target"]
