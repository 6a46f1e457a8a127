"""The cache of chunks: what a second start reads of the server, and what befalls the folder meanwhile."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

from cli_runs import Run, run_fixture  # noqa: F401 fixtures
from connected import Open, checkpoint, in_threads
from damage import cut_short, empty, flip_a_bit
from dealdb import ConfigError, DealDatabase
from dealdb.store import Store
from dealdb.store.archive.chunk_cache import ChunkCache, make_cache
from dealdb.store.archive.digest import digest_of
from servers import Server

WHERE = "stage = 'Won' AND amount > 5"


@pytest.fixture
def deals(start: Open) -> pl.DataFrame:
    """Deals on the server, in a checkpoint and in the log behind it; the frame of all."""
    db = start(cache=False)
    for n in range(20):
        db.save_deal({"id": n, "name": f"Deal {n}", "stage": "Won", "amount": n})
    checkpoint(db)
    db.save_deal({"id": 3, "amount": 300})
    db.save_deal({"id": "new", "stage": "Lost"})
    return db.query.frame()


def gets(server: Server) -> int:
    """Strings that the server was asked for since the last call of this."""
    with server.client() as client:
        found = client.info("commandstats").get("cmdstat_get", {}).get("calls", 0)
        client.config_resetstat()
    return int(found)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: sha256(path.read_bytes()).digest() for path in folder.glob("*")}


def test_a_second_start_fetches_the_manifest_and_no_chunk(
    start: Open, server: Server, deals: pl.DataFrame, folder: Path
) -> None:
    assert not folder.exists()
    gets(server)
    assert start().query.frame().equals(deals)
    assert gets(server) == 1 + len(list(folder.iterdir()))
    assert start().query.frame().equals(deals)
    assert start().query.count(WHERE) == start(cache=False).query.count(WHERE)
    # the manifest for each of the three, and two chunks for the one without a cache
    assert gets(server) == 3 + 2


def test_a_query_of_one_column_keeps_that_alone(
    start: Open, deals: pl.DataFrame, folder: Path
) -> None:
    assert start().query.count("amount > 5") == 15
    assert len(list(folder.iterdir())) == 1
    assert start().query.frame().equals(deals)


@pytest.mark.usefixtures("deals")
def test_the_folder_is_its_users_alone(start: Open, folder: Path) -> None:
    start().query.frame()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    shutil.rmtree(folder)
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    db = start()
    db.query.frame()
    assert not list(folder.iterdir())
    assert db.cache is not None
    assert "chmod 700" in (db.cache.trouble() or "")


def remove(path: Path) -> None:
    path.unlink()


def put_another(path: Path) -> None:
    """A chunk that is good in itself."""
    other = next(each for each in path.parent.iterdir() if each != path)
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize("damage", [remove, empty, cut_short, flip_a_bit, put_another])
def test_what_is_not_whole_is_fetched_and_replaced(
    damage: Callable[[Path], None],
    start: Open,
    server: Server,
    deals: pl.DataFrame,
    folder: Path,
) -> None:
    start().query.frame()
    whole = files(folder)
    for path in sorted(folder.iterdir())[:3]:
        damage(path)
    gets(server)
    assert start().query.frame().equals(deals)
    assert gets(server) == 1 + 3
    assert files(folder) == whole


def test_what_can_not_be_written_is_not_kept(
    start: Open, deals: pl.DataFrame, folder: Path
) -> None:
    start().query.frame()
    for path in sorted(folder.iterdir()):
        path.unlink()
        path.mkdir()
    assert start().query.frame().equals(deals)
    assert {path.is_dir() for path in folder.iterdir()} == {True}
    # nobody may make a folder there, and there is none in a file
    file = folder.parent / "file"
    file.write_text("mine")
    for place in (Path("/proc/dealdb"), file, file / "cache"):
        assert start(cache=place).query.frame().equals(deals)
    assert file.read_text() == "mine"


def test_changes_reach_neither_frames_nor_files(
    start: Open, deals: pl.DataFrame, folder: Path
) -> None:
    start().query.frame()
    kept = files(folder)
    db = start()
    frame = db.query.frame()
    for n in range(20):
        db.save_deal({"id": n, "name": "changed", "stage": "Lost", "amount": -1})
    db.delete_deal(5)
    assert db.query.count("amount = -1") == 19
    assert frame.equals(deals)
    assert files(folder) == kept


def test_another_history_is_not_taken_for_the_one_that_was(
    start: Open, server: Server, deals: pl.DataFrame
) -> None:
    assert start().query.frame().equals(deals)
    with server.client() as client:
        client.flushdb()
    other = start()
    other.save_deal({"id": "else", "amount": 7})
    assert start().query.frame()["id"].to_list() == ["else"]
    checkpoint(other)
    assert start().query.frame()["amount"].to_list() == other.query.frame()["amount"].to_list()


def test_processes_at_once_while_the_folder_is_emptied(
    start: Open, deals: pl.DataFrame, folder: Path
) -> None:
    over = threading.Event()

    def remove_all() -> None:
        while not over.wait(0.001):
            shutil.rmtree(folder, ignore_errors=True)

    def ask(_: int) -> None:
        for _ in range(10):
            assert start().query.frame().equals(deals)

    remover = threading.Thread(target=remove_all)
    remover.start()
    try:
        assert in_threads(4, ask) == []
    finally:
        over.set()
        remover.join()
    assert start().query.frame().equals(deals)


def test_what_was_not_used_for_longest_goes_first(folder: Path) -> None:
    cache = ChunkCache(folder, max_bytes=350)
    blobs = [bytes([n]) * 100 for n in range(5)]
    names = [digest_of(blob) for blob in blobs]
    for age, name, blob in zip((30, 20, 10), names, blobs, strict=False):
        cache.keep({name: blob})
        os.utime(folder / f"{name}.parquet", (1e9 - age, 1e9 - age))
    # using the oldest makes it the youngest
    assert set(cache.find(names)) == set(names[:3])
    os.utime(folder / f"{names[1]}.parquet", (1, 1))
    cache.keep({names[3]: blobs[3]})
    assert set(cache.find(names)) == {names[0], names[2], names[3]}
    assert cache.size() == 300
    # more at once than there is room for
    cache.keep(dict(zip(names, blobs, strict=True)))
    assert cache.size() == 300
    (folder / "mine").write_bytes(b"x" * 1000)
    cache.keep({names[0]: blobs[0]})
    assert (folder / "mine").exists()


def test_what_a_process_that_died_left_behind_goes_in_time(folder: Path) -> None:
    cache = ChunkCache(folder, max_bytes=10**6)
    cache.keep({digest_of(b"x"): b"x"})
    for name, moment in (("old", 1), ("new", None)):
        path = folder / f"{name}.unfinished"
        path.write_bytes(b"half")
        os.utime(path, None if moment is None else (moment, moment))
    cache.keep({digest_of(b"y"): b"y"})
    assert not (folder / "old.unfinished").exists()
    assert (folder / "new.unfinished").exists()


@pytest.mark.parametrize(
    ("where", "megabytes", "message"),
    [
        ("cache", 1, "cache must be True, False or the full path of a folder: got 'cache'"),
        (1, 1, "cache must be True, False"),
        (True, True, "cache_mb must be an integer of at least 1: got True"),
        (True, 0, "cache_mb must be an integer of at least 1: got 0"),
    ],
)
def test_settings_that_can_not_be_used_are_refused(
    where: object, megabytes: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        DealDatabase(cache=where, cache_mb=megabytes)  # type: ignore[arg-type]


def test_the_users_cache_directory_is_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = make_cache(True, 5)
    assert on is not None
    assert (on.folder, on.max_bytes) == (folder, 5_000_000)
    assert DealDatabase().cache is None
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert make_cache(True, 5).folder == Path.home() / ".cache" / "dealdb"  # type: ignore[union-attr]


@pytest.mark.usefixtures("deals")
def test_the_program_has_a_cache_unless_it_is_turned_off(
    run: Run, server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("DEALDB_CACHE", "off")
        found = run("find", WHERE, "--json")
        assert "cache             off (DEALDB_CACHE)\n" in run("info").out
    assert not folder.exists()
    assert run("find", WHERE, "--json") == found
    gets(server)
    assert run("find", WHERE, "--json") == found
    assert gets(server) == 1
    used = f"{folder}, 0.0 MB used (default)"
    assert f"cache             {used}\n" in run("info").out
    monkeypatch.setenv("DEALDB_CACHE_MB", "7")
    assert "cache_mb          7 (DEALDB_CACHE_MB)\n" in run("info").out
    monkeypatch.setenv("DEALDB_CACHE", "here")
    assert (
        "DEALDB_CACHE must be on, off or the full path of a folder: got 'here'" in run("info").err
    )
    monkeypatch.setenv("DEALDB_CACHE", str(folder.parent / "other"))
    assert run("find", WHERE, "--json") == found
    assert len(list((folder.parent / "other").iterdir())) == len(list(folder.iterdir()))


def test_a_store_without_a_cache_keeps_nothing(
    start: Open, deals: pl.DataFrame, folder: Path
) -> None:
    db = start(cache=False)
    assert db.query.frame().equals(deals)
    assert isinstance(db._store, Store)
    assert not folder.exists()
