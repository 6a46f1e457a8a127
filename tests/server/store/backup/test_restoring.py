"""Nobody sees half a restore, nobody's change is lost in one, and one that died is begun anew."""

from __future__ import annotations

import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from dealdb import (
    BackupError,
    DealDatabase,
    Progress,
    RestoreRefused,
    ServerRefused,
    StoreDamaged,
    StoreError,
)
from servers import Server

# more than are written at once
N = 3_000
UNDER_WAY = "a restore of collection 'copy' is under way"
# restores in a process of its own, and stops at a phase for good
RESTORE = """
import sys, time
from dealdb import DealDatabase
url, file, phase = sys.argv[1:]
def watch(progress):
    if progress.phase == phase:
        print("there", flush=True)
        time.sleep(60)
with DealDatabase.from_url(url, collection="copy") as db:
    db.restore(file, progress=watch)
"""


@pytest.fixture(scope="module")
def file(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of ``N`` deals."""
    folder = tmp_path_factory.mktemp("b")
    server = Server(binary, folder / "s").start()
    try:
        with DealDatabase.from_url(server.url, actor="ann") as db:
            db.loader.load([{"id": n, "amount": n, "stage": "won"} for n in range(N)], bar=False)
            db.save_deal({"id": 7, "amount": 77})
            db.query.save("hot", "amount > 5")
            db.backup(folder / "deals.backup")
    finally:
        server.stop()
    return folder / "deals.backup"


@pytest.fixture
def url(server: Server) -> str:
    return f"unix://{server.socket}"


@pytest.fixture
def raw(server: Server) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


@pytest.fixture
def copy(url: str) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(url, collection="copy") as db:
        yield db


def at(phase: str, act: Callable[[], object]) -> Callable[[Progress], None]:
    """A watcher of progress that does something when a phase is first told of."""
    done = False

    def watch(progress: Progress) -> None:
        nonlocal done
        if progress.phase == phase and not done:
            done = True
            act()

    return watch


def assert_whole(db: DealDatabase) -> None:
    assert len(db) == N
    deal = db.get_deal(7)
    assert deal is not None
    assert deal["amount"] == 77
    assert db.query.count() == N
    assert db.check().ok
    assert db.deal_history(7).height == 3
    assert list(db.query.saved()) == ["hot"]


# others meanwhile -----------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["writing columns", "writing deals"])
def test_nobody_sees_half_of_it(copy: DealDatabase, url: str, file: Path, phase: str) -> None:
    uses: list[Callable[[DealDatabase], object]] = [
        lambda db: db.get_deal(7),
        lambda db: 7 in db,
        len,
        lambda db: db.query.count(),
        lambda db: db.schema,
        lambda db: db.save_deal({"id": 7, "amount": 1}),
        lambda db: db.delete_deal(7),
        lambda db: db.loader.load([{"id": 7}], bar=False),
        lambda db: db.deal_history(7),
        lambda db: db.as_of("2999-01-01"),
        lambda db: db.changes(0),
        lambda db: db.check(),
        lambda db: db.repair(),
        lambda db: db.rename_field("notes", "x"),
        lambda db: db.set_pipeline(db.pipeline.covering(["x"])),
        lambda db: db.backup(file.with_name("never")),
    ]

    def look() -> None:
        for use in uses:
            with (
                DealDatabase.from_url(url, collection="copy") as db,
                pytest.raises(StoreDamaged, match=UNDER_WAY),
            ):
                use(db)

    copy.restore(file, progress=at(phase, look))
    assert_whole(copy)


def test_a_process_that_had_the_collection_before(
    copy: DealDatabase, url: str, raw: redis.Redis, file: Path
) -> None:
    with DealDatabase.from_url(url, collection="copy") as old:
        for n in range(20):
            old.save_deal({"id": n, "amount": -1})
        assert old.query.count() == 20
        feed = old.changes()
        raw.flushdb()

        def look() -> None:
            for use in (
                lambda: old.save_deal({"id": 7, "amount": 1}),
                lambda: old.get_deal(7),
                old.query.count,
                lambda: next(feed),
            ):
                with pytest.raises(StoreError):
                    use()

        copy.restore(file, progress=at("writing deals", look))
        assert_whole(old)
        # its writer is unknown now: it takes another name, and the change is made once
        seq = int(raw.hget("copys:meta", "seq") or 0)
        assert old.save_deal({"id": 7, "amount": 8}).rev == seq + 1
        assert old.check().ok


def test_a_process_that_saw_it_empty(copy: DealDatabase, url: str, file: Path) -> None:
    with DealDatabase.from_url(url, collection="copy") as old:
        assert old.get_deal(7) is None
        assert old.query.count() == 0

        def look() -> None:
            for use in (lambda: old.get_deal(7), lambda: 7 in old, old.query.count):
                with pytest.raises(StoreDamaged, match=UNDER_WAY):
                    use()

        copy.restore(file, progress=at("writing deals", look))
        assert_whole(old)


def test_two_at_once(copy: DealDatabase, url: str, file: Path) -> None:
    refusals: list[str] = []

    def second() -> None:
        with DealDatabase.from_url(url, collection="copy") as db:
            with pytest.raises(RestoreRefused) as refused:
                db.restore(file)
            refusals.append(str(refused.value))

    copy.restore(file, progress=at("writing deals", second))
    [refusal] = refusals
    assert "another process restores into it" in refusal
    assert_whole(copy)


def test_one_that_slept_while_another_took_over(
    copy: DealDatabase, url: str, raw: redis.Redis, file: Path
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    problems: list[BaseException] = []

    def wait() -> None:
        reached.set()
        go_on.wait(30)

    def sleepy() -> None:
        try:
            with DealDatabase.from_url(url, collection="copy") as db:
                db.restore(file, progress=at("writing deals", wait))
        except BaseException as problem:
            problems.append(problem)

    first = threading.Thread(target=sleepy)
    first.start()
    try:
        assert reached.wait(30)
        # as if it had slept for longer than its lease lasts
        raw.delete("copys:lease")
        report = copy.restore(file)
        assert report.cleared > 100
        copy.save_deal({"id": N - 1, "amount": 5})
    finally:
        go_on.set()
        first.join()
    [problem] = problems
    assert isinstance(problem, RestoreRefused)
    assert "another restore into it has begun since" in str(problem)
    assert_whole(copy)
    assert copy.get_deals([N - 1])[0]["amount"] == 5  # type: ignore[index]


def test_one_that_slept_before_its_last_step(
    copy: DealDatabase, url: str, raw: redis.Redis, file: Path, tmp_path: Path
) -> None:
    # without history it has no part that the other would have removed
    lean = tmp_path / "lean"
    with DealDatabase.from_url(url, collection="first") as db:
        db.restore(file)
        db.backup(lean, history=False)
    overtaken = False

    def overtake(progress: Progress) -> None:
        nonlocal overtaken
        if progress.phase == "writing deals" and progress.rows == N and not overtaken:
            overtaken = True
            raw.delete("copys:lease")
            with DealDatabase.from_url(url, collection="copy") as db:
                db.restore(file)
                db.save_deal({"id": 8, "amount": 88})

    with pytest.raises(RestoreRefused, match="has begun since"):
        copy.restore(lean, progress=overtake)
    assert_whole(copy)
    assert copy.deal_history(8)["after"][-1] == "88"


@pytest.mark.parametrize("deal", ["7", str(N - 1)])
def test_another_program_writes_a_hash_meanwhile(
    copy: DealDatabase, raw: redis.Redis, file: Path, deal: str
) -> None:
    def write() -> None:
        raw.hset(f"copy:{deal}", "amount", "5")

    with pytest.raises(RestoreRefused):
        copy.restore(file, progress=at("writing columns", write))
    assert raw.hgetall(f"copy:{deal}") == {b"amount": b"5"}
    assert raw.keys("copy*") == [f"copy:{deal}".encode()]


def test_a_query_that_is_saved_meanwhile_stays(
    copy: DealDatabase, url: str, raw: redis.Redis, file: Path
) -> None:
    def save() -> None:
        raw.hset("copys:queries", mapping={"hot": "mine", "other": "too"})

    assert copy.restore(file, progress=at("writing deals", save)).queries == 0
    assert raw.hgetall("copys:queries") == {b"hot": b"mine", b"other": b"too"}


# what is there before -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("HSET", "copy:7", "stage", "won"), "copy:7"),
        (("HSET", "copys:queries", "hot", "{}"), "copys:queries"),
        (("XADD", "copys:log", "1-0", "a", "b"), "copys:log"),
        (("SET", "copys:checkpoint", "{}"), "copys:checkpoint"),
        (("SADD", "copys:chunks", "x"), "copys:chunks"),
        (("HSET", "copys:meta", "format", "1"), "copys:meta"),
        (("HSET", "copys:meta", "format", "9"), "copys:meta"),
    ],
)
def test_what_holds_anything_is_refused(
    copy: DealDatabase, raw: redis.Redis, file: Path, command: tuple[str, ...], key: str
) -> None:
    raw.execute_command(*command)  # type: ignore[no-untyped-call]
    before = raw.dump(key)
    with pytest.raises(RestoreRefused, match=f"not empty.*'{re.escape(key)}'"):
        copy.restore(file)
    assert raw.keys("*") == [key.encode()]
    assert raw.dump(key) == before


def test_a_collection_in_use_stays_as_it_is(copy: DealDatabase, file: Path) -> None:
    copy.save_deal({"id": 1, "stage": "won"})
    with pytest.raises(RestoreRefused, match="not empty"):
        copy.restore(file)
    assert (len(copy), copy.check().ok) == (1, True)


def test_records_of_writers_of_a_lost_past_go(
    copy: DealDatabase, raw: redis.Redis, file: Path
) -> None:
    raw.hset("copys:writers", "0123456789abcdef", "5 5 1 0 0")
    copy.restore(file)
    assert raw.exists("copys:writers") == 0


# one that comes to no end ---------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["writing columns", "writing deals"])
def test_killed_in_the_middle(
    copy: DealDatabase, url: str, raw: redis.Redis, file: Path, phase: str
) -> None:
    command = [sys.executable, "-c", RESTORE, url, str(file), phase]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGKILL)
    assert len(raw.keys("copy*")) > 3
    with pytest.raises(StoreDamaged, match=UNDER_WAY):
        copy.query.count()
    with pytest.raises(RestoreRefused, match="died doing so within the last 30 s"):
        copy.restore(file)
    # as if so long had passed
    raw.delete("copys:lease")
    with pytest.raises(StoreDamaged, match=UNDER_WAY):
        copy.save_deal({"id": 7})
    report = copy.restore(file)
    assert report.cleared > 3
    assert_whole(copy)
    assert sorted(raw.smembers("copys:chunks")) == sorted(
        [*raw.keys("copys:chunk:*"), *raw.keys("copys:history:*"), *raw.keys("copys:index:*")]
    )


@pytest.mark.slow
def test_killed_at_any_moment(copy: DealDatabase, url: str, raw: redis.Redis, file: Path) -> None:
    chance = random.Random(18)
    outcomes: Counter[str] = Counter()
    for _ in range(25):
        raw.flushdb()
        program = RESTORE.replace("time.sleep(60)", "pass")
        command = [sys.executable, "-c", program, url, str(file), "checking history"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "there\n"
            # some end before that
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0, 0.4))
            process.kill()
        keys = raw.keys("copy*")
        if raw.hget("copys:meta", "format") == b"1":
            outcomes["whole"] += 1
        elif keys:
            outcomes["refused"] += 1
            with pytest.raises(StoreDamaged, match=UNDER_WAY):
                copy.query.count()
            with pytest.raises(StoreDamaged, match=UNDER_WAY):
                copy.save_deal({"id": 7})
            raw.delete("copys:lease")
            copy.restore(file)
        else:
            outcomes["empty"] += 1
            assert len(copy) == 0
            copy.restore(file)
        assert_whole(copy)
    # with fewer, the moments were too much alike to prove anything
    assert outcomes["refused"] >= 5


@pytest.mark.parametrize("phase", ["checking", "writing columns", "writing deals"])
def test_interrupted_it_leaves_nothing(
    copy: DealDatabase, raw: redis.Redis, file: Path, phase: str
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy.restore(file, progress=at(phase, interrupt))
    assert raw.keys("*") == []
    copy.restore(file)
    assert_whole(copy)


def test_a_damaged_file_writes_nothing(
    copy: DealDatabase, raw: redis.Redis, file: Path, tmp_path: Path
) -> None:
    blob = bytearray(file.read_bytes())
    blob[len(blob) // 2] ^= 1
    damaged = tmp_path / "damaged"
    damaged.write_bytes(blob)
    with pytest.raises(BackupError) as found:
        copy.restore(damaged)
    assert found.value.offset is not None
    assert raw.keys("*") == []


def test_a_file_that_changes_after_it_was_looked_through(
    copy: DealDatabase, raw: redis.Redis, file: Path, tmp_path: Path
) -> None:
    here = tmp_path / "b"
    here.write_bytes(file.read_bytes())

    def change() -> None:
        with here.open("r+b") as opened:
            opened.seek(1_000)
            opened.write(b"x" * (here.stat().st_size - 2_000))

    with pytest.raises(BackupError):
        copy.restore(here, progress=at("writing columns", change))
    assert raw.keys("*") == []


def test_the_link_that_breaks(new_server: Callable[..., Server], file: Path) -> None:
    server = new_server("--appendonly", "yes", "--appendfsync", "always")
    with DealDatabase.from_url(server.url, collection="copy", retry_deadline_s=20) as db:

        def restart() -> None:
            server.kill()
            server.start()

        # a server that comes back with all that it had: it goes on as if nothing had been
        db.restore(file, progress=at("writing deals", restart))
        assert_whole(db)


class Cutter(threading.Thread):
    """Between a client and a server: swallows an answer to what was done, and hangs up, later on each connection."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server, self.n_cuts = server, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", self.server.port)) as there:
                self.serve(client, there, 5 + 3 * self.n_cuts)

    def serve(self, client: socket.socket, there: socket.socket, n_answers: int) -> None:
        while ready := select.select([client, there], [], [], 20)[0]:
            blob = ready[0].recv(2**16)
            if not blob:
                return
            if ready[0] is client:
                there.sendall(blob)
                continue
            n_answers -= 1
            if n_answers == 0:
                self.n_cuts += 1
                return
            client.sendall(blob)


