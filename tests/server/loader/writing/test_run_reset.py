"""A load in whose middle the server loses what it had acknowledged ends in an error that says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commits import at_each_commit
from connected import eventually
from dealdb import DealDatabase, LoadReset
from dealdb.store import Store
from dealdb.store.commit.durability import Durability
from dealdb.store.log.entry import Position
from servers import Server

N_ROWS = 400
OPTIONS: dict[str, Any] = {"batch_size": 40, "types": {"amount": "int"}}


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url) as database:
        yield database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "deals.csv"
    path.write_text("id,amount\n" + "".join(f"d{n},{n}\n" for n in range(N_ROWS)))
    return path


def before_commit(
    monkeypatch: pytest.MonkeyPatch, at: int, fault: Callable[[], object], *, deletes: bool = False
) -> None:
    """Have something happen before the commit ``at`` of a load."""

    def before(number: int) -> None:
        if number == at:
            fault()

    at_each_commit(monkeypatch.setattr, before, deletes=deletes)


class Backup:
    """What a server holds, to set it back to."""

    def __init__(self, server: Server) -> None:
        self._server = server
        with server.client() as client:
            self._keys = {key: client.dump(key) for key in client.scan_iter()}

    def restore(self) -> None:
        with self._server.client() as client:
            client.flushall()
            for key, value in self._keys.items():
                client.restore(key, 0, value)


@pytest.fixture
def empty(server: Server) -> Callable[[], None]:
    def empty() -> None:
        with server.client() as client:
            client.flushall()

    return empty


@pytest.mark.parametrize("on_conflict", ["merge", "replace", "skip", "error"])
def test_a_server_that_is_emptied(
    db: DealDatabase,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    empty: Callable[[], None],
    on_conflict: str,
) -> None:
    before_commit(monkeypatch, 5, empty)
    with pytest.raises(LoadReset, match=r"has lost .* of this load.* load it again"):
        db.loader.load(path, **OPTIONS, on_conflict=on_conflict)
    assert db.loader.load(path, **OPTIONS, resume=True).inserted == N_ROWS == len(db)
    assert db.check().ok


def test_a_server_that_starts_again_with_nothing(
    new_server: Callable[..., Server], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_server()

    def restart() -> None:
        server.kill()
        server.start()

    with DealDatabase.from_url(server.url) as db:
        before_commit(monkeypatch, 3, restart)
        with pytest.raises(LoadReset):
            db.loader.load(path, **OPTIONS)


@pytest.mark.parametrize("at", [4, 10])
def test_a_backup_of_the_middle_of_the_load(
    db: DealDatabase, server: Server, path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    backups: list[Backup] = []
    before_commit(monkeypatch, 3, lambda: backups.append(Backup(server)))
    before_commit(monkeypatch, at, lambda: backups[0].restore())
    with pytest.raises(LoadReset):
        db.loader.load(path, **OPTIONS)
    # the mark that came back with it belongs to what is there
    report = db.loader.load(path, **OPTIONS, resume=True)
    assert (report.resumed, report.inserted, len(db)) == (80, N_ROWS, N_ROWS)


def test_after_the_last_commit(
    db: DealDatabase, path: Path, monkeypatch: pytest.MonkeyPatch, empty: Callable[[], None]
) -> None:
    confirm = Store.confirm

    def emptied(self: Store, since: Position, durability: Durability | None) -> Position:
        empty()
        return confirm(self, since, durability)

    monkeypatch.setattr(Store, "confirm", emptied)
    with pytest.raises(LoadReset):
        db.loader.load(path, **OPTIONS)


def test_a_load_that_had_nothing_to_change_yet(
    db: DealDatabase, server: Server, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was unchanged when it was compared may be another deal now."""
    db.loader.load([{"id": "d7", "amount": 1}])
    backup = Backup(server)
    db.loader.load(path, **OPTIONS)
    before_commit(monkeypatch, 5, backup.restore)
    with pytest.raises(LoadReset, match="load it again"):
        db.loader.load(path, **OPTIONS)


def test_while_missing_deals_are_deleted(
    db: DealDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: Callable[[], None]
) -> None:
    db.loader.load([{"id": n, "amount": n} for n in range(1200)])
    before_commit(monkeypatch, 2, empty, deletes=True)
    with pytest.raises(LoadReset):
        db.loader.load([{"id": 3, "amount": 5}], delete_missing=True, everything=True)


@pytest.mark.parametrize("dies", [False, True])
def test_a_resumed_load_of_which_the_first_part_is_gone(
    db: DealDatabase,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    empty: Callable[[], None],
    *,
    dies: bool,
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        before_commit(patched, 5, stop)
        with pytest.raises(KeyboardInterrupt):
            db.loader.load(path, **OPTIONS)
    with monkeypatch.context() as patched:
        # its mark was read by then
        before_commit(patched, 1, empty)
        if dies:
            before_commit(patched, 3, stop)
        with pytest.raises(KeyboardInterrupt if dies else LoadReset):
            db.loader.load(path, **OPTIONS, resume=True)
    report = db.loader.load(path, **OPTIONS, resume=True)
    assert (report.resumed, len(db)) == (0, N_ROWS)


def test_others_commits_are_no_reset(
    db: DealDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_commit(monkeypatch, 5, lambda: db.save_deal({"id": "other"}))
    assert db.loader.load(path, **OPTIONS).inserted == N_ROWS


def test_a_file_that_is_followed(
    db: DealDatabase, tmp_path: Path, empty: Callable[[], None]
) -> None:
    path = tmp_path / "deals.jsonl"
    path.write_text('{"id": 1, "amount": 1}\n')

    def go_on() -> None:
        assert eventually(lambda: "1" in db)
        empty()
        with path.open("a") as file:
            file.write('{"id": 2, "amount": 2}\n')

    thread = threading.Thread(target=go_on)
    thread.start()
    with pytest.raises(LoadReset, match="load it again"):
        db.loader.follow(path, timeout_s=60)
    thread.join()
