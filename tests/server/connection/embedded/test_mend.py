"""Files of an embedded server that it can't start on: what is whole is kept, and all of it is copied before."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dealdb import DealDatabase
from dealdb.cli.main import main
from dealdb.connection.embedded.folder import DataFolder
from dealdb.connection.embedded.mend import whole_bytes
from dealdb.errors import ConfigError, StoreDamaged

SAVED = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the program's own server, with deals saved one by one and a short history."""
    path = tmp_path / "data" / "dealdb"
    with DealDatabase.embedded(path) as db:
        for number in range(SAVED):
            db.save_deal({"id": f"D{number}", "stage": "Lead", "amount": number})
    return path


def tail(folder: Path) -> Path:
    [file] = (folder / "appendonlydir").glob("*.incr.aof")
    return file


def deals(folder: Path) -> int:
    with DealDatabase.embedded(folder) as db:
        assert db.check().ok
        return len(db)


@pytest.mark.parametrize(
    "end",
    [
        bytes(5000),
        b"\x93garbage\r\n*3\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nPING\r\n$9\r\n" + bytes(90),
    ],
    ids=["zeros", "garbage", "open-transaction"],
)
def test_bytes_of_no_command_at_the_end_are_cut_off(folder: Path, end: bytes) -> None:
    file = tail(folder)
    whole = file.read_bytes()
    file.write_bytes(whole + end)
    with pytest.raises(StoreDamaged, match="dealdb repair --data keeps a copy"):
        deals(folder)
    report = DealDatabase.mend(folder)
    assert (report.cut_bytes, report.kept_bytes) == (len(end), len(whole))
    assert (report.cut_commits, report.file) == (0, file)
    assert report.copy is not None
    assert (report.copy / file.name).read_bytes() == whole + end
    assert file.read_bytes() == whole
    assert deals(folder) == SAVED


def test_a_commit_that_is_overwritten_in_part_goes_with_all_after_it(folder: Path) -> None:
    file = tail(folder)
    whole = file.read_bytes()
    commits = whole.count(b"EXEC")
    # a disk that has lost a block in the middle
    middle = whole.index(b"*1\r\n$4\r\nEXEC\r\n", len(whole) // 2) - 10
    file.write_bytes(whole[:middle] + bytes(200) + whole[middle + 200 :])
    with pytest.raises(StoreDamaged):
        deals(folder)
    report = DealDatabase.mend(folder)
    left = file.read_bytes()
    assert whole.startswith(left)
    assert left.endswith(b"EXEC\r\n")
    assert report.cut_commits > 5
    # the one that was hit can't be counted
    assert left.count(b"EXEC") + report.cut_commits in (commits - 1, commits - 2)
    assert 0 < deals(folder) < SAVED


def test_every_place_to_cut_gives_the_commits_before_it(folder: Path) -> None:
    data = tail(folder).read_bytes()
    ends = [match.end() for match in re.finditer(b"EXEC\r\n", data)]
    assert whole_bytes(data) == len(data) == ends[-1]
    whole = data[ends[-4] :]
    ends = [end - ends[-4] for end in ends[-4:]]
    for size in range(len(whole)):
        expected = max(end for end in ends if end <= size)
        assert whole_bytes(whole[:size]) == expected
        assert whole_bytes(whole[:size] + bytes(64)) == expected


def test_what_is_whole_stays_as_it_is(folder: Path) -> None:
    before = {file: file.read_bytes() for file in (folder / "appendonlydir").iterdir()}
    assert DealDatabase.mend(folder).copy is None
    assert {file: file.read_bytes() for file in (folder / "appendonlydir").iterdir()} == before
    assert not list(folder.glob("damaged-*"))


def test_files_in_use_are_left_alone(folder: Path) -> None:
    with DealDatabase.embedded(folder) as db:
        with tail(folder).open("ab") as file:
            file.write(bytes(100))
        assert DealDatabase.mend(folder).cut_bytes == 0
        assert len(db) == SAVED
    assert DealDatabase.mend(folder).cut_bytes == 100


def test_files_behind_a_damaged_one_are_cut_too(folder: Path) -> None:
    with DealDatabase.embedded(folder) as db:
        link = db.connection.link()
        # a rewriting that fails leaves two files
        link.call("CONFIG", "SET", "rdb-key-save-delay", "1000000")
        link.call("BGREWRITEAOF")
        db.save_deal({"id": "later", "stage": "Lead"})
    first, second = sorted((folder / "appendonlydir").glob("*.incr.aof"))
    assert b"later" in second.read_bytes()
    first.write_bytes(first.read_bytes() + bytes(10))
    with pytest.raises(StoreDamaged):
        deals(folder)
    report = DealDatabase.mend(folder)
    assert report.cut_bytes > 10
    assert report.cut_commits == 1
    assert report.copy is not None
    assert (report.copy / second.name).exists()
    assert deals(folder) == SAVED


def test_no_data_and_a_damaged_list_are_clear_errors(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there are no data of an embedded server"):
        DealDatabase.mend(tmp_path / "empty")
    manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
    for text in ("", "file x seq 1", "file gone.aof seq 1 type i\n"):
        manifest.write_text(text)
        with pytest.raises(StoreDamaged, match="list of the data's files is damaged"):
            DealDatabase.mend(folder)
    assert DataFolder(folder).is_free()


def test_the_program_tells_what_was_cut(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tail(folder)
    file.write_bytes(file.read_bytes() + bytes(77))
    assert main(["find"]) == 1
    assert "dealdb repair --data" in capsys.readouterr().err
    assert main(["repair", "--data", "--json"]) == 0
    told = capsys.readouterr()
    facts = json.loads(told.out)
    assert (facts["cut_bytes"], facts["cut_commits"], facts["deals"]) == (77, 0, SAVED)
    assert facts["copy"] in told.err
    assert Path(facts["copy"]).is_dir()
    assert main(["repair", "--data"]) == 0
    assert "cut_bytes    0" in capsys.readouterr().out
    assert main(["repair", "--data", "--url", "redis://localhost:1"]) == 2
    assert "is for the embedded server" in capsys.readouterr().err


def _compact(folder: Path) -> Path:
    [file] = (folder / "appendonlydir").glob("*.base.rdb")
    return file


@pytest.mark.parametrize("hurt", [lambda data: data[:-9], lambda data: b"x" + data[1:]])
def test_a_damaged_compact_part_is_left_to_a_backup(
    folder: Path, capsys: pytest.CaptureFixture[str], hurt: Callable[[bytes], bytes]
) -> None:
    _compact(folder).write_bytes(hurt(_compact(folder).read_bytes()))
    assert main(["repair", "--data"]) == 1
    told = capsys.readouterr().err
    assert "what is damaged can't be cut off: restore a backup" in told
    assert "repair --data" not in told
