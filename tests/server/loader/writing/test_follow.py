"""A file that is followed: each line once it is complete, whatever becomes of the file, the server or the program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connected import eventually
from dealdb import DealDatabase, LoadReport
from dealdb.errors import LoadError, ServerUnavailable
from dealdb.loader.saved_mapping import SavedMapping
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url) as db:
        yield db


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # where the rejects go
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "deals.jsonl"
    path.touch()
    return path


def append(file: Path, *rows: Any, end: str = "\n") -> None:
    with file.open("a") as out:
        for row in rows:
            out.write((row if isinstance(row, str) else json.dumps(row)) + end)


class Following(threading.Thread):
    """A follow in a thread."""

    def __init__(self, db: DealDatabase, file: Path, **options: Any) -> None:
        super().__init__()
        self.stop = threading.Event()
        self.told: list[str] = []
        self.report: LoadReport | None = None
        self.failure: BaseException | None = None
        self._db, self._file, self._options = db, file, options
        self.start()

    def run(self) -> None:
        try:
            self.report = self._db.loader.follow(
                self._file, stop=self.stop, tell=self.told.append, **self._options
            )
        except BaseException as failure:
            self.failure = failure

    def end(self) -> LoadReport:
        self.stop.set()
        self.join(20)
        assert self.failure is None
        assert self.report is not None
        return self.report


@pytest.fixture
def follow(db: DealDatabase, file: Path) -> Iterator[Callable[..., Following]]:
    started: list[Following] = []

    def start(**options: Any) -> Following:
        started.append(Following(db, file, **options))
        return started[-1]

    yield start
    for each in started:
        each.stop.set()
        each.join(20)


def has(db: DealDatabase, *ids: str) -> Callable[[], bool]:
    return lambda: all(id_ in db for id_ in ids)


def test_what_is_there_and_what_comes(
    db: DealDatabase, file: Path, follow: Callable[..., Following]
) -> None:
    append(file, {"Deal ID": 1, "Amount": "1.50"}, {"Deal ID": 2, "Amount": 2})
    following = follow()
    assert eventually(has(db, "1", "2"))
    append(file, {"Deal ID": 3, "Amount": 3.5, "tags": ["a"]}, {"Deal ID": 1, "Amount": 10})
    assert eventually(has(db, "3"))
    append(file, {"Amount": 7}, "no json", {"Deal ID": 4, "Amount": "soon"})
    append(file, '{"Deal ID": 5, ', end="")
    append(file, '"Amount": 5}', '{"Deal ID": 6', end="\n")
    append(file, '{"Deal ID": 7, "Am', end="")
    assert eventually(has(db, "5"))
    report = following.end()
    assert "6" not in db
    assert "7" not in db
    assert [str(deal["amount"]) for deal in db.get_deals([1, 2, 3, 5]) if deal] == [
        "10.00", "2.00", "3.50", "5.00",
    ]  # fmt: skip
    assert (report.read, report.inserted, report.updated, report.rejected) == (9, 4, 1, 4)
    assert report.mapping == {"Deal ID": "id", "Amount": "amount", "tags": "tags"}
    assert report.reasons == {"not-json": 2, "Deal ID: missing-id": 1, "Amount: not-a-number": 1}
    assert report.rejects is not None
    lines = [line.split(",")[1] for line in report.rejects.read_text().splitlines()[1:]]
    assert sorted(lines) == ["5", "6", "7", "9"]
    assert following.told == []


def test_what_there_is_alone(db: DealDatabase, file: Path) -> None:
    append(file, *({"id": n, "amount": n} for n in range(1200)))
    report = db.loader.follow(file, timeout_s=0)
    assert (report.read, report.inserted, len(db)) == (1200, 1200, 1200)
    append(file, {"id": 9999})
    assert db.loader.follow(file, timeout_s=0, from_end=True).read == 0
    assert db.loader.follow(file, timeout_s=0).unchanged == 1200


def test_from_the_end_a_line_counts_when_it_is_completed(
    db: DealDatabase, file: Path, follow: Callable[..., Following]
) -> None:
    append(file, {"id": 1}, '{"id": ', end="")
    file.write_text('{"id": 1}\n{"id": ')
    following = follow(from_end=True)
    threading.Event().wait(0.2)
    append(file, "2}")
    assert eventually(has(db, "2"))
    assert following.end().inserted == 1
    assert "1" not in db


def test_a_truncated_file_is_read_anew(
    db: DealDatabase, file: Path, follow: Callable[..., Following]
) -> None:
    append(file, {"id": 1}, {"id": 2})
    append(file, '{"id": 3}', end="")
    following = follow()
    assert eventually(has(db, "2"))
    # longer than before: only its bytes tell that it is another one
    file.write_text("".join(f'{{"id": {n}}}\n' for n in range(10, 20)))
    assert eventually(has(db, "3", "10", "19"))
    assert following.end().inserted == 13
    assert following.told == [f"{file} was truncated; it is read from its beginning"]


def test_a_rotated_file_loses_nothing(
    db: DealDatabase, file: Path, follow: Callable[..., Following]
) -> None:
    append(file, {"id": 1})
    following = follow()
    assert eventually(has(db, "1"))
    old = file.with_suffix(".1")
    with file.open("a") as writer:
        file.rename(old)
        assert eventually(lambda: len(following.told) == 1)
        append(file, {"id": 10})
        # several rounds later the writer has not noticed yet
        threading.Event().wait(0.3)
        writer.write('{"id": 2}\n')
        writer.flush()
        assert eventually(has(db, "2", "10"))
    append(file, {"id": 11})
    assert eventually(has(db, "11"))
    assert following.end().inserted == 4
    assert following.told == [
        f"{file} is gone; waiting for the next of its name",
        f"{file} was replaced; the new file is read from its beginning",
    ]


def test_a_line_that_leaves_a_column_open_is_set_aside_alone(
    db: DealDatabase, file: Path, follow: Callable[..., Following]
) -> None:
    append(file, {"id": 1})
    following = follow()
    assert eventually(has(db, "1"))
    append(file, {"id": 2}, {"id": 3, "created": "03/04/2026"}, {"id": 4}, {"id": 5, "seats": 4})
    assert eventually(has(db, "2", "4", "5"))
    append(file, {"id": 6, "seats": "many"}, {"id": 7, "created": "2026-04-03"})
    assert eventually(has(db, "7"))
    report = following.end()
    assert report.reasons == {"undecided": 1, "seats: not-an-integer": 1}
    assert report.inserted == 5


def test_scale_of_probabilities_stays_decided(db: DealDatabase, file: Path) -> None:
    append(file, {"id": 1, "probability": 80})
    following = Following(db, file)
    assert eventually(has(db, "1"))
    append(file, {"id": 2, "probability": 1})
    assert eventually(has(db, "2"))
    following.end()
    deal = db.get_deal(2)
    assert deal is not None
    assert str(deal["probability"]) == "0.01"


def test_what_cannot_be_followed(db: DealDatabase, file: Path, tmp_path: Path) -> None:
    append(file, {"name": "no id"})
    for path, options in (
        (tmp_path / "none.jsonl", {}),
        (tmp_path / "deals.csv", {}),
        (file, {}),
        (file, {"on_conflict": "error"}),
        (file, {"id_from": "row"}),
        (file, {"id_from": ["row"]}),
    ):
        with pytest.raises(LoadError):
            db.loader.follow(path, timeout_s=0, **options)
    assert db.loader.follow(file, timeout_s=0, id_from=["name"]).inserted == 1


def test_a_line_without_an_end_is_refused(
    db: DealDatabase, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.loader.sources.text_file.MAX_ROW_BYTES", 1000)
    append(file, {"id": 1}, "x" * 2000, end="")
    with pytest.raises(LoadError, match="line 1"):
        db.loader.follow(file, timeout_s=0)


def test_rejects_of_an_earlier_run_stay(db: DealDatabase, file: Path) -> None:
    append(file, {"id": 1}, "first")
    report = db.loader.follow(file, timeout_s=0)
    file.write_text('{"id": 2}\nsecond\n')
    db.loader.follow(file, timeout_s=0)
    assert report.rejects is not None
    text = report.rejects.read_text()
    assert (text.count("source,line"), text.count("first"), text.count("second")) == (1, 1, 1)


def test_lines_wait_for_a_server_that_goes_away(
    new_server: Callable[..., Server], file: Path
) -> None:
    server = new_server("--appendonly", "yes", "--appendfsync", "always")
    append(file, {"id": 1})
    with DealDatabase("127.0.0.1", server.port, retry_deadline_s=0.1) as db:
        following = Following(db, file)
        assert eventually(has(db, "1"))
        # the first lines of all don't wait
        append(file, {"id": 2})
        assert eventually(has(db, "2"))
        server.kill()
        append(file, {"id": 3}, "bad")
        assert eventually(lambda: bool(following.told)), following.failure
        server.start()
        assert eventually(has(db, "3"))
        report = following.end()
        assert (report.read, report.rejected) == (4, 1)
        assert "waiting" in following.told[0]
        server.kill()
        with pytest.raises(ServerUnavailable):
            db.loader.follow(file, timeout_s=0)


def test_ctrl_c_ends_the_program_with_its_report(
    db: DealDatabase, server: Server, file: Path
) -> None:
    append(file, {"id": 1})
    command = [sys.executable, "-m", "dealdb", "load", "--follow", str(file)]
    environment = {**os.environ, "DEALDB_URL": server.url}
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert any(eventually(has(db, "1")) for _ in range(6))
            append(file, {"id": 2})
            assert eventually(has(db, "2"))
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert "2 read: 2 inserted" in out
    assert err.splitlines() == [f"following {file}; Ctrl-C ends it"]
    assert process.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("-",), ("a.jsonl", "b.jsonl"), ("a.jsonl", "--dry-run"), ("a.jsonl", "--resume"),
        ("a.jsonl", "--delete-missing"), ("a.jsonl", "--format", "csv"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_options_that_need_the_whole_file(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    from dealdb.cli.main import main

    assert main(["load", "--follow", *arguments]) == 2
    assert "--follow" in capsys.readouterr().err
    assert main(["load", "--from-end", "a.jsonl"]) == 2


def test_a_saved_mapping_gives_the_columns_of_a_load(db: DealDatabase, file: Path) -> None:
    first = {"Nr": "1", "Betrag": "1.234,50", "Termin": "03/04/2026", "junk": "x"}
    mapping = {"Nr": "id", "Termin": "expected_close", "junk": None}
    db.loader.load([first], mapping=mapping, dates="us", save_mapping="crm")
    append(file, {**first, "Nr": "2"})
    report = db.loader.follow(file, mapping="crm", timeout_s=0)
    assert report.mapping == {**mapping, "Betrag": "amount"}
    assert dict(db.get_deal("2") or {}) | {"id": "1"} == dict(db.get_deal("1") or {})
    append(file, {"Nr": "3", "Betrag": "1.000"})
    db.loader.follow(file, mapping=db.loader.mapping("crm"), timeout_s=0)
    third = db.get_deal("3")
    assert third is not None
    assert str(third["amount"]) == "1000.00"


def test_a_mapping_for_other_files_says_so(db: DealDatabase, file: Path) -> None:
    rows = [{"Nr": "1"}]
    db.loader.load(rows, mapping={"Nr": "id"}, null="-", save_mapping="crm")
    with pytest.raises(LoadError, match="the mapping has null: nothing of that is in JSON Lines"):
        db.loader.follow(file, mapping="crm", timeout_s=0)
    append(file, {"id": "1"})
    with pytest.raises(LoadError, match="no column 'Nr'"):
        db.loader.follow(file, mapping=SavedMapping(options={"mapping": {"Nr": "id"}}), timeout_s=0)


def test_bad_cells_alone_are_left_out(db: DealDatabase, file: Path) -> None:
    append(file, {"id": "1", "probability": "0.5"}, {"id": "2", "probability": "high"})
    report = db.loader.follow(file, bad_cells="null", timeout_s=0)
    assert (report.inserted, report.rejected, report.bad_cells) == (2, 0, {"probability": 1})
    assert "high" in Path("deals.jsonl.rejects.csv").read_text()


def test_names_are_joined_with_those_of_earlier_lines(db: DealDatabase, file: Path) -> None:
    append(file, {"id": "1", "owner": "Ann"})
    following = Following(db, file, fold="owner")
    assert eventually(lambda: "1" in db)
    append(file, {"id": "2", "owner": "ann "}, {"id": "3", "name": "X"})
    assert eventually(lambda: "3" in db)
    following.stop.set()
    following.join()
    second = db.get_deal("2")
    assert second is not None
    assert second["owner"] == "Ann"