def test_answers_that_get_lost(server: Server, file: Path) -> None:
    cutter = Cutter(server)
    try:
        with DealDatabase(
            "127.0.0.1", cutter.port, collection="copy", max_connections=1, retry_deadline_s=30
        ) as db:
            assert db.is_connected()
            db.restore(file)
    finally:
        cutter.listener.close()
    assert cutter.n_cuts > 1
    with DealDatabase.from_url(server.url, collection="copy") as db:
        assert_whole(db)


def test_a_server_that_gets_full(
    copy: DealDatabase, raw: redis.Redis, file: Path, shared_server: Server
) -> None:
    def fill() -> None:
        raw.config_set("maxmemory", 1)

    try:
        with pytest.raises(ServerRefused) as refused:
            copy.restore(file, progress=at("writing deals", fill))
        assert refused.value.reply == "OOM"
        assert raw.keys("*") == []
    finally:
        raw.config_set("maxmemory", 0)
    copy.restore(file)
    assert_whole(copy)


def test_left_overs_on_a_server_that_is_full_go(
    copy: DealDatabase, url: str, raw: redis.Redis, file: Path
) -> None:
    raw.hset("copys:meta", mapping={"format": "restore", "restore": "0123456789abcdef"})
    raw.hset("copy:1", mapping={"_row": "0", "_rev": "1"})
    try:
        raw.config_set("maxmemory", 1)
        with pytest.raises(ServerRefused):
            copy.restore(file)
        assert raw.keys("*") == []
    finally:
        raw.config_set("maxmemory", 0)


