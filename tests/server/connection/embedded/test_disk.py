"""A full disk under the embedded server: told as such, nothing is lost, and it goes on when there is room."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from connected import eventually
from dealdb import DealDatabase
from dealdb.cli.main import main
from dealdb.connection import EmbeddedServer
from dealdb.connection.embedded import disk
from dealdb.errors import OutcomeUnknown, StoreError

NOTE = os.urandom(1000).hex()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB, as the place where the program keeps its data."""
    place = tmp_path / "data"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"this user can't mount a small disk: {done.stderr.strip()}")
    yield place
    # a server may be on its way out
    assert eventually(
        lambda: subprocess.run(["umount", place], capture_output=True).returncode == 0
    )


def fill(db: DealDatabase) -> tuple[int, StoreError]:
    """Save until the disk is full: how many saves were acknowledged, and what ended it."""
    for number in range(5000):
        try:
            db.save_deal({"id": f"D{number}", "note": NOTE})
        except StoreError as error:
            return number, error
    raise AssertionError("the disk was never full")


def test_a_full_disk_is_told_in_error_health_and_doctor(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with DealDatabase.embedded(retry_deadline_s=1) as db:
        assert db.health().warnings == ()
        saved, error = fill(db)
        assert saved > 100
        assert "the disk is full: " in str(error)
        assert f"{small_disk}/dealdb has " in str(error)
        assert "make room" in str(error)
        if isinstance(error, OutcomeUnknown):
            assert error.resolve() is False
        # reading goes on
        assert len(db) == saved
        assert any("the disk is full: " in warning for warning in db.health().warnings)
        assert main(["doctor"]) == 1
        assert "fail  disk         the disk is full: " in capsys.readouterr().out
        # and so does saving, when there is room
        subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
        db.save_deal({"id": "new", "note": NOTE})
        assert len(db) == saved + 1
        assert db.check().ok
        assert not any("is full" in warning for warning in db.health().warnings)


def test_a_start_on_a_full_disk_says_so(small_disk: Path) -> None:
    EmbeddedServer.start(small_disk / "dealdb").close()
    filler = os.open(small_disk / "filler", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(filler, bytes(4096)):
            pass
    os.close(filler)
    # whatever it can't write on a full disk, it starts on what is there
    with DealDatabase.embedded(retry_deadline_s=0.5) as db:
        assert len(db) == 0
        with pytest.raises(StoreError, match="the disk is full"):
            db.save_deal({"id": "new", "note": NOTE * 10})


def test_what_the_server_has_just_reported_counts_where_there_is_room(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with EmbeddedServer.start(tmp_path / "d") as server:
        assert server.trouble() is None
        line = "1:M 01 Jan 2020 00:00:00.000 # Error writing to the AOF file: No space left on device\n"
        log.write_text(line)
        assert disk.disk_trouble(server.path, log) is None
        told = (server.path / "server.log").read_text().splitlines()[-1]
        when = told.partition(" ")[2][:24]
        log.write_text(f"1:M {when} # Error writing to the AOF file: No space left on device\n")
        found = disk.disk_trouble(server.path, log)
        assert found is not None
        assert "could not write to its disk (No space left on device)" in found
    assert disk.disk_trouble(tmp_path / "gone", tmp_path / "gone.log") is None