def test_a_server_that_forgets_meanwhile(new_server: Callable[..., Server], file: Path) -> None:
    server = new_server()
    with DealDatabase.from_url(server.url, collection="copy", retry_deadline_s=20) as db:

        def restart() -> None:
            server.kill()
            server.start()

        with pytest.raises(RestoreRefused):
            db.restore(file, progress=at("writing deals", restart))
        db.restore(file)
        assert_whole(db)


# the last step --------------------------------------------------------------------------------------


def test_the_last_step_may_be_sent_twice(copy: DealDatabase, raw: redis.Redis, file: Path) -> None:
    from dealdb.store.backup.checking import open_backup
    from dealdb.store.backup.claim import Claim
    from dealdb.store.backup.reports import quietly
    from dealdb.store.backup.restoring import Restorer

    store = copy._store
    with open_backup(file) as backup:
        claim = Claim(store.link, store.keys)
        restorer = Restorer(store.link, store.keys, backup.pieces[0], claim, quietly)
        restorer.run()
        copy.save_deal({"id": 7, "amount": 5})
        before = raw.dump("copys:log"), raw.dump("copys:meta"), raw.dump("copys:checkpoint")
        # as if its first answer had been lost
        assert restorer.finish() == 1
        # and what a failure would then clear away stays
        with pytest.raises(RestoreRefused):
            claim.clear()
        after = raw.dump("copys:log"), raw.dump("copys:meta"), raw.dump("copys:checkpoint")
        assert after == before
    assert copy.check().ok


def test_a_chunk_that_is_gone_at_the_end(copy: DealDatabase, raw: redis.Redis, file: Path) -> None:
    def remove() -> None:
        raw.delete(raw.keys("copys:chunk:*")[0])

    with pytest.raises(RestoreRefused, match="is gone"):
        copy.restore(file, progress=at("writing deals", remove))
    assert raw.keys("*") == []
